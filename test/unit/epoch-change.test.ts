import { setTimeout as delay } from 'node:timers/promises'
import { decodeCursor } from '@tickwire/protocol'
import { test } from 'tap'
import { receiveText, subscribe } from '../helpers/native.js'
import { holdLog } from '../helpers/hold-log.js'
import { MemoryWire, topicMessages } from '../helpers/memory-wire.js'
import { startNode, ticks } from '../helpers/node.js'

/** What live subscribers get while the states of a new epoch are being read, and afterwards. */
interface Item { readonly topic: string, readonly payload: string }
const quote = (symbol: string, price: number): Item => ({
  topic: `quotes:${symbol}`,
  payload: JSON.stringify({ symbol, last: String(price) })
})
const book = (symbol: string, price: number): Item => ({
  topic: `book:${symbol}`,
  payload: JSON.stringify({ symbol, bids: [[String(price), '1']], asks: [] })
})
const data = (wire: MemoryWire): string[] => topicMessages(wire, true)
const lastCursor = (wire: MemoryWire): string =>
  wire.messages.filter(({ type }) => type === 'cursor').at(-1)!['cursor'] as string
const epochOf = (cursor: string): number => decodeCursor(cursor)!.shards.get(0)!.epoch

test('sends cursors of the old epoch until the resets of the new one have been sent', async t => {
  const node = await startNode()
  await node.log.append([quote('A', 1), quote('A', 2), quote('B', 1)])
  await ticks()
  const wire = new MemoryWire(true)
  const connection = node.connect(wire)
  subscribe(connection, 'quotes', ['A'])
  await ticks()
  subscribe(connection, 'quotes', ['B'], { throttle_ms: 20 })
  await ticks()
  for (const price of [2, 3]) {
    await node.log.append([quote('B', price), quote('A', price + 10)])
    await ticks()
  }
  const old = epochOf(lastCursor(wire))
  const release = holdLog(node.log, 'snapshot')
  node.log.restart([1])
  // Longer than the throttle: the pending message has gone out, with the cursor of its flush.
  await delay(40)
  connection.delivery.cursor.send()
  t.equal(epochOf(lastCursor(wire)), old)
  const before = data(wire).length
  release()
  await ticks()
  t.same(data(wire).slice(before).slice(0, 2), ['reset A', 'state A 1'])
  t.equal(data(wire).at(-1), 'epoch')
  t.not(epochOf(lastCursor(wire)), old, 'a cursor of the new epoch follows')
  await node.close()
})

test('announces an epoch of several shards once, after the resets of all', async t => {
  const node = await startNode({ shards: 2 })
  const symbols = ['A', 'B', 'C', 'D', 'E', 'F']
  await node.log.append(symbols.map(symbol => quote(symbol, 1)))
  await ticks()
  const wire = new MemoryWire(true)
  const connection = node.connect(wire)
  subscribe(connection, 'quotes', ['*'])
  await ticks()
  t.equal(new Set(symbols.map(symbol => node.log.shardOf(`quotes:${symbol}`))).size, 2)
  const before = data(wire).length
  node.log.restart([0, 0])
  await ticks()
  t.same(data(wire).slice(before).sort(), ['epoch', ...symbols.map(symbol => `reset ${symbol}`)])
  t.equal(data(wire).at(-1), 'epoch')
  await node.close()
})

test('sends a state again in the next epoch if it was lost while it was being read', async t => {
  const node = await startNode()
  await node.log.append([quote('A', 1), quote('A', 2), quote('A', 3)])
  await ticks()
  const wire = new MemoryWire(true)
  const connection = node.connect(wire)
  subscribe(connection, 'quotes', ['A'])
  await ticks()
  // The log reads the state of the second epoch at once, and returns it only when the third has begun.
  const release = holdLog(node.log, 'snapshot', () => true, 'answers')
  node.log.restart([1])
  await node.log.append([quote('A', 20), quote('A', 30)])
  await ticks()
  node.log.restart([1])
  await node.log.append([quote('A', 200)])
  release()
  await ticks()
  await node.log.append([quote('A', 201)])
  await ticks()
  t.same(data(wire), ['state A 3', 'reset A', 'state A 2', 'epoch', 'message A 3'])
  t.same(
    wire.messages.flatMap(({ sequence, data }) =>
      sequence === undefined ? [] : (data as { last: string }).last
    ),
    ['3', '200', '201']
  )
  await node.close()
})

test('does not reset a topic after its new state if it is born again while its reset is on its way', async t => {
  const node = await startNode()
  await node.log.append([book('A', 1)])
  await ticks()
  const first = new MemoryWire(true)
  const connection = node.connect(first)
  subscribe(connection, 'book', ['*'])
  await ticks()
  connection.onClose()
  node.log.restart([0])
  await ticks()
  await node.log.append([book('A', 1)])
  await ticks()
  const wire = new MemoryWire(true)
  subscribe(node.connect(wire), 'book', ['*'], { after: lastCursor(first) })
  await ticks()
  const before = data(wire).length
  const release = holdLog(node.log, 'snapshot', () => true, 'answers')
  node.log.restart([0])
  await node.log.append([book('A', 2)])
  await ticks()
  await node.log.append([book('A', 3)])
  release()
  await ticks()
  t.same(data(wire).slice(before).filter(text => text !== 'epoch'), ['reset A', 'state A 1', 'message A 2'])
  await node.close()
})

test('does not cut from a state that a new epoch took while nobody wanted it', async t => {
  const node = await startNode()
  await node.log.append([book('B', 1), book('B', 2), book('B', 3)])
  await ticks()
  const first = node.connect(new MemoryWire(true))
  subscribe(first, 'book', ['B'], { depth: 1 })
  await ticks()
  first.onClose()
  node.log.restart([1])
  await ticks()
  const wire = new MemoryWire(true)
  subscribe(node.connect(wire), 'book', ['B'], { depth: 1 })
  await ticks()
  await node.log.append([book('B', 2)])
  await ticks()
  t.same(data(wire), ['state B 1', 'message B 2'])
  await node.close()
})

test('does not wait for a state that a new epoch took while it was being read', async t => {
  const node = await startNode()
  await node.log.append([quote('A', 1)])
  await ticks()
  const wire = new MemoryWire(true)
  const release = holdLog(node.log, 'snapshot', () => true, 'answers')
  subscribe(node.connect(wire), 'quotes', ['A'], { throttle_ms: 10 })
  await node.log.append([quote('A', 2)])
  node.log.restart([1])
  release()
  await ticks()
  t.same(data(wire).filter(text => text !== 'epoch'), ['state A 1'])
  await node.close()
})

test('repeats the resets of a new epoch to a client that was cut among them', async t => {
  const trade = (price: number): Item => ({
    topic: 'trades:A',
    payload: JSON.stringify({ symbol: 'A', price: String(price), size: '1' })
  })
  for (const reads of ['at once', 'too slowly']) {
    const node = await startNode({ recentBytes: 1 })
    await node.log.append([trade(1), trade(2)])
    await ticks()
    const wire = new MemoryWire(false)
    const connection = node.connect(wire)
    subscribe(connection, 'trades', ['*'])
    await ticks()
    t.equal(decodeCursor(lastCursor(wire))!.shards.get(0)!.offset, 2, 'its cursor covers two')
    if (reads === 'too slowly') wire.stalled = true
    await node.log.append([trade(3)])
    await ticks()
    node.log.restart([2])
    await ticks()
    wire.stalled = false
    connection.onDrain()
    await ticks()
    const told = ['reset A', 'message A 1', 'message A 2']
    t.same(
      data(wire).filter(what => what !== 'epoch').slice(1, 4), told,
      `${reads}: the reset, then all retained messages`
    )
    const cutAt = wire.messages.findIndex(({ type }) => type === 'reset') + 1
    const kept = wire.messages.slice(0, cutAt).filter(({ type }) => type === 'cursor').at(-1)!['cursor']
    const again = new MemoryWire(false)
    subscribe(node.connect(again), 'trades', ['*'], { after: kept })
    await ticks()
    t.same(
      data(again).filter(what => what !== 'epoch').slice(0, 3), told,
      `${reads}: the same again, for a client that was cut after the reset`
    )
    await node.close()
  }
})

test('resets a topic whose state the client was sent in an earlier epoch, when it subscribes to it', async t => {
  for (const lostWhen of ['before it subscribes', 'while it subscribes', 'never'] as const) {
    const node = await startNode()
    await node.log.append([quote('A', 1), quote('B', 1), quote('A', 2)])
    await ticks()
    const wire = new MemoryWire(true)
    const connection = node.connect(wire)
    receiveText(connection, JSON.stringify({ action: 'snapshot', channel: 'quotes', symbols: ['*'] }))
    await ticks()
    if (lostWhen === 'before it subscribes') {
      node.log.restart([2])
      await ticks()
    }
    const release = holdLog(node.log, 'snapshot')
    subscribe(connection, 'quotes', ['*'])
    await ticks()
    if (lostWhen === 'while it subscribes') node.log.restart([2])
    await ticks()
    release()
    await ticks(30)
    const told = data(wire).filter(text => text.endsWith('A') || text.includes('A '))
    const expected = lostWhen === 'never'
      ? ['state A 2', 'state A 2']
      : ['state A 2', 'reset A', 'state A 1']
    t.same(told, expected, `messages are lost ${lostWhen}`)
    await node.close()
  }
})
