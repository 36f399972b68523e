import { decodeCursor, decodeEpoch } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import type { Connection } from '../../src/connection/connection.js'
import { receiveText } from '../helpers/native.js'
import { COMMON_SHARD } from '../../src/log/log.js'
import { type Message, until } from '../helpers/clients.js'
import { holdLog } from '../helpers/hold-log.js'
import { MemoryWire } from '../helpers/memory-wire.js'
import { type Node, startNode, ticks } from '../helpers/node.js'
import { Choices } from '../helpers/random.js'
import { slowDown } from '../helpers/slow-log.js'

/** What a node does with shards that nobody needs. */
const SHARDS = 4
const LINGER_MS = 5

async function start (t: Test): Promise<Node> {
  const node = await startNode({ shards: SHARDS, lingerMs: LINGER_MS })
  t.teardown(() => node.close())
  return node
}

/** Returns the first symbol whose topic is in a shard. */
function symbolIn (node: Node, channel: string, shard: number): string {
  for (let n = 0; ; n++) if (node.log.shardOf(`${channel}:S${n}`) === shard) return `S${n}`
}

const followed = ({ hub }: Node): number[] =>
  [...hub.shards.keys()].filter(shard => hub.shards[shard]!.isAwake)
const slept = (node: Node): Promise<void> =>
  until('the others sleep', () => followed(node).join() === String(COMMON_SHARD))

function open (node: Node): { wire: MemoryWire, connection: Connection, say: (message: object) => void } {
  const wire = new MemoryWire(true)
  const connection = node.connect(wire)
  return { wire, connection, say: message => { receiveText(connection, JSON.stringify(message)) } }
}

const ofType = ({ messages }: MemoryWire, type: string): Message[] =>
  messages.filter(message => message.type === type)
const lastCursor = (wire: MemoryWire): string => ofType(wire, 'cursor').at(-1)!['cursor'] as string
const shardsOf = (cursor: string): number[] => [...decodeCursor(cursor)!.shards.keys()]

test('follows the shards of its clients, and names exactly those in their cursors', async t => {
  const node = await start(t)
  t.same(followed(node), [COMMON_SHARD])
  const { wire, connection, say } = open(node)
  say({ action: 'subscribe', channel: 'trades', symbols: [symbolIn(node, 'trades', 2)] })
  await ticks()
  t.same([followed(node), shardsOf(lastCursor(wire))], [[0, 2], [0, 2]])
  say({ action: 'subscribe', channel: 'trades', symbols: [symbolIn(node, 'trades', 3)] })
  await ticks()
  t.same(shardsOf(lastCursor(wire)), [0, 2, 3])
  say({ action: 'unsubscribe', channel: 'trades', symbols: [symbolIn(node, 'trades', 2)] })
  await until('the shard sleeps', () => followed(node).join() === '0,3')
  await node.log.append([
    { topic: `trades:${symbolIn(node, 'trades', 3)}`, payload: '{}' },
    { topic: `trades:${symbolIn(node, 'trades', 2)}`, payload: '{}' }
  ])
  await ticks()
  t.same(shardsOf(lastCursor(wire)), [0, 3])
  t.equal(node.hub.counters.received, 1, 'the node hears nothing of a sleeping shard')
  say({ action: 'subscribe', channel: 'trades', symbols: ['*'] })
  await ticks()
  t.same(
    [followed(node), shardsOf(lastCursor(wire))],
    [
      [0, 1, 2, 3],
      [0, 1, 2, 3]
    ],
    'a client that wants all shards gets all'
  )
  connection.onClose()
  await slept(node)
})

test('announces an epoch that begins in a sleeping shard to all clients, and resets nothing', async t => {
  const node = await start(t)
  const before = node.hub.epochText()
  const { wire, say } = open(node)
  const { wire: other, say: sayOther } = open(node)
  const symbol = symbolIn(node, 'trades', 2)
  await node.log.append([{ topic: `trades:${symbol}`, payload: '{}' }])
  say({ action: 'subscribe', channel: 'trades', symbols: [symbol] })
  await ticks()
  // The second client learns it from its catch-up, which waits for the log meanwhile.
  const release = holdLog(node.log, 'read')
  sayOther({ action: 'subscribe', channel: 'trades', symbols: [symbol], last: 1 })
  await ticks()
  const [offsets] = [(await node.log.head()).map(({ offset }) => offset)]
  node.log.restart(offsets)
  release()
  const isTold = (one: MemoryWire): boolean => {
    const last = ofType(one, 'epoch').at(-1)
    if (last === undefined) return false
    return decodeEpoch(last['epoch'] as string)!.every(
      (epoch, shard) => epoch !== decodeEpoch(before)![shard]
    )
  }
  await until('both clients learn it', () => [wire, other].every(isTold))
  const heads = await node.log.head()
  for (const one of [wire, other]) {
    t.same(
      decodeEpoch(ofType(one, 'epoch').at(-1)!['epoch'] as string),
      heads.map(({ epoch }) => epoch),
      'the epochs of all shards, as in the log'
    )
    t.same(ofType(one, 'reset'), [])
  }
  t.same(followed(node), [0, 2], 'the node did not have to follow the other shards for it')
  await node.log.append([{ topic: `trades:${symbol}`, payload: '{}' }])
  await until('both clients go on', () =>
    [wire, other].every(one => ofType(one, 'trade').at(-1)?.sequence === 2)
  )
  t.same(node.errors, [])
})

test('sends what a shard came to while it slept, also as part of a book', async t => {
  const node = await start(t)
  const symbol = symbolIn(node, 'book', 1)
  const change = (bids: string[][], replaces = false): Promise<unknown> =>
    node.log.append([
      { topic: `book:${symbol}`, payload: JSON.stringify({ symbol, bids, asks: [] }), replaces }
    ])
  await change([['10', '1'], ['9', '1']], true)
  const { wire, say } = open(node)
  const books = (): unknown[] =>
    ofType(wire, 'book').map(({ snapshot = false, sequence, data }) => [
      snapshot,
      sequence,
      (data as { bids: unknown }).bids
    ])
  say({ action: 'subscribe', channel: 'book', symbols: [symbol], depth: 1 })
  await ticks()
  await change([['11', '1']])
  await ticks()
  t.same(books(), [[true, 1, [['10', '1']]], [false, 2, [['11', '1'], ['10', '0']]]])
  say({ action: 'unsubscribe', channel: 'book', symbols: [symbol] })
  await slept(node)
  await change([['12', '1']])
  say({ action: 'subscribe', channel: 'book', symbols: [symbol], depth: 1 })
  await ticks()
  await change([['12', '0']])
  await ticks()
  t.same(books().slice(2), [[true, 3, [['12', '1']]], [false, 4, [['12', '0'], ['11', '1']]]])
  t.same(node.errors, [])
})

test('answers log_unavailable to a client that needs a shard which cannot be followed, and no other client notices', async t => {
  const node = await start(t)
  const { wire, say } = open(node)
  const [mine, others] = [symbolIn(node, 'trades', 1), symbolIn(node, 'trades', 2)]
  say({ action: 'subscribe', channel: 'trades', symbols: [mine] })
  await ticks()
  const slow = slowDown(node.log, new Choices(1), 0)
  slow.failures = 1
  say({ action: 'subscribe', id: 1, channel: 'trades', symbols: [others] })
  say({ action: 'snapshot', id: 2, channel: 'quotes', symbols: [symbolIn(node, 'quotes', 3)] })
  await until('both requests are answered', () => ofType(wire, 'error').length === 2)
  t.match(ofType(wire, 'error'), [{ id: 1, code: 'log_unavailable' }, { id: 2, code: 'log_unavailable' }])
  await node.log.append([{ topic: `trades:${mine}`, payload: '{}' }])
  await until('its other subscription goes on', () => ofType(wire, 'trade').length === 1)
  slow.failures = 0
  say({ action: 'subscribe', id: 3, channel: 'trades', symbols: [others] })
  await until('it is subscribed', () => ofType(wire, 'subscribed').length === 2)
  t.same([followed(node), slow.begun, node.errors], [[0, 1, 2], 1, []])
})

test('looks a topic of a sleeping shard up in the log once', async t => {
  const node = await start(t)
  const [known, unknown] = [`trades:${symbolIn(node, 'trades', 2)}`, `trades:${symbolIn(node, 'trades', 3)}`]
  await node.log.append([{ topic: known, payload: '{}' }])
  let reads = 0
  const read = node.log.read.bind(node.log)
  node.log.read = async (...question) => { reads++; return await read(...question) }
  t.same([await node.hub.hasTopic(known), await node.hub.hasTopic(known), reads], [true, true, 1])
  t.same(
    [await node.hub.hasTopic(unknown), await node.hub.hasTopic(unknown), reads],
    [false, false, 3],
    'an unknown topic may come any time, so it is looked up again'
  )
  t.same(followed(node), [COMMON_SHARD])
  const { say } = open(node)
  say({ action: 'subscribe', channel: 'trades', symbols: ['*'] })
  await ticks()
  reads = 0
  t.same([await node.hub.hasTopic(known), await node.hub.hasTopic(unknown), reads], [true, false, 0])
})
