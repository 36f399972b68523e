import { ProtocolError } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import { type AppendItem, type AppendResult, COMMON_SHARD, type Entry, type Log, type TailBatch } from '../../src/log/log.js'
import { backends, eventually, held, openLog, tailAll, wasLost } from './logs.js'

const SYMBOLS = ['AAPL', 'MSFT', 'BTC-USD', 'ETH-USD', 'NVDA', 'TSLA', 'IBM', 'SAP']
/** Of the shard that all else is on, and others. */
const TOPICS = SYMBOLS.flatMap(symbol => [`quotes:${symbol}`, `trades:${symbol}`])

const item = (topic: string, n: number, more: Partial<AppendItem> = {}): AppendItem => ({ topic, payload: `{"n":${n}}`, ...more })
const items = (topic: string, from: number, to: number): AppendItem[] =>
  Array.from({ length: to - from + 1 }, (_, i) => item(topic, from + i))
const level = (bids: string[][], asks: string[][] = []): string => JSON.stringify({ symbol: 'X', bids, asks })

function appended (result: AppendResult | undefined): Exclude<AppendResult, { error: string }> {
  if (result === undefined || 'error' in result) throw new Error(`not appended: ${JSON.stringify(result)}`)
  return result
}

/** Appends rounds over all topics, in batches of different sizes. Returns what was answered, in order. */
async function fill (log: Log, rounds: number): Promise<Array<{ topic: string, sequence: number, offset: number, shard: number }>> {
  const all = Array.from({ length: rounds }, (_, round) => TOPICS.map(topic => item(topic, round + 1))).flat()
  const results = []
  for (let at = 0, size = 1; at < all.length; at += size, size = size % 7 + 1) {
    const batch = all.slice(at, at + size)
    const answers = await log.append(batch)
    results.push(...answers.map((answer, i) => ({ topic: batch[i]!.topic, ...appended(answer) })))
  }
  return results
}

const sequences = (entries: readonly Entry[]): number[] => entries.map(({ sequence }) => sequence)
const range = (from: number, to: number): number[] => Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i)
const state = async (log: Log, topic: string): Promise<unknown> => {
  const snapshot = await log.snapshot(topic)
  return snapshot && JSON.parse(snapshot.payload)
}
const offsets = async (log: Log): Promise<number[]> => (await log.head()).map(({ offset }) => offset)

for (const backend of backends) {
  for (const shards of [1, 4]) {
    const suite = (name: string, body: (t: Test) => Promise<void>): void => { void test(`${backend.name}, ${shards} shards: ${name}`, body) }

    suite('an empty log', async t => {
      const { log } = await openLog(t, backend, { shards })
      t.equal(log.shards, shards)
      const heads = await log.head()
      t.equal(heads.length, shards)
      for (const { epoch, offset, epochs } of heads) {
        t.equal(offset, 0)
        t.same(epochs, [{ epoch, start: 1 }])
      }
      t.same(await log.read('quotes:NONE', { offset: 0 }, 10), { epoch: heads[log.shardOf('quotes:NONE')]!.epoch, entries: [], last: undefined, first: undefined })
      t.equal(await log.snapshot('quotes:NONE'), undefined)
      t.equal((await log.topics()).size, 0)
      t.same(await log.append([]), [])
    })

    suite('topics stay on their shard, and use every shard', async t => {
      const { log } = await openLog(t, backend, { shards })
      const { log: other } = await openLog(t, backend, { shards })
      const used = new Set(TOPICS.map(topic => log.shardOf(topic)))
      t.equal(used.size, shards)
      for (const topic of TOPICS) t.equal(other.shardOf(topic), log.shardOf(topic), 'as in another log')
      for (const { topic, shard } of await fill(log, 1)) t.equal(shard, log.shardOf(topic))
    })

    suite('sequences, offsets and previous offsets have no hole', async t => {
      const { log, clock } = await openLog(t, backend, { shards })
      const results = await fill(log, 9)
      clock.sleep(1)
      results.push(...await fill(log, 3))
      for (const shard of range(0, shards - 1)) {
        t.same(results.filter(result => result.shard === shard).map(({ offset }) => offset), range(1, (await offsets(log))[shard]!), `offsets of shard ${shard}`)
      }
      const topics = await log.topics()
      t.same([...topics.keys()].sort(), [...TOPICS].sort())
      for (const topic of TOPICS) {
        const own = results.filter(result => result.topic === topic)
        const page = await log.read(topic, { offset: 0 }, 100)
        t.same(sequences(page.entries), range(1, 12))
        t.same(page.entries.map(({ offset }) => offset), own.map(({ offset }) => offset))
        t.same(page.entries.map(({ previous }) => previous), [0, ...own.map(({ offset }) => offset)].slice(0, -1))
        t.same(page.entries.map(({ payload }) => payload), [...range(1, 9), ...range(1, 3)].map(n => `{"n":${n}}`))
        t.ok(page.entries.every(entry => entry.topic === topic && entry.shard === log.shardOf(topic) && !entry.replaces))
        t.ok(page.entries.every(({ timestamp }, i) => i === 0 || timestamp >= page.entries[i - 1]!.timestamp))
        const last = { sequence: 12, offset: own.at(-1)!.offset }
        t.same({ last: page.last, first: page.first, known: topics.get(topic) }, { last, first: 1, known: last })
      }
    })

    suite('reads by sequence and by offset, at every edge and limit', async t => {
      const { log } = await openLog(t, backend, { shards })
      await fill(log, 6)
      const all = await held(log, 'trades:SAP')
      for (const limit of [0, 1, 2, 5, 6, 100]) {
        for (const sequence of [0, 1, 5, 6, 7, Number.MAX_SAFE_INTEGER]) {
          t.same(sequences((await log.read('trades:SAP', { sequence }, limit)).entries), range(sequence + 1, Math.min(6, sequence + limit)), `${limit} after sequence ${sequence}`)
        }
        for (const offset of [0, ...all.flatMap(entry => [entry.offset - 1, entry.offset]), 1e9]) {
          const after = all.filter(entry => entry.offset > offset).slice(0, limit)
          t.same((await log.read('trades:SAP', { offset }, limit)).entries, after, `${limit} after offset ${offset}`)
        }
      }
    })

    suite('retention by count drops the oldest of a topic and nothing of its neighbours', async t => {
      const { log } = await openLog(t, backend, { shards, retention: { messages: 20 } })
      await log.append([...items('trades:QUIET', 1, 5), ...items('trades:BUSY', 1, 1)])
      const [{ offset: seen }] = await held(log, 'trades:BUSY') as [Entry]
      for (let from = 2; from <= 500; from += 10) await log.append(items('trades:BUSY', from, Math.min(500, from + 9)))
      const page = await log.read('trades:BUSY', { sequence: 0 }, 1000)
      t.same(sequences(page.entries), range(page.first!, 500), 'the newest, without a hole')
      t.ok(page.entries.length >= 20 && page.first! > 1)
      if (backend.exact !== undefined) t.equal(page.first, 481)
      t.equal(wasLost(await log.read('trades:BUSY', { offset: seen }, 1), seen), true, 'a reader from before has lost something')
      const [first] = page.entries
      t.equal(wasLost(await log.read('trades:BUSY', { offset: first!.previous }, 1), first!.previous), false, 'one who stands right before what is held has not')
      t.same(sequences(await held(log, 'trades:QUIET')), range(1, 5))
    })

    suite('quotes: the last message is the state', async t => {
      const { log } = await openLog(t, backend, { shards })
      await log.append([item('quotes:A', 1), item('quotes:A', 2), item('quotes:B', 7)])
      const snapshot = await log.snapshot('quotes:A')
      const [entry] = (await held(log, 'quotes:A')).slice(-1)
      const head = (await log.head())[entry!.shard]!
      t.same(snapshot, { topic: 'quotes:A', epoch: head.epoch, sequence: 2, timestamp: entry!.timestamp, payload: '{"n":2}', asOf: head.offset })
    })

    suite('trades have no snapshot', async t => {
      const { log } = await openLog(t, backend, { shards })
      await log.append([item('trades:A', 1)])
      t.equal(await log.snapshot('trades:A'), undefined)
    })

    suite('book: levels are folded, zero in any spelling removes, a replacement replaces', async t => {
      const { log } = await openLog(t, backend, { shards })
      const put = (payload: string, replaces = false) => log.append([{ topic: 'book:X', payload, replaces }])
      await put(level([['10', '1'], ['9', '2'], ['8', '3']], [['11', '1'], ['12', '2']]), true)
      await put(level([['9.50', '4'], ['10.0', '0.00']], [['11', '5']]))
      t.same(await state(log, 'book:X'), { symbol: 'X', bids: [['9.50', '4'], ['9', '2'], ['8', '3']], asks: [['11', '5'], ['12', '2']] })
      await put(level([['9.5', '0'], ['8', '-0.0']], [['12.00', '0.0'], ['99', '0']]))
      t.same(await state(log, 'book:X'), { symbol: 'X', bids: [['9', '2']], asks: [['11', '5']] })
      t.equal((await log.snapshot('book:X'))!.sequence, 3)
      await put(level([['1', '1']]), true)
      t.same(await state(log, 'book:X'), { symbol: 'X', bids: [['1', '1']], asks: [] })
      t.same((await held(log, 'book:X')).map(({ replaces }) => replaces), [true, false, false, true])
    })

    suite('a state outlives what it was folded from', async t => {
      const { log } = await openLog(t, backend, { shards, retention: { messages: 10 } })
      await log.append([{ topic: 'book:X', payload: level([['1000', '1']]), replaces: true }])
      for (let n = 1; n <= 300; n++) await log.append([{ topic: 'book:X', payload: level([[String(n), '1'], [String(n - 1), '0']]) }])
      t.ok((await held(log, 'book:X'))[0]!.sequence > 2, 'the first messages are gone')
      t.same(await state(log, 'book:X'), { symbol: 'X', bids: [['1000', '1'], ['300', '1']], asks: [] })
      await log.append([{ topic: 'book:X', payload: level([['1000', '0']]) }])
      t.same(await state(log, 'book:X'), { symbol: 'X', bids: [['300', '1']], asks: [] })
    })

    suite('a repeated key is answered as before and appends nothing', async t => {
      const { log } = await openLog(t, backend, { shards })
      const keyed = (topic: string, n: number, idempotencyKey: string) => item(topic, n, { idempotencyKey })
      const [first, again, other] = await log.append([keyed('trades:A', 1, 'k'), keyed('trades:A', 2, 'k'), keyed('trades:A', 3, 'other')])
      t.same(again, first, 'within a batch')
      t.equal(appended(other).sequence, 2)
      t.same(await log.append([keyed('trades:A', 4, 'k')]), [first], 'in a later one')
      t.equal(appended((await log.append([keyed('trades:B', 5, 'k')]))[0]).sequence, 1, 'another topic has keys of its own')
      t.same((await held(log, 'trades:A')).map(({ payload }) => payload), ['{"n":1}', '{"n":3}'])
      await log.append([keyed('orders@a\nb', 1, 'c')])
      t.equal(appended((await log.append([keyed('orders@a', 1, 'b\nc')]))[0]).sequence, 1, 'whatever users are called')
    })

    suite('a tail hears everything, in order, whatever other listeners do', async t => {
      const { log } = await openLog(t, backend, { shards })
      await log.append([item('trades:BEFORE', 1)])
      const start = await offsets(log)
      const heard: TailBatch[] = []
      const brief: TailBatch[] = []
      let failures = 0
      const endThrowing = await tailAll(log, () => { if (++failures === 1) throw new Error('thrown by a test: a listener that fails harms nobody') })
      const endBrief = await tailAll(log, batch => { brief.push(batch); endBrief() })
      await tailAll(log, batch => { heard.push(batch) })
      await fill(log, 4)
      await eventually('the one that fails is called again', () => failures > 1)
      endThrowing()
      await fill(log, 4)
      const total = 8 * TOPICS.length
      await eventually('all is heard', () => heard.reduce((sum, { entries }) => sum + entries.length, 0) === total)
      const heads = await log.head()
      for (const shard of range(0, shards - 1)) {
        const entries = heard.filter(batch => batch.shard === shard).flatMap(batch => batch.entries)
        t.same(entries.map(({ offset }) => offset), range(start[shard]! + 1, heads[shard]!.offset))
        t.ok(entries.every(entry => entry.shard === shard))
      }
      for (const { shard, epoch } of heard) t.same(epoch, heads[shard]!.epochs.at(-1))
      for (const topic of TOPICS) t.same(heard.flatMap(({ entries }) => entries).filter(entry => entry.topic === topic), await held(log, topic), topic)
      t.equal(brief.length, 1, 'nothing after its end')
    })

    suite('a tail begins behind the head that it answers with, and hears its shard alone until it ends', async t => {
      const { log, restart } = await openLog(t, backend, { shards })
      await fill(log, 1)
      const appending = { goesOn: true }
      const appends = (async () => {
        for (; appending.goesOn; await new Promise(resolve => { setImmediate(resolve) })) await fill(log, 1)
      })()
      const ended: Array<{ shard: number, from: number, heard: TailBatch[] }> = []
      // Some begin while another of the shard has begun already, some when none is left.
      await Promise.all(range(1, 8).map(async number => {
        const shard = number % shards
        for (let turn = 0; turn < 5; turn++) {
          const heard: TailBatch[] = []
          const { head, end } = await log.tail(shard, batch => { heard.push(batch) })
          await eventually('it has heard something', () => heard.reduce((sum, { entries }) => sum + entries.length, 0) >= number)
          end()
          ended.push({ shard, from: head.offset, heard: [...heard] })
          const length = heard.length
          await fill(log, 1)
          t.equal(heard.length, length, 'nothing after its end')
        }
      }))
      appending.goesOn = false
      await appends
      for (const { shard, from, heard } of ended) {
        const entries = heard.flatMap(batch => batch.entries)
        t.ok(heard.every(batch => batch.shard === shard) && entries.every(entry => log.shardOf(entry.topic) === shard), 'its shard alone')
        t.same(entries.map(({ offset }) => offset), range(from + 1, from + entries.length), 'from the head on, without a hole')
      }

      await restart(await offsets(log))
      const { head } = await log.tail(0, () => {})
      t.same(head, (await log.head())[0], 'and it answers with the epochs that began meanwhile')
      t.same(await log.head([shards - 1, 0]), [(await log.head())[shards - 1], (await log.head())[0]], 'some heads, in the order in which they are asked for')
      for (const shard of range(0, shards - 1)) {
        t.same([...(await log.topics(shard)).keys()].sort(), [...(await log.topics()).keys()].filter(topic => log.shardOf(topic) === shard).sort(), 'the topics of one shard')
      }
    })

    suite('what every node must hear is in one shard', async t => {
      const { log } = await openLog(t, backend, { shards })
      for (const topic of ['system', ...TOPICS.map((_, index) => `instruments:S${index}`)]) t.equal(log.shardOf(topic), COMMON_SHARD, topic)
    })

    suite('a tail that appends keeps the order for all', async t => {
      const { log } = await openLog(t, backend, { shards })
      const heard: Entry[] = []
      let more = 5
      await tailAll(log, () => { if (more-- > 0) void log.append(TOPICS.map(topic => item(topic, more))) })
      await tailAll(log, ({ entries }) => { heard.push(...entries) })
      await log.append(TOPICS.map(topic => item(topic, 9)))
      await eventually('all is heard', () => heard.length === 6 * TOPICS.length)
      for (const shard of range(0, shards - 1)) {
        t.same(heard.filter(entry => entry.shard === shard).map(({ offset }) => offset), range(1, (await offsets(log))[shard]!))
      }
    })

    suite('a restart that loses nothing begins an epoch and keeps all', async t => {
      const { log, restart } = await openLog(t, backend, { shards })
      await fill(log, 3)
      const heads = await log.head()
      const before = new Map(await Promise.all(TOPICS.map(async topic => [topic, await held(log, topic)] as const)))
      const news: TailBatch[] = []
      await tailAll(log, batch => { news.push(batch) })
      await restart(await offsets(log))
      await eventually('every shard tells', () => news.length === shards)
      const after = await log.head()
      for (const [shard, { epoch, offset, epochs }] of heads.entries()) {
        t.not(after[shard]!.epoch, epoch)
        t.same(after[shard], { epoch: after[shard]!.epoch, offset, epochs: [...epochs, { epoch: after[shard]!.epoch, start: offset + 1 }] })
        t.same(news.filter(batch => batch.shard === shard), [{ shard, epoch: after[shard]!.epochs.at(-1), entries: [] }])
      }
      for (const topic of TOPICS) t.same(await held(log, topic), before.get(topic))
      const [next] = await log.append([item('trades:SAP', 4)])
      t.equal(appended(next).sequence, 4)
    })

    suite('a restart that loses the tail gives its positions out again', async t => {
      const { log, restart } = await openLog(t, backend, { shards })
      await log.append([
        { topic: 'book:X', payload: level([['5', '1']]), replaces: true }, item('quotes:X', 1), item('trades:X', 1, { idempotencyKey: 'kept' })
      ])
      const keep = await offsets(log)
      await state(log, 'book:X')
      const lost = await log.append([
        { topic: 'book:X', payload: level([['6', '1'], ['5', '0']]) }, item('quotes:X', 2), item('trades:X', 2, { idempotencyKey: 'lost' }), item('trades:NEW', 1)
      ])
      t.same(await state(log, 'book:X'), { symbol: 'X', bids: [['6', '1']], asks: [] }, 'folded, and so in any cache')
      await restart(keep)
      t.same(await offsets(log), keep)
      t.same((await log.head()).map(({ epochs }) => epochs.at(-1)!.start), keep.map(offset => offset + 1))
      t.same(await state(log, 'book:X'), { symbol: 'X', bids: [['5', '1']], asks: [] })
      t.same(await state(log, 'quotes:X'), { n: 1 })
      t.same([...(await log.topics())].map(([topic, { sequence }]) => `${topic} ${sequence}`).sort(), ['book:X 1', 'quotes:X 1', 'trades:X 1'])
      t.equal((await log.read('trades:NEW', { offset: 0 }, 1)).last, undefined)
      const [kept, again] = await log.append([item('trades:X', 3, { idempotencyKey: 'kept' }), item('trades:X', 4, { idempotencyKey: 'lost' })])
      t.equal(appended(kept).sequence, 1, 'its key is remembered')
      t.same({ sequence: appended(again).sequence, offset: appended(again).offset }, { sequence: 2, offset: keep[appended(again).shard]! + 1 })
      t.same((await held(log, 'trades:X')).map(({ payload }) => payload), ['{"n":1}', '{"n":4}'])
      t.equal(appended(lost[2]).sequence, 2, 'as the one that was lost')
    })

    suite('two restarts, the second losing all of the epoch between', async t => {
      const { log, restart } = await openLog(t, backend, { shards })
      await fill(log, 2)
      const keep = await offsets(log)
      await restart(keep)
      await fill(log, 1)
      await restart(keep)
      for (const [shard, { epoch, offset, epochs }] of (await log.head()).entries()) {
        t.equal(offset, keep[shard])
        t.same(epochs.map(({ start }) => start), [1, offset + 1, offset + 1])
        t.equal(new Set(epochs.map(known => known.epoch)).size, 3)
        t.equal(epochs.at(-1)!.epoch, epoch)
      }
      await fill(log, 1)
      for (const topic of TOPICS) t.same(sequences(await held(log, topic)), range(1, 3))
    })

    suite('the last 32 epochs are known', async t => {
      const { log, restart } = await openLog(t, backend, { shards })
      for (let i = 0; i < 40; i++) await restart(await offsets(log))
      for (const { epochs, epoch } of await log.head()) {
        t.equal(epochs.length, 32)
        t.equal(epochs.at(-1)!.epoch, epoch)
      }
    })

    suite('a closed log takes nothing', async t => {
      const { log } = await openLog(t, backend, { shards })
      await log.append([item('trades:A', 1)])
      await log.close()
      await t.rejects(log.append([item('trades:A', 2)]), new ProtocolError('log_unavailable'))
      await t.resolves(log.close(), 'closing twice does no harm')
    })

    if (backend.exact === undefined) continue
    const { overheadBytes } = backend.exact

    suite('retention by age, also of an idle topic', async t => {
      const { log, clock } = await openLog(t, backend, { shards, retention: { seconds: 60 } })
      await log.append([item('quotes:IDLE', 1), item('trades:IDLE', 1), item('trades:IDLE', 2)])
      const [all, last] = await held(log, 'trades:IDLE') as [Entry, Entry]
      clock.sleep(59)
      t.equal((await held(log, 'trades:IDLE')).length, 2)
      await log.append([item('trades:BUSY', 1)])
      clock.sleep(1)
      const page = await log.read('trades:IDLE', { offset: last.offset }, 10)
      t.same({ ...page, epoch: 0 }, { epoch: 0, entries: [], last: { sequence: 2, offset: last.offset }, first: undefined })
      t.equal(wasLost(page, last.offset), false, 'nothing lost for who had all')
      t.equal(wasLost(await log.read('trades:IDLE', { offset: all.offset }, 10), all.offset), true, 'something for who had less')
      t.same(await state(log, 'quotes:IDLE'), { n: 1 }, 'the state stays')
      t.equal((await held(log, 'trades:BUSY')).length, 1)
      clock.sleep(86_400 * 30)
      const [next] = await log.append([item('trades:IDLE', 3)])
      t.equal(appended(next).sequence, 3, 'its sequence goes on however long it was idle')
      const after = await log.read('trades:IDLE', { offset: all.offset }, 10)
      t.same(sequences(after.entries), [3])
      t.equal(wasLost(after, all.offset), true, 'told by the previous offset')
      t.equal(wasLost(after, last.offset), false)
    })

    suite('retention by bytes drops the oldest of all topics', async t => {
      const room = 30
      const { log, clock } = await openLog(t, backend, { shards, retention: { bytes: room * (overheadBytes + '{"n":10}'.length) } })
      const topics = TOPICS.slice(0, 5)
      for (let n = 10; n < 30; n++) {
        for (const topic of topics) {
          await log.append([item(topic, n)])
          clock.sleep(0.001)
        }
      }
      for (const topic of topics) t.same(sequences(await held(log, topic)), range(15, 20), topic)
      await log.append([{ topic: 'trades:BIG', payload: `"${'x'.repeat(room * (overheadBytes + 10))}"` }])
      t.same([...(await log.topics())].length, 6)
      for (const topic of topics) t.same(await held(log, topic), [], 'one message larger than the bound leaves nothing')
    })

    suite('a key may be used again after ten minutes', async t => {
      const { log, clock } = await openLog(t, backend, { shards })
      const once = item('trades:A', 1, { idempotencyKey: 'k' })
      await log.append([once])
      clock.sleep(599.999)
      t.equal(appended((await log.append([once]))[0]).sequence, 1)
      clock.sleep(0.001)
      t.equal(appended((await log.append([once]))[0]).sequence, 2)
      t.equal(appended((await log.append([once]))[0]).sequence, 2, 'and is remembered anew')
    })

    suite('time in the log never goes back', async t => {
      const { log, clock } = await openLog(t, backend, { shards })
      const start = clock.time
      for (const step of [5, -60, 10]) {
        await log.append([item('trades:A', 1)])
        clock.sleep(step)
      }
      await log.append([item('trades:A', 1)])
      t.same((await held(log, 'trades:A')).map(({ timestamp }) => timestamp - start), [0, 5000, 5000, 5000])
    })
  }
}
