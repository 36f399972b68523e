import { test } from 'tap'
import { subscribe } from '../helpers/native.js'
import { until } from '../helpers/clients.js'
import { MemoryWire, topicMessages } from '../helpers/memory-wire.js'
import { startNode, ticks } from '../helpers/node.js'
import { StateFollower } from '../helpers/state-follower.js'

/** What comes to a topic while the catch-up that must send it waits for its reader. */
interface Item { readonly topic: string, readonly payload: string }
const append = (channel: string, symbol: string, count: number): Item[] =>
  Array.from({ length: count }, (_, n) => ({ topic: `${channel}:${symbol}`, payload: JSON.stringify({ symbol, last: String(n) }) }))
const instrument = (symbol: string, sector: string): Item => ({ topic: `instruments:${symbol}`, payload: JSON.stringify({ symbol, sector }) })

test('resets the topics that an epoch took from a client during its resume by sequences', async t => {
  const node = await startNode({ retention: { messages: 10_000 } })
  await node.log.append([...append('trades', 'B', 2000), ...append('trades', 'A', 10)])
  await ticks()
  const wire = new MemoryWire(true)
  const connection = node.connect(wire)
  wire.stallsAt = 'subscribed'
  subscribe(connection, 'trades', ['A', 'B'], { after: { A: 10, B: 0 }, epoch: node.hub.epochText() })
  await ticks()
  node.log.restart([2007])
  await node.log.append(append('trades', 'A', 2))
  await ticks()
  wire.stalled = false
  connection.onDrain()
  await ticks()
  t.same(topicMessages(wire).filter(text => text.includes('A')), ['reset A', ...Array.from({ length: 9 }, (_, n) => `message A ${n + 1}`)])
  await node.close()
})

test('announces a new epoch after all the resets that it causes', async t => {
  const node = await startNode()
  const quotes = Array.from({ length: 1100 }, (_, n) => append('quotes', `S${n}`, 1)).flat()
  await node.log.append(quotes)
  await ticks()
  const wire = new MemoryWire(true)
  const connection = node.connect(wire)
  wire.drips = true
  subscribe(connection, 'quotes', ['*'])
  // A busy machine makes more than two slices of the states.
  await until('all states were sent, and the client is not live yet', () => {
    const sent = topicMessages(wire).length
    if (wire.stalled && sent > 0 && sent < 1100) {
      wire.stalled = false
      connection.onDrain()
    }
    return sent === 1100
  })
  node.log.restart([0])
  await node.log.append(quotes)
  await ticks()
  wire.drips = wire.stalled = false
  connection.onDrain()
  const told = (): string[] => wire.messages.map(({ type }) => type)
  await until('the client learns the epoch', () => told().includes('epoch'))
  await ticks()
  const types = told()
  t.equal(types.filter(type => type === 'reset').length, 1100)
  t.equal(types.filter(type => type === 'epoch').length, 1)
  t.ok(types.lastIndexOf('reset') < types.indexOf('epoch'))
  await node.close()
})

test('joins a throttled topic by its state after its newest messages, even if no snapshot was asked for', async t => {
  const node = await startNode()
  await node.log.append(append('quotes', 'A', 2))
  await ticks()
  const follower = new StateFollower()
  const wire = new MemoryWire(true, message => { follower.take(message) })
  const connection = node.connect(wire)
  wire.stallsAt = 'subscribed'
  subscribe(connection, 'quotes', ['A'], { last: 1, throttle_ms: 10, snapshot: false })
  await ticks()
  await node.log.append(append('quotes', 'A', 1))
  await ticks()
  wire.stalled = false
  connection.onDrain()
  await ticks()
  await node.log.append(append('quotes', 'A', 1))
  await ticks()
  t.same(topicMessages(wire), ['message A 2', 'state A 3', 'message A 4'])
  await node.close()
})

test('adds a topic that leaves its live set to the subscription that is on its way', async t => {
  for (const options of [{}, { throttle_ms: 10 }]) {
    const node = await startNode()
    await node.log.append([instrument('B', 'y'), ...append('quotes', 'B', 1), ...append('quotes', 'Q', 1)])
    await ticks()
    const follower = new StateFollower()
    const wire = new MemoryWire(true, message => { follower.take(message) })
    const connection = node.connect(wire)
    subscribe(connection, 'quotes', ['@sector/y'])
    await ticks()
    wire.stallsAt = 'subscribed'
    subscribe(connection, 'quotes', ['B', 'Q'], { ...options, last: 1 })
    await ticks()
    for (const items of [append('quotes', 'B', 1), [instrument('B', 'x')], append('quotes', 'B', 1)]) {
      await node.log.append(items)
      await ticks()
    }
    wire.stalled = false
    connection.onDrain()
    await ticks()
    await node.log.append(append('quotes', 'B', 1))
    await ticks()
    t.same(topicMessages(wire).filter(text => text.includes('B')), ['state B 1', 'message B 2', 'reset B', 'state B 3', 'message B 4'])
    await node.close()
  }
})
