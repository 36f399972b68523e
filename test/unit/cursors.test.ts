import { test } from 'tap'
import type { Connection } from '../../src/connection/connection.js'
import { receiveText } from '../../src/connection/dispatch.js'
import { holdLog } from '../helpers/hold-log.js'
import { MemoryWire } from '../helpers/memory-wire.js'
import { startNode, ticks } from '../helpers/node.js'

/** A cursor is only sent when everything that it covers has been sent, whatever the log makes a catch-up wait for. */
const append = (channel: string, symbol: string, count: number): Array<{ topic: string, payload: string }> =>
  Array.from({ length: count }, (_, n) => ({ topic: `${channel}:${symbol}`, payload: JSON.stringify({ symbol, last: String(n) }) }))
const subscribe = (connection: Connection, channel: string, symbols: readonly string[], options: object = {}): void => {
  receiveText(connection, JSON.stringify({ action: 'subscribe', channel, symbols, ...options }))
}
const cursors = (wire: MemoryWire): string[] => wire.messages.filter(({ type }) => type === 'cursor').map(({ cursor }) => cursor as string)
const data = (wire: MemoryWire): string[] => wire.messages.flatMap(({ type, symbol, sequence, snapshot }) =>
  type === 'reset' ? `reset ${symbol}` : sequence === undefined ? [] : `${snapshot === true ? 'state' : 'message'} ${symbol} ${sequence}`)

test('no cursor is sent while a resume is being opened', async t => {
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
  t.same(data(wire), ['state A 1', 'message A 2'], 'quotes go on')
  t.equal(cursors(wire).length, before)
  release()
  await ticks()
  t.same(data(wire).slice(2), ['message A 2'], 'the trade after the cursor')
  t.ok(cursors(wire).length > before)
  await node.close()
})

test('a resume that is refused holds no cursor back', async t => {
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
