import { test } from 'tap'
import { decodeCursor, standardChannels } from '@tickwire/protocol'
import { beginSubscriptions, type Subscription } from '../../src/connection/actions/subscribe.js'
import type { Connection } from '../../src/connection/connection.js'
import { subscribe } from '../helpers/native.js'
import { makeSelector } from '../../src/hub/audience/selector.js'
import { holdLog } from '../helpers/hold-log.js'
import { MemoryWire, topicMessages } from '../helpers/memory-wire.js'
import { startNode, ticks } from '../helpers/node.js'

/**
 * A cursor goes out only when everything that it covers has been sent, whatever the log makes a catch-up wait
 * for.
 */
const append = (channel: string, symbol: string, count: number): Array<{ topic: string, payload: string }> =>
  Array.from({ length: count }, (_, n) => ({
    topic: `${channel}:${symbol}`,
    payload: JSON.stringify({ symbol, last: String(n) })
  }))
const cursors = (wire: MemoryWire): string[] =>
  wire.messages.filter(({ type }) => type === 'cursor').map(({ cursor }) => cursor as string)

test('sends no cursor while a resume is being opened', async t => {
  const node = await startNode()
  await node.log.append([...append('trades', 'A', 1), ...append('quotes', 'A', 1)])
  await ticks()
  const first = new MemoryWire(true)
  subscribe(node.connect(first), 'trades', ['A'])
  await ticks()
  await node.log.append(append('trades', 'A', 1))
  await ticks()
  const wire = new MemoryWire(true)
  const connection = node.connect(wire)
  subscribe(connection, 'quotes', ['A'])
  await ticks()
  const before = cursors(wire).length
  const release = holdLog(node.log, 'head')
  subscribe(connection, 'trades', ['A'], { after: cursors(first)[0] })
  await ticks()
  await node.log.append(append('quotes', 'A', 1))
  await ticks()
  t.same(topicMessages(wire), ['state A 1', 'message A 2'], 'quotes go on')
  t.equal(cursors(wire).length, before)
  release()
  await ticks()
  t.same(topicMessages(wire).slice(2), ['message A 2'], 'the trade after the cursor follows')
  t.ok(cursors(wire).length > before)
  await node.close()
})

test('holds no cursor back for a refused resume', async t => {
  const node = await startNode()
  const wire = new MemoryWire(true)
  const connection = node.connect(wire)
  subscribe(connection, 'quotes', ['A'])
  await ticks()
  subscribe(connection, 'trades', ['A'], { after: 'not a cursor' })
  await ticks()
  const before = cursors(wire).length
  await node.log.append(append('quotes', 'A', 1))
  await ticks()
  t.equal(cursors(wire).length, before + 1)
  await node.close()
})

test('sends no cursor while first states are pending', async t => {
  const node = await startNode()
  await node.log.append([...append('quotes', 'A', 1), ...append('quotes', 'B', 1)])
  await ticks()
  const wire = new MemoryWire(true)
  const connection = node.connect(wire)
  const release = holdLog(node.log, 'snapshot', topic => topic === 'quotes:B')
  subscribe(connection, 'quotes', ['A', 'B'])
  await ticks()
  connection.delivery.cursor.send()
  t.same(cursors(wire), [])
  release()
  await ticks()
  t.same(topicMessages(wire), ['state A 1', 'state B 1'])
  t.equal(cursors(wire).length, 1)
  await node.close()
})

test('resets a lost throttled topic before it sends a cursor that would cover it', async t => {
  const node = await startNode({ retention: { messages: 10_000 } })
  await node.log.append(append('quotes', 'A', 10))
  await ticks()
  const first = new MemoryWire(true)
  const connection = node.connect(first)
  subscribe(connection, 'quotes', ['A'], { throttle_ms: 10 })
  await ticks()
  connection.onClose()
  node.log.restart([0])
  await ticks()
  await node.log.append([...append('quotes', 'A', 1), ...append('trades', 'B', 2000)])
  await ticks()
  const wire = new MemoryWire(true)
  const query = (
    [
      ['quotes', 'A', 10],
      ['trades', 'B', 0]
    ] as const
  ).map(([channel, symbol, throttleMs]): Subscription => ({
    channel,
    granted: [
      makeSelector(standardChannels.get(channel)!, symbol, undefined, { view: { throttleMs, depth: 0 } })
    ],
    rejected: []
  }))
  const begin = (wire: MemoryWire, cursor: string): Connection => {
    const connection = node.connect(wire)
    connection.actions.enqueue(() => beginSubscriptions(connection, query, { from: 'cursor', cursor: decodeCursor(cursor)! }, true))
    return connection
  }
  wire.stallsAt = 'subscribed'
  const resumed = begin(wire, cursors(first).at(-1)!)
  await ticks()
  t.ok(cursors(wire).length > 0, 'a cursor was sent on the way')
  t.ok(topicMessages(wire).includes('reset A'), topicMessages(wire).slice(0, 3).join(', '))
  resumed.onClose()
  const again = new MemoryWire(true)
  begin(again, cursors(wire).at(-1)!)
  await ticks()
  t.ok(topicMessages(again).includes('state A 1'), 'the state comes with the resume from it')
  await node.close()
})
