import { decodeCursor, encodeCursor } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import type { Connection } from '../../src/connection/connection.js'
import { receiveText, writer } from '../helpers/native.js'
import { makeSelector } from '../../src/hub/audience/selector.js'
import { poll } from '../../src/transports/poll/poll.js'
import { type Message, RuleFollower } from '../helpers/clients.js'
import { MemoryWire } from '../helpers/memory-wire.js'
import { type Node, startNode, ticks } from '../helpers/node.js'

/**
 * The log resets a topic without a state, of which it retains much. The client gets all of it in parts, as
 * fast as it reads.
 */

/** Messages of 4 KiB each; a slice has room for a quarter of them. */
const MESSAGES = 1000
const PAYLOAD = 4096
const MOST_AT_ONCE = 1.2 * 2 ** 20

interface Item { readonly topic: string, readonly payload: string }
const trade = (symbol: string, length = PAYLOAD): Item => ({
  topic: `trades:${symbol}`, payload: JSON.stringify({ symbol, trade_id: 'x'.repeat(length) })
})
const instrument = (symbol: string, sector: string): Item => ({ topic: `instruments:${symbol}`, payload: JSON.stringify({ symbol, sector }) })
const ask = (connection: Connection, message: object): void => {
  receiveText(connection, JSON.stringify(message))
}
const subscribe = (connection: Connection, symbols: readonly string[], options: object = {}): void => {
  ask(connection, { action: 'subscribe', channel: 'trades', symbols, ...options })
}
const lastCursor = (wire: MemoryWire): string => wire.messages.filter(({ type }) => type === 'cursor').at(-1)!['cursor'] as string

/** A wire that counts the bytes written between two reads. */
class CountedWire extends MemoryWire {
  most = 0
  private unread = 0

  override write (buffers: readonly Buffer[]): number {
    for (const { length } of buffers) this.unread += length
    this.most = Math.max(this.most, this.unread)
    return super.write(buffers)
  }

  read (): void {
    this.unread = 0
    this.stalled = false
  }
}

interface Reader {
  readonly wire: CountedWire
  readonly connection: Connection
  readonly follower: RuleFollower
}

function connect (node: Node): Reader {
  const follower = new RuleFollower()
  const wire = new CountedWire(false, message => { follower.take(message) })
  return { wire, follower, connection: node.connect(wire) }
}

/** Reads what waits to be read, and lets the server send what follows. */
async function readOnce ({ wire, connection }: Reader): Promise<void> {
  wire.read()
  connection.onDrain()
  await ticks()
}

/** Reads one write after another until nothing more comes. */
async function readAll (reader: Reader): Promise<void> {
  for (let quiet = 0; quiet < 3;) {
    const { wire } = reader
    const before = wire.messages.length
    await readOnce(reader)
    quiet = wire.messages.length === before ? quiet + 1 : 0
  }
}

const of = (messages: readonly Message[], name: string): string[] =>
  messages.flatMap(({ type, symbol, reason, sequence }) =>
    symbol !== name ? [] : type === 'reset' ? [`reset ${String(reason)}`] : sequence === undefined ? [] : [String(sequence)])
const range = (first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, index) => String(first + index))

async function fill (node: Node, symbol: string, count = MESSAGES): Promise<void> {
  for (let sent = 0; sent < count; sent += 100) {
    await node.log.append(Array.from({ length: Math.min(100, count - sent) }, () => trade(symbol)))
  }
  await ticks()
}

/** A way in which the history of A becomes pending for a live client, and the reason of its reset. */
interface Way {
  readonly name: string
  readonly reason: string
  readonly begin: (reader: Reader, node: Node) => Promise<void>
  readonly act: (node: Node, reader: Reader) => Promise<void>
}

const ways: readonly Way[] = [
  {
    name: 'its symbol enters a set',
    reason: 'entered',
    begin: async ({ connection }) => { subscribe(connection, ['@sector/x']) },
    act: async node => { await node.log.append([instrument('A', 'x')]) }
  },
  {
    name: 'one of two selectors is given up',
    reason: 'entered',
    begin: async ({ connection }) => { subscribe(connection, ['A', '*']) },
    act: async (_node, { connection }) => { ask(connection, { action: 'unsubscribe', channel: 'trades', symbols: ['A'] }) }
  },
  {
    name: 'the log begins a new epoch',
    reason: 'epoch_changed',
    begin: async ({ connection }, node) => {
      subscribe(connection, ['*'])
      await ticks()
      await node.log.append([trade('A', 1)])
    },
    act: async node => { node.log.restart([(await node.log.head())[0]!.offset - 1]) }
  }
]

async function start (t: Test, retention: object = {}): Promise<Node> {
  const node = await startNode({ retention: { messages: 10_000, ...retention }, recentBytes: 1000 })
  t.teardown(async () => { await node.close() })
  await node.log.append([instrument('A', 'y'), instrument('X', 'x')])
  return node
}

for (const { name, reason, begin, act } of ways) {
  test(`sends a live client its pending history in parts: ${name}`, async t => {
    const node = await start(t)
    await fill(node, 'A')
    const reader = connect(node)
    const { wire, follower } = reader
    await node.log.append([trade('X', 1)])
    await begin(reader, node)
    await ticks()
    wire.drips = true
    const began = wire.messages.length
    await act(node, reader)
    await ticks()
    // More of this topic and of another comes before the client has read anything of it.
    await node.log.append([trade('A', 1), trade('X', 1)])
    await ticks()
    await readAll(reader)
    wire.drips = false
    await node.log.append([trade('A', 1), trade('X', 1)])
    await ticks()
    const got = wire.messages.slice(began)
    const after = of(got, 'A').slice(of(got, 'A').findLastIndex(what => what.startsWith('reset')))
    t.same(after, [`reset ${reason}`, ...range(1, MESSAGES + 2)], 'all that the log retains, once and in order, then the messages in between, then the new ones')
    t.equal(of(got, 'A').filter(what => what.startsWith('reset')).length, 1)
    t.same(of(got, 'X').slice(-2), ['2', '3'], 'the other topic has lost nothing')
    t.same(follower.gaps, [])
    t.ok(wire.most < MOST_AT_ONCE, `at most ${wire.most} bytes waited to be read`)
    t.notOk(got.some(({ type }) => type === 'lagging'), 'it is not told that it lags')
    t.equal(got.filter(({ type }) => type === 'epoch').length, reason === 'epoch_changed' ? 1 : 0)
    if (reason === 'epoch_changed') {
      const told = got.findIndex(({ type }) => type === 'epoch')
      t.equal(of(got.slice(0, told), 'A').at(-1), String(MESSAGES), 'the epoch is announced after what it causes')
    }
    reader.connection.delivery.cursor.send()
    const again = connect(node)
    subscribe(again.connection, ['A', 'X'], { after: lastCursor(wire) })
    await ticks()
    t.same(of(again.wire.messages, 'A'), [], 'its last cursor covers all of it')
    t.same(node.errors, [])
  })
}

test('reads each of many topics that lost little in a new epoch once for all its readers', async t => {
  const node = await start(t)
  const TOPICS = 50
  const symbols = Array.from({ length: TOPICS }, (_, index) => `S${index}`)
  const batch = (): Item[] => symbols.map(symbol => trade(symbol, 10))
  await node.log.append([...batch(), ...batch()])
  await ticks()
  const readers = Array.from({ length: 20 }, () => connect(node))
  for (const { connection } of readers) subscribe(connection, ['*'])
  await ticks()
  const { offset } = (await node.log.head())[0]!
  await node.log.append(batch())
  await ticks()
  let reads = 0
  const { log } = node
  const ask = log.read.bind(log)
  log.read = async (...question) => {
    reads++
    return await ask(...question)
  }
  const began = readers.map(({ wire }) => wire.messages.length)
  node.log.restart([offset])
  await ticks(30)
  for (const [index, { wire }] of readers.entries()) {
    const got = wire.messages.slice(began[index])
    t.same(symbols.filter(symbol => of(got, symbol).join() !== 'reset epoch_changed,1,2'), [], 'all of each topic')
  }
  t.equal(reads, TOPICS)
})

test('sends a history in parts to a client that resumes from before its symbol entered a set', async t => {
  const node = await start(t)
  await fill(node, 'A')
  const { offset, epoch } = (await node.log.head())[0]!
  await node.log.append([instrument('A', 'x')])
  await ticks()
  const reader = connect(node)
  reader.wire.drips = true
  const cursor = encodeCursor({
    shards: new Map([[0, { epoch, offset }]]), lostTopics: undefined, throttled: new Set()
  })
  subscribe(reader.connection, ['@sector/x'], { after: cursor })
  await ticks()
  await node.log.append([trade('A', 1)])
  await readAll(reader)
  t.same(of(reader.wire.messages, 'A'), ['reset entered', ...range(1, MESSAGES + 1)])
  t.ok(reader.wire.most < MOST_AT_ONCE, `at most ${reader.wire.most} bytes`)
  const polled = await poll(node.hub, [makeSelector(node.hub.channels.get('trades')!, '@sector/x', undefined)], {
    start: { from: 'cursor', cursor: decodeCursor(cursor)! }, snapshots: true, writer, limit: 10, waitMs: 0, signal: new AbortController().signal
  })
  const answer = JSON.parse(polled.text) as { messages: Message[] }
  const got = of(answer.messages, 'A')
  t.equal(got[0], 'reset entered')
  t.same(got.slice(1), range(Number(got[1]), MESSAGES + 1), 'a poll gets the newest messages of it, without a hole')
  t.ok(Number(got[1]) > 1 && polled.text.length < 2.2 * 2 ** 20, `${polled.text.length} characters`)
})

test('reads no further for a client that does not read', async t => {
  const node = await start(t)
  await fill(node, 'A')
  const reader = connect(node)
  subscribe(reader.connection, ['A', '*'])
  await ticks()
  reader.wire.drips = true
  let read = 0
  const { log } = node
  const ask = log.read.bind(log)
  log.read = async (...question) => {
    const page = await ask(...question)
    read += page.entries.length
    return page
  }
  receiveText(reader.connection, JSON.stringify({ action: 'unsubscribe', channel: 'trades', symbols: ['A'] }))
  await ticks()
  await readOnce(reader)
  await ticks(50)
  t.ok(read > 0 && read <= MESSAGES / 2, `${read} of ${MESSAGES} messages were read for one slice`)
  log.read = ask
  await readAll(reader)
  t.same(of(reader.wire.messages, 'A').slice(-MESSAGES - 1), ['reset entered', ...range(1, MESSAGES)], 'it gets all of it in the end')
})

test('resets a history again that is dropped while it is being sent, and sends the rest', async t => {
  const node = await start(t, { messages: MESSAGES })
  await fill(node, 'A')
  const reader = connect(node)
  subscribe(reader.connection, ['A', '*'])
  await ticks()
  reader.wire.drips = true
  ask(reader.connection, { action: 'unsubscribe', channel: 'trades', symbols: ['A'] })
  await ticks()
  await readOnce(reader)
  await fill(node, 'A', MESSAGES - 100)
  await readAll(reader)
  const got = of(reader.wire.messages, 'A')
  const [first, second] = got.flatMap((what, index) => what.startsWith('reset') ? [index] : [])
  t.equal(got[first!], 'reset entered')
  t.same(got.slice(first! + 1, second), range(1, second! - first! - 1))
  t.equal(got[second!], 'reset lagging')
  t.same(got.slice(second! + 1), range(MESSAGES - 99, 2 * MESSAGES - 100), 'what the log retains by then, and what came since')
  t.same(reader.follower.gaps, [])
})

test('begins a history again that is lost again while it is being sent', async t => {
  const node = await start(t)
  await fill(node, 'A')
  const reader = connect(node)
  subscribe(reader.connection, ['A', '*'])
  await ticks()
  reader.wire.drips = true
  ask(reader.connection, { action: 'unsubscribe', channel: 'trades', symbols: ['A'] })
  await ticks()
  await readOnce(reader)
  // Nearly all that was sent is lost.
  node.log.restart([12])
  await node.log.append([trade('A', 1), trade('A', 1)])
  await ticks()
  await readAll(reader)
  const got = of(reader.wire.messages, 'A')
  t.same(got.slice(got.lastIndexOf('reset epoch_changed')), ['reset epoch_changed', ...range(1, 12)])
  t.same(reader.follower.gaps, [])
})
