import type { Socket } from 'node:net'
import { standardChannels } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import type { LocalLink } from '../../src/local/local-link.js'
import { batchText, parseBatch } from '../../src/log/batch-text.js'
import type { Entry, Retention, TailBatch } from '../../src/log/log.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { eventually } from '../helpers/eventually.js'
import { serveLocally } from '../helpers/local-server.js'

/** A log over a socket while the socket is lost, and while its reader does not read. */

const AMPLE: Retention = { messages: 100_000, seconds: 3600, bytes: 1 << 28 }
const TOPICS = ['trades:A', 'trades:B', 'quotes:A']

async function start (t: Test, retention: Partial<Retention> = {}, recentBytes = 1 << 26) {
  const bounds = { retention: { ...AMPLE, ...retention }, maxTopics: 10 }
  const held = new MemoryLog({ channels: standardChannels, ...bounds })
  const served = await serveLocally(held, recentBytes)
  const reader = await served.join()
  t.teardown(async () => {
    await reader.log.close()
    await served.close()
  })
  return { held, served, ...reader }
}

/** The socket under a link, which nothing but a test needs. */
const socketOf = (link: LocalLink): Socket => (link as unknown as { socket: Socket }).socket

const fill = async (log: Pick<MemoryLog, 'append'>, count: number, size = 10): Promise<void> => {
  const payload = JSON.stringify({ text: 'x'.repeat(size) })
  for (let n = 0; n < count; n++) await log.append(TOPICS.map(topic => ({ topic, payload })))
}

const offsetsOf = (batches: readonly TailBatch[]): number[] =>
  batches.flatMap(({ entries }) => entries.map(({ offset }) => offset))
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1)

test('a tail goes on exactly where its socket was lost', async t => {
  const { held, link, log } = await start(t)
  const heard: TailBatch[] = []
  await log.tail(0, batch => { heard.push(batch) })
  for (let turn = 0; turn < 5; turn++) {
    await fill(held, 20)
    socketOf(link).destroy()
    await fill(held, 20)
    await eventually('the link is back', async () => await log.head().then(() => true, () => false))
  }
  const total = 5 * 40 * TOPICS.length
  await eventually('all has come', () => offsetsOf(heard).length >= total)
  t.same(offsetsOf(heard), upTo(total))
  t.ok(heard.every(({ hole }) => hole === undefined), 'all of it was at hand')
})

test('a tail whose socket was lost for too long says which topics lost messages', async t => {
  const { held, link, log } = await start(t, { messages: 5 }, 1)
  const heard: TailBatch[] = []
  await log.tail(0, batch => { heard.push(batch) })
  socketOf(link).destroy()
  // More than a slab, so that none of it is kept as it was sent.
  await fill(held, 400, 2000)
  await eventually('it goes on', () => heard.some(({ entries }) => entries.at(-1)?.offset === 400 * TOPICS.length))
  const holes = heard.filter(({ hole }) => hole !== undefined)
  t.equal(holes.length, 1)
  t.same([...holes[0]!.hole!.lost].sort(), [...TOPICS].sort())
  const retained = offsetsOf(heard)
  t.same(retained, [...retained].sort((a, b) => a - b), 'in order')
})

test('a reader that does not read is cut, costs a bounded amount, and then gets everything', { timeout: 60_000 }, async t => {
  const { held, served, link, log } = await start(t)
  const other = await served.join()
  t.teardown(() => other.log.close())
  const heard: TailBatch[] = []
  await log.tail(0, batch => { heard.push(batch) })
  const socket = socketOf(link)
  socket.pause()
  let count = 0
  for (; !socket.destroyed && count < 1000; count++) {
    await fill(other.log, 1, 20_000)
    // Others are served meanwhile.
    t.equal((await other.log.head())[0]!.offset, (count + 1) * TOPICS.length)
    if (count === 600) socket.resume()
  }
  await eventually('it has everything', () => offsetsOf(heard).length >= count * TOPICS.length)
  t.not(socketOf(link), socket, 'over another socket')
  t.same(offsetsOf(heard), upTo(count * TOPICS.length))
  t.ok((await held.head())[0]!.offset > 0)
})

test('an append whose answer is lost is refused, and may have been taken', async t => {
  const { held, link, log } = await start(t)
  const appended = log.append([{ topic: 'trades:A', payload: '{}' }])
  setImmediate(() => { setImmediate(() => { socketOf(link).destroy() }) })
  const refusal = await appended.then(() => undefined, (error: { code: string }) => error.code)
  t.ok(refusal === undefined || refusal === 'log_unavailable', String(refusal))
  await eventually('the link is back', async () => await log.head().then(() => true, () => false))
  t.ok((await held.head())[0]!.offset <= 1)
})

test('a batch is read as it was written', t => {
  const epoch = { epoch: 7, start: 3 }
  const entry = (
    offset: number, topic: string, sequence: number, previous: number, replaces = false
  ): Entry => {
    const payload = `{"n":${offset},"삼성":"전자"}`
    return { topic, shard: 2, offset, sequence, previous, timestamp: 5, payload, replaces }
  }
  const entries = [
    entry(4, 'a:1', 2, 1), entry(5, 'b:\u0001', 1, 0, true), entry(6, 'a:1', 3, 4), entry(7, 'a:1', 4, 6, true)
  ]
  t.same(parseBatch(2, batchText(epoch, entries)), { epoch, entries })
  t.same(parseBatch(2, batchText(epoch, [])), { epoch, entries: [] })
  t.end()
})
