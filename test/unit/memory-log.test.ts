import { setTimeout as delay } from 'node:timers/promises'
import { type ChannelDefinition, type Channels, standardChannels } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import type { AppendItem, Retention } from '../../src/log/log.js'
import { ENTRY_OVERHEAD_BYTES } from '../../src/log/memory/drop-order.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { AMPLE, held, ManualClock } from '../contract/logs.js'
import { bytesUsed, LARGE, largePayload } from '../helpers/memory.js'

const item = (topic: string, n: number, more: Partial<AppendItem> = {}): AppendItem => ({
  topic,
  payload: `{"n":${n}}`,
  ...more
})
const offsetsHeld = async (log: MemoryLog, topics: readonly string[]): Promise<number[]> =>
  (await Promise.all(topics.map(topic => held(log, topic))))
    .flat()
    .map(({ offset }) => offset)
    .sort((a, b) => a - b)

function makeLog (
  t: Test,
  retention: Partial<Retention> = {},
  channels: Channels = standardChannels
): { log: MemoryLog, clock: ManualClock } {
  const clock = new ManualClock()
  const log = new MemoryLog({ channels, retention: { ...AMPLE, ...retention }, maxTopics: 1000, clock })
  t.teardown(() => log.close())
  return { log, clock }
}

/** Makes a channel whose state is the sum of its messages, and records what it was asked to fold. */
function countingChannel (retention: ChannelDefinition['retention'] = {}): {
  channels: Channels
  folded: number[]
} {
  const folded: number[] = []
  const channel = {
    ...standardChannels.get('book')!,
    name: 'sum',
    retention,
    reduce: (state: { n: number } | undefined, data: { n: number }) => {
      folded.push(data.n)
      return { n: (state?.n ?? 0) + data.n }
    }
  }
  return { channels: new Map([['sum', channel as unknown as ChannelDefinition]]), folded }
}

test('counts the bytes of payloads and a constant for each entry, exactly to the bound', async t => {
  const one = ENTRY_OVERHEAD_BYTES + '{"n":1}'.length
  const { log } = makeLog(t, { bytes: 3 * one })
  for (let n = 1; n <= 3; n++) await log.append([item(`trades:T${n}`, n)])
  t.same(await offsetsHeld(log, ['trades:T1', 'trades:T2', 'trades:T3']), [1, 2, 3], 'full to the last byte')
  await log.append([item('trades:T1', 4)])
  t.same(await offsetsHeld(log, ['trades:T1', 'trades:T2', 'trades:T3']), [2, 3, 4])
  await log.append([{ topic: 'trades:T4', payload: '{"n": 5}' }])
  t.same(
    await offsetsHeld(log, ['trades:T1', 'trades:T2', 'trades:T3', 'trades:T4']),
    [4, 5],
    'one byte too many drops one more'
  )
})

test('frees the bytes of what count, age and a restart drop', async t => {
  const one = ENTRY_OVERHEAD_BYTES + '{"n":1}'.length
  const { log, clock } = makeLog(t, { bytes: 4 * one, messages: 2, seconds: 60 })
  for (let n = 1; n <= 9; n++) await log.append([item('trades:A', n)])
  await log.append([item('trades:B', 1), item('trades:C', 1)])
  t.same(await offsetsHeld(log, ['trades:A', 'trades:B', 'trades:C']), [8, 9, 10, 11], 'count')
  log.restart([9])
  await log.append([item('trades:B', 1), item('trades:C', 1)])
  t.same(await offsetsHeld(log, ['trades:A', 'trades:B', 'trades:C']), [8, 9, 10, 11], 'restart')
  clock.sleep(60)
  await log.append(['A', 'B', 'C', 'D'].map(symbol => item(`trades:${symbol}`, 1)))
  t.same(
    await offsetsHeld(
      log,
      ['A', 'B', 'C', 'D'].map(symbol => `trades:${symbol}`)
    ),
    [12, 13, 14, 15],
    'age'
  )
})

test('drops topics of one millisecond oldest first, also after a loss', async t => {
  const { log, clock } = makeLog(t, { seconds: 60, bytes: 3 * (ENTRY_OVERHEAD_BYTES + 7) })
  await log.append([item('trades:A', 1)])
  clock.sleep(60)
  await log.append([item('trades:F', 1), item('trades:G', 1), item('trades:A', 2)])
  log.restart([1])
  await log.append([item('trades:A', 3), item('trades:C', 1), item('trades:D', 1)])
  await log.append([item('trades:E', 1)])
  t.same(await offsetsHeld(log, ['A', 'C', 'D', 'E'].map(symbol => `trades:${symbol}`)), [3, 4, 5])
})

test("prefers a channel's own bounds over the log's", async t => {
  const { channels } = countingChannel({ messages: 3, seconds: 10 })
  const { log, clock } = makeLog(t, {}, new Map([...standardChannels, ...channels]))
  for (let n = 1; n <= 5; n++) await log.append([item('sum:A', n), item('trades:A', n)])
  t.same((await held(log, 'sum:A')).map(({ sequence }) => sequence), [3, 4, 5])
  t.equal((await held(log, 'trades:A')).length, 5)
  clock.sleep(10)
  t.equal((await held(log, 'sum:A')).length, 0)
  t.equal((await held(log, 'trades:A')).length, 5)
})

test('folds nothing until a snapshot is asked for, and then only what is new', async t => {
  const { channels, folded } = countingChannel()
  const { log } = makeLog(t, {}, channels)
  await log.append([item('sum:A', 1), item('sum:A', 2)])
  t.same(folded, [], 'appends fold nothing')
  t.equal((await log.snapshot('sum:A'))!.payload, '{"n":3}')
  t.same(folded, [1, 2])
  const again = await log.snapshot('sum:A')
  t.same(folded, [1, 2], 'an unchanged state is not folded again')
  t.equal(again!.payload, '{"n":3}')
  await log.append([item('sum:A', 3)])
  t.equal((await log.snapshot('sum:A'))!.payload, '{"n":6}')
  t.same(folded, [1, 2, 3])
})

test('folds a long history as it comes, so that asking for a state blocks nobody', async t => {
  const { channels, folded } = countingChannel({ messages: 500 })
  const { log } = makeLog(t, {}, channels)
  const large = (n: number): AppendItem => ({ topic: 'sum:A', payload: `{"n":${n}${' '.repeat(4000)}}` })
  const sum = async (): Promise<number> =>
    (JSON.parse((await log.snapshot('sum:A'))!.payload) as { n: number }).n
  /** Asks for the state. Returns how many messages were folded for it. */
  const asked = async (expected: number): Promise<number> => {
    const before = folded.length
    t.equal(await sum(), expected)
    return folded.length - before
  }
  for (let n = 1; n <= 1000; n++) await log.append([large(n)])
  t.ok(await asked(1000 * 1001 / 2) < 100, 'a small part of the 500 retained messages')
  log.restart([600])
  for (let n = 601; n <= 700; n++) await log.append([large(n)])
  t.ok(await asked(700 * 701 / 2) < 100, 'also where the newest messages were lost')
  await log.append(Array.from({ length: 2000 }, () => large(0)))
  t.ok(await asked(700 * 701 / 2) < 100, 'also where all folded messages have been dropped')
})

test('folds what it drops once, just before, and never what a restart may lose', async t => {
  const { channels, folded } = countingChannel({ messages: 2 })
  const { log } = makeLog(t, {}, channels)
  for (let n = 1; n <= 4; n++) await log.append([item('sum:A', n)])
  t.same(folded, [1, 2], 'only those about to be dropped')
  t.equal((await log.snapshot('sum:A'))!.payload, '{"n":10}')
  log.restart([3])
  t.equal((await log.snapshot('sum:A'))!.payload, '{"n":6}')
  log.restart([2])
  t.equal((await log.snapshot('sum:A'))!.payload, '{"n":3}')
})

test('cannot lose in a restart what retention has dropped', async t => {
  const { log } = makeLog(t, { messages: 2 })
  for (let n = 1; n <= 5; n++) await log.append([item('quotes:A', n)])
  log.restart([1])
  const [head] = await log.head()
  t.same([head!.offset, head!.epochs.at(-1)!.start], [3, 4])
  t.equal((await log.snapshot('quotes:A'))!.payload, '{"n":3}')
  t.equal((await log.read('quotes:A', { offset: 0 }, 9)).last!.sequence, 3)
})

test('forgets the oldest of more than 100,000 keys', async t => {
  const { log } = makeLog(t, { messages: 10 })
  const keyed = (n: number): AppendItem => item('trades:A', n, { idempotencyKey: String(n) })
  await log.append(Array.from({ length: 100_001 }, (_, n) => keyed(n)))
  t.same(
    await log.append([keyed(1)]),
    [{ sequence: 2, offset: 2, shard: 0, repeated: true }],
    'the second is the oldest key that is left'
  )
  t.same(
    await log.append([keyed(0)]),
    [{ sequence: 100_002, offset: 100_002, shard: 0 }],
    'the first is not known any more'
  )
})

test('forgets no key of a channel because of the keys of another', async t => {
  const { log } = makeLog(t, { messages: 10 })
  const command: AppendItem = { topic: 'commands@alice', payload: '{}', idempotencyKey: 'k' }
  await log.append([command])
  await log.append(Array.from({ length: 100_001 }, (_, n) => item('trades:A', n, { idempotencyKey: String(n) })))
  t.match(await log.append([command]), [{ sequence: 1, repeated: true }])
})

test('reports a failing listener, and goes on', async t => {
  const { log } = makeLog(t)
  const warning = new Promise<Error>(resolve => { process.once('warning', resolve) })
  await log.tail(0, () => { throw new Error('thrown by a test') })
  t.equal((await log.append([item('trades:A', 1)])).length, 1)
  t.equal((await warning).message, 'thrown by a test')
})

test('drops messages that are too old by its timer, even if nobody reads', async t => {
  const { log, clock } = makeLog(t, { seconds: 60 })
  await log.append([item('trades:A', 1, { payload: largePayload() })])
  const held = await bytesUsed()
  clock.sleep(60)
  const deadline = Date.now() + 5000
  let left = await bytesUsed()
  for (; held - left < LARGE / 2 && Date.now() < deadline; left = await bytesUsed()) await delay(100)
  t.ok(held - left > LARGE / 2)
})

test('keeps a dropped message alive in no structure', async t => {
  for (const [name, retention, drop] of [
    ['count', { messages: 1 }, (log: MemoryLog) => log.append([item('trades:A', 2)])],
    ['bytes', { bytes: ENTRY_OVERHEAD_BYTES + LARGE }, (log: MemoryLog) => log.append([item('trades:B', 2)])],
    ['age', { seconds: 60 }, async (log: MemoryLog, clock: ManualClock) => { clock.sleep(60); await log.read('trades:A', { offset: 0 }, 1) }],
    ['restart', {}, async (log: MemoryLog) => { log.restart([0]) }]
  ] as const) {
    const { log, clock } = makeLog(t, retention)
    const before = await bytesUsed()
    await log.append([item('trades:A', 1, { payload: largePayload() })])
    const held = await bytesUsed()
    t.ok(held - before > LARGE / 2, `${name}: the log holds it`)
    await drop(log, clock)
    t.ok(held - await bytesUsed() > LARGE / 2, `${name}: then nobody does`)
  }
})

test('takes no more memory for a topic that is emptied over and over', async t => {
  const { log } = makeLog(t, { bytes: ENTRY_OVERHEAD_BYTES })
  const room = async (): Promise<number> => {
    for (let n = 0; n < 100_000; n++) void log.append([item('trades:A', n)])
    return await bytesUsed()
  }
  const before = await room()
  // A slot of the heap left behind by each would make 5 MB.
  t.ok(await room() - before < 1_000_000)
})
