import { test } from 'tap'
import type { Connection } from '../../src/connection/connection.js'
import { receiveText } from '../helpers/native.js'
import type { Message } from '../helpers/clients.js'
import { holdLog } from '../helpers/hold-log.js'
import { MemoryWire, topicMessages } from '../helpers/memory-wire.js'
import { startNode, ticks } from '../helpers/node.js'

/** Symbols that change their sets, and what happens while their states are being read. */
const instrument = (symbol: string, sector: string): { topic: string, payload: string } =>
  ({ topic: `instruments:${symbol}`, payload: JSON.stringify({ symbol, sector }) })
const book = (symbol: string, price: number): { topic: string, payload: string } =>
  ({ topic: `book:${symbol}`, payload: JSON.stringify({ symbol, bids: [[String(price), '1']], asks: [] }) })
const subscribe = (connection: Connection, channel: string, symbol: string, options: object = {}): void => {
  receiveText(connection, JSON.stringify({ action: 'subscribe', channel, symbols: [symbol], ...options }))
}
const lastCursor = (messages: readonly Message[]): string =>
  messages.filter(({ type }) => type === 'cursor').at(-1)!['cursor'] as string

test('continues a book cut, from its cut state, when its symbol leaves the set that wanted it whole', async t => {
  const node = await startNode()
  await node.log.append([instrument('B', 'y'), book('B', 1), book('B', 2)])
  await ticks()
  const wire = new MemoryWire(true)
  const connection = node.connect(wire)
  subscribe(connection, 'book', '@sector/y')
  await ticks()
  subscribe(connection, 'book', 'B', { depth: 1 })
  await ticks()
  await node.log.append([instrument('B', 'x')])
  await ticks()
  await node.log.append([book('B', 3)])
  await ticks()
  t.same(topicMessages(wire), ['state B 2', 'state B 2', 'message B 3'])
  t.same((wire.messages.filter(({ sequence }) => sequence === 2).at(-1)!.data as { bids: unknown[] }).bids, [
    ['2', '1']
  ])
  await node.close()
})

test('sends the state of a symbol to a client that joins a set while the symbol enters it', async t => {
  const node = await startNode()
  await node.log.append([
    instrument('B', 'y'),
    instrument('X', 'x'),
    book('B', 1),
    { topic: 'quotes:B', payload: '{"symbol":"B"}' }
  ])
  await ticks()
  subscribe(node.connect(new MemoryWire(true)), 'quotes', '@sector/x')
  await ticks()
  const release = holdLog(node.log, 'snapshot', topic => topic === 'quotes:B')
  await node.log.append([instrument('B', 'x')])
  await ticks()
  const wire = new MemoryWire(true)
  subscribe(node.connect(wire), 'book', '@sector/x', { depth: 1 })
  await ticks()
  release()
  await ticks()
  await node.log.append([book('B', 2)])
  await ticks()
  t.same(topicMessages(wire), ['reset B', 'state B 1', 'message B 2'])
  t.same(node.errors, [])
  await node.close()
})

test('flushes a pending throttled message once before its symbol changes its sets', async t => {
  const node = await startNode()
  const quote = (price: number): { topic: string, payload: string } => ({
    topic: 'quotes:B',
    payload: JSON.stringify({ symbol: 'B', last: String(price) })
  })
  await node.log.append([instrument('B', 'y'), instrument('X', 'x'), quote(1)])
  await ticks()
  const wire = new MemoryWire(true)
  const entering = new MemoryWire(true)
  subscribe(node.connect(wire), 'quotes', 'B', { throttle_ms: 60_000 })
  subscribe(node.connect(entering), 'quotes', '@sector/x', { throttle_ms: 60_000 })
  await ticks()
  for (const price of [2, 3]) {
    await node.log.append([quote(price)])
    await ticks()
  }
  await node.log.append([instrument('B', 'x')])
  await ticks()
  t.same(topicMessages(wire), ['state B 1', 'message B 2', 'message B 3'])
  t.same(topicMessages(entering), ['reset B', 'state B 3'])
  await node.close()
})

test('covers a change of sets by no cursor before the state was sent', async t => {
  const node = await startNode()
  await node.log.append([instrument('B', 'y'), instrument('X', 'x'), book('B', 1), book('X', 1)])
  await ticks()
  const wire = new MemoryWire(true)
  const connection = node.connect(wire)
  subscribe(connection, 'book', '@sector/x')
  await ticks()
  const release = holdLog(node.log, 'snapshot', topic => topic === 'book:B')
  await node.log.append([instrument('B', 'x'), book('X', 2)])
  await ticks()
  t.same(topicMessages(wire), ['state X 1', 'message X 2'], 'the window was passed on')
  connection.onClose()
  release()
  await ticks()
  const again = new MemoryWire(true)
  const resumed = node.connect(again)
  subscribe(resumed, 'book', '@sector/x', { after: lastCursor(wire.messages) })
  await ticks()
  t.ok(topicMessages(again).includes('state B 1'), topicMessages(again).join(', '))
  const third = new MemoryWire(true)
  subscribe(node.connect(third), 'book', '@sector/x', { after: lastCursor(again.messages) })
  await ticks()
  t.same(topicMessages(third), [], 'the state need not be sent again')
  await node.close()
})

test('sends the present members of a set anew to a client that unsubscribes from it', async t => {
  const node = await startNode()
  const quote = (symbol: string): { topic: string, payload: string } => ({
    topic: `quotes:${symbol}`,
    payload: JSON.stringify({ symbol })
  })
  await node.log.append([instrument('B', 'x'), instrument('C', 'y'), quote('B'), quote('C')])
  await ticks()
  const wire = new MemoryWire(true)
  const connection = node.connect(wire)
  subscribe(connection, 'quotes', '*')
  subscribe(connection, 'quotes', '@sector/x')
  await ticks()
  const release = holdLog(node.log, 'snapshot', topic => topic === 'quotes:B')
  receiveText(
    connection,
    JSON.stringify({ action: 'unsubscribe', channel: 'quotes', symbols: ['@sector/x'] })
  )
  await node.log.append([instrument('B', 'y'), instrument('C', 'x')])
  await ticks()
  release()
  await ticks()
  t.same(topicMessages(wire).slice(2), ['reset C', 'state C 1'])
  await node.close()
})
