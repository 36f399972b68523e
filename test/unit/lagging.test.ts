import { decodeCursor } from '@tickwire/protocol'
import { test } from 'tap'
import type { Connection } from '../../src/connection/connection.js'
import { receiveText } from '../helpers/native.js'
import { type Message, RuleFollower } from '../helpers/clients.js'
import { holdLog } from '../helpers/hold-log.js'
import { MemoryWire } from '../helpers/memory-wire.js'
import { type Node, type NodeOptions, startNode, ticks } from '../helpers/node.js'

/** PROTOCOL.md, Control, `lagging`: a client that reads too slowly is caught up from the log. */
interface Item { readonly topic: string, readonly payload: string }
const items = (channel: string, symbol: string, count: number): Item[] =>
  Array.from({ length: count }, (_, n) => ({ topic: `${channel}:${symbol}`, payload: JSON.stringify({ symbol, last: String(n) }) }))
const instrument = (symbol: string, sector: string): Item => ({ topic: `instruments:${symbol}`, payload: JSON.stringify({ symbol, sector }) })

/** A client whose wire stands still until it is read. */
class Client {
  readonly follower = new RuleFollower()
  readonly wire: MemoryWire
  readonly connection: Connection

  constructor (node: Node) {
    this.wire = new MemoryWire(true, message => { this.follower.take(message) })
    this.connection = node.connect(this.wire)
  }

  say (message: object): void {
    receiveText(this.connection, JSON.stringify(message))
  }

  async subscribe (channel: string, symbols: readonly string[], options: object = {}): Promise<void> {
    this.say({ action: 'subscribe', channel, symbols, ...options })
    await ticks()
  }

  async read (): Promise<void> {
    this.wire.stalled = false
    this.connection.onDrain()
    await ticks(30)
  }

  of (type: string): Message[] {
    return this.wire.messages.filter(message => message.type === type)
  }

  /** What came of topics, in short words. */
  get data (): string[] {
    return this.wire.messages.flatMap(({ type, symbol, sequence, snapshot, reason }) =>
      type === 'reset' ? `reset ${symbol} ${String(reason)}` : sequence === undefined ? [] : `${snapshot === true ? 'state' : 'message'} ${symbol} ${sequence}`)
  }
}

async function append (node: Node, ...appended: readonly Item[]): Promise<void> {
  await node.log.append([...appended])
  await ticks()
}

const sequences = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, n) => `message A ${from + n}`)

/** Starts a node, and a client that lags: the server wrote it one trade of `A` that it has not read. */
async function lagging (options: NodeOptions = {}): Promise<{ node: Node, client: Client }> {
  const node = await startNode(options)
  await append(node, ...items('trades', 'A', 1))
  const client = new Client(node)
  await client.subscribe('trades', ['A', 'B'])
  client.wire.stalled = true
  await append(node, ...items('trades', 'A', 1))
  return { node, client }
}

test('tells a client once that it lags, spends nothing on it meanwhile, and tells it the end', async t => {
  const { node, client } = await lagging()
  const { lagging: now, lags } = node.hub.counters.transport('memory')
  t.same([now, lags, node.hub.audience.size], [1, 1, 0])
  t.same(client.wire.messages.at(-1), { type: 'lagging', behind: 1 }, 'the last message')
  const { writes } = client.wire
  for (let n = 0; n < 20; n++) await append(node, ...items('trades', 'A', 100))
  t.equal(client.wire.writes, writes, 'nothing is written')
  await client.read()
  await append(node, ...items('trades', 'A', 1))
  t.same(client.data, sequences(2, 2003), 'each once, in order')
  t.same(client.of('lagging').map(({ behind }) => behind), [1, 0])
  t.same(node.hub.counters.transport('memory').lagging, 0)
  t.same(client.follower.resets, [])
  await node.close()
})

test('covers in its cursors what was written, and no more', async t => {
  for (const recentBytes of [1 << 20, 900]) {
    const { node, client } = await lagging({ shards: 3, recentBytes, pageMessages: 10 })
    client.wire.drips = true
    await append(node, ...items('trades', 'A', 50), ...items('trades', 'B', 50))
    const shards = { A: node.log.shardOf('trades:A'), B: node.log.shardOf('trades:B') }
    const page = new Map<string, number>()
    for (const [topic] of await node.log.topics()) {
      for (const { offset, sequence } of (await node.log.read(topic, { sequence: 0 }, 1000)).entries) page.set(`${topic.slice(-1)} ${sequence}`, offset)
    }
    let cursors = 0
    while (client.of('lagging').length < 2) {
      await client.read()
      const sent = { A: 0, B: 0 }
      for (const { type, symbol, sequence, cursor } of client.wire.messages) {
        if (sequence !== undefined) sent[symbol as 'A' | 'B'] = sequence
        if (type !== 'cursor') continue
        cursors++
        const positions = decodeCursor(cursor as string)!.shards
        for (const name of ['A', 'B'] as const) {
          const next = page.get(`${name} ${sent[name] + 1}`) ?? Infinity
          if (positions.get(shards[name])!.offset >= next && sent[name] > 0) t.fail(`a cursor covers ${name} ${sent[name] + 1}`)
        }
      }
    }
    t.ok(cursors > 10)
    t.same(client.data.filter(text => text.includes(' A ')), sequences(2, 52))
    t.same(client.data.filter(text => text.includes(' B ')).length, 50)
    await node.close()
  }
})

test('lets a client lag again as often as it must', async t => {
  const { node, client } = await lagging({ pageMessages: 10 })
  for (let round = 0; round < 5; round++) {
    await append(node, ...items('trades', 'A', 25))
    await client.read()
    client.wire.stalled = true
    await append(node, ...items('trades', 'A', 1))
  }
  await client.read()
  t.same(client.data, sequences(2, 2 + 5 * 26))
  t.same(client.of('lagging').map(({ behind }) => behind === 0), Array.from({ length: 12 }, (_, n) => n % 2 === 1))
  t.equal(node.hub.counters.transport('memory').lags, 6)
  await node.close()
})

test('sends throttled topics by their state when the client is live again, and the others by every message', async t => {
  const { node, client } = await lagging()
  await client.read()
  await client.subscribe('quotes', ['Q'], { throttle_ms: 10 })
  await client.subscribe('book', ['K'], { depth: 1 })
  const book = (price: number): Item => ({ topic: 'book:K', payload: JSON.stringify({ symbol: 'K', bids: [[String(price), '1']], asks: [] }) })
  await append(node, ...items('quotes', 'Q', 1), book(1))
  const before = client.data.length
  client.wire.stalled = true
  await append(node, ...items('trades', 'A', 1))
  await append(node, ...items('quotes', 'Q', 50), book(2), book(3), ...items('trades', 'A', 2))
  t.match(client.of('lagging').at(-1), { behind: 1 })
  await client.read()
  t.same(client.data.slice(before).sort(), ['message A 3', 'message A 4', 'message A 5', 'state K 3', 'state Q 51'])
  t.same(client.of('book').at(-1)!.data, { symbol: 'K', bids: [['3', '1']], asks: [] })
  await append(node, book(4))
  t.equal(client.data.at(-1), 'message K 4')
  t.same(client.follower.gaps, [])
  await node.close()
})

test('resets what retention dropped meanwhile, with its state or its retained messages, and continues the others', async t => {
  const node = await startNode({ retention: { messages: 20 }, recentBytes: 900 })
  await append(node, ...items('trades', 'A', 1), ...items('trades', 'B', 1), ...items('quotes', 'Q', 1))
  const client = new Client(node)
  await client.subscribe('trades', ['A', 'B'])
  await client.subscribe('quotes', ['Q'])
  client.wire.stalled = true
  await append(node, ...items('trades', 'A', 1))
  for (let n = 0; n < 10; n++) await append(node, ...items('trades', 'A', 10), ...items('trades', 'B', 1), ...items('quotes', 'Q', 10))
  const before = client.data.length
  await client.read()
  const after = client.data.slice(before)
  t.same(after.filter(text => text.includes(' A ')), ['reset A lagging', ...sequences(83, 102)])
  t.same(after.filter(text => text.includes(' Q ')), ['reset Q lagging', 'state Q 101'])
  t.same(after.filter(text => text.includes(' B ')), Array.from({ length: 10 }, (_, n) => `message B ${n + 2}`))
  t.equal(node.hub.counters.resets.lagging, 2)
  t.same(client.follower.gaps, [])
  await node.close()
})

test('tells a lagging client of a new epoch if it lost nothing, and resets what it lost', async t => {
  for (const lost of [0, 1]) {
    const { node, client } = await lagging()
    await append(node, ...items('trades', 'A', 5))
    const [head] = await node.log.head()
    node.log.restart([lost === 0 ? 4 : 1])
    await ticks()
    await append(node, ...items('trades', 'A', 2))
    const before = client.data.length
    t.equal(client.of('epoch').length, 0)
    await client.read()
    t.same(client.data.slice(before), lost === 0 ? sequences(3, 6) : ['reset A epoch_changed', 'reset B epoch_changed', ...sequences(1, 3)], `head ${head!.offset}`)
    t.same(client.of('epoch').length, 1)
    t.same(client.of('lagging').map(({ behind }) => behind), [1, 0])
    t.same(client.follower.gaps, [])
    await node.close()
  }
})

test('performs unsubscribe and auth at once for a lagging client, and later actions once it has caught up', async t => {
  const node = await startNode({ pageMessages: 10 })
  await append(node, ...items('trades', 'A', 1), ...items('quotes', 'Q', 1))
  const client = new Client(node)
  await client.subscribe('trades', ['A'])
  await client.subscribe('trades', ['*'])
  client.wire.stalled = true
  await append(node, ...items('trades', 'A', 1))
  await append(node, ...items('trades', 'A', 30), ...items('trades', 'B', 30))
  client.wire.drips = true
  client.say({ action: 'unsubscribe', id: 'first', channel: 'trades', symbols: ['*'] })
  client.say({ action: 'auth', id: 'token', token: 'any' })
  client.say({ action: 'snapshot', id: 'state', channel: 'quotes', symbols: ['Q'] })
  client.say({ action: 'subscribe', id: 'more', channel: 'quotes', symbols: ['Q'] })
  client.say({ action: 'unsubscribe', id: 'last', channel: 'trades', symbols: ['A'] })
  t.equal(client.of('unsubscribed').length, 0, 'nothing is answered before it is read')
  for (let n = 0; n < 30; n++) await client.read()
  const at = (type: string, id?: string): number => client.wire.messages.findIndex(message => message.type === type && (id === undefined || message['id'] === id))
  const end = client.wire.messages.findIndex(({ type, behind }) => type === 'lagging' && behind === 0)
  const order = [at('unsubscribed', 'first'), at('authenticated', 'token'), end, at('done', 'state'), at('subscribed', 'more'), at('unsubscribed', 'last')]
  t.ok(order.every((place, index) => place > (order[index - 1] ?? 0)), String(order))
  t.equal(client.data.filter(text => text.includes(' B ')).length, 0, 'a topic that is not wanted any more is not sent')
  const anew = client.data.indexOf('reset A entered')
  t.same(client.data.slice(anew + 1).filter(text => text.startsWith('message A')), sequences(1, 32), 'what another selector covers begins again')
  t.same(client.follower.gaps, [])
  await node.close()
})

test('catches up both what was live and a subscribe on its way, and sends nothing twice', async t => {
  const node = await startNode({ pageMessages: 10, recentBytes: 900 })
  await append(node, ...items('trades', 'B', 100))
  const epoch = node.hub.epochText()
  const client = new Client(node)
  await client.subscribe('trades', ['A'])
  client.wire.drips = true
  client.say({ action: 'subscribe', channel: 'trades', symbols: ['B'], after: { B: 0 }, epoch })
  for (let n = 0; n < 60; n++) {
    if (n < 20) await append(node, ...items('trades', 'A', 1))
    await client.read()
  }
  t.same(client.data.filter(text => text.includes(' A ')), sequences(1, 20))
  t.same(client.data.filter(text => text.includes(' B ')), Array.from({ length: 100 }, (_, n) => `message B ${n + 1}`))
  t.ok(node.hub.counters.transport('memory').lags > 0)
  t.equal(node.hub.counters.transport('memory').lagging, 0)
  await node.close()
})

test('follows symbols that move between sets while the client lags', async t => {
  const node = await startNode()
  await append(node, instrument('A', 'x'), instrument('B', 'y'), ...items('quotes', 'A', 1), ...items('quotes', 'B', 1))
  const client = new Client(node)
  await client.subscribe('quotes', ['@sector/x'])
  client.wire.stalled = true
  await append(node, ...items('quotes', 'A', 1))
  await append(node, instrument('A', 'z'), instrument('B', 'x'))
  await append(node, ...items('quotes', 'A', 1), ...items('quotes', 'B', 1))
  await client.read()
  await append(node, ...items('quotes', 'A', 1), ...items('quotes', 'B', 1))
  t.same(client.data, ['state A 1', 'message A 2', 'reset B entered', 'state B 2', 'message B 3'])
  await node.close()
})

test('leaves nothing behind of a lagging client that goes, whatever it waited for', async t => {
  for (const where of ['unread', 'reading']) {
    const { node, client } = await lagging({ recentBytes: 900 })
    await append(node, ...items('trades', 'A', 100))
    const release = holdLog(node.log, 'read')
    if (where === 'reading') await client.read()
    client.connection.onClose()
    release()
    await ticks()
    const { lagging: left } = node.hub.counters.transport('memory')
    t.same([node.hub.audience.size, node.hub.counters.subscriptions, left], [0, 0, 0], where)
    t.same(node.errors, [])
    await node.close()
  }
})

test('closes a lagging client if the log cannot be read', async t => {
  const { node, client } = await lagging({ recentBytes: 900 })
  await append(node, ...items('trades', 'A', 100))
  node.log.read = async () => { throw new Error('broken') }
  await client.read()
  t.equal(client.wire.closedWith?.code, 'internal')
  t.equal(node.errors.length, 1)
  client.connection.onClose()
  t.equal(node.hub.counters.transport('memory').lagging, 0)
  await node.close()
})
