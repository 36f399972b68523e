import { test } from 'tap'
import type { Connection } from '../../src/connection/connection.js'
import { receiveText } from '../helpers/native.js'
import { type Message, until } from '../helpers/clients.js'
import { MemoryWire } from '../helpers/memory-wire.js'
import { startNode, ticks } from '../helpers/node.js'

const MAX_BUFFERED_BYTES = 65_536
/** With more unread answers than this, the server closes a client that keeps asking. */
const BOUND = 16 * MAX_BUFFERED_BYTES

/** A wire that nobody reads from until a test says so. */
class CountingWire extends MemoryWire {
  bytes = 0

  override write (buffers: readonly Buffer[]): number {
    for (const { length } of buffers) this.bytes += length
    return super.write(buffers)
  }

  override unsent (): number {
    return this.bytes
  }
}

/** A wire whose client stops reading once it was sent more than the bound, in however many slices. */
class StoppingWire extends CountingWire {
  override unsent (): number {
    return this.bytes > BOUND ? this.bytes : 0
  }
}

const say = (connection: Connection, message: object): void => {
  receiveText(connection, JSON.stringify(message))
}
const quotes = (count: number, padding: number): Array<{ topic: string, payload: string }> =>
  Array.from({ length: count }, (_, n) => ({ topic: `quotes:S${n}`, payload: JSON.stringify({ symbol: `S${n}`, last: '1'.repeat(padding) }) }))

test('stops answering a client that asks without reading the answers', async t => {
  const node = await startNode({ maxBufferedBytes: MAX_BUFFERED_BYTES })
  await node.log.append(quotes(100, 1000))
  await ticks()
  const questions = {
    snapshots: { action: 'snapshot', channel: 'quotes', symbols: ['*'] },
    pings: { action: 'ping', id: 'x'.repeat(64) },
    subscriptions: { action: 'subscribe', channel: 'quotes', symbols: ['*'], throttle_ms: 1000 }
  }
  for (const [name, question] of Object.entries(questions)) {
    const wire = new CountingWire(false)
    const connection = node.connect(wire)
    for (let n = 0; n < 20_000; n++) say(connection, question)
    await ticks()
    t.ok(wire.bytes < 1.5 * BOUND, `${name}: ${wire.bytes} bytes`)
    connection.onClose()
  }
  await node.close()
})

test('sends a long answer whole, and later messages after it', async t => {
  const node = await startNode({ maxBufferedBytes: MAX_BUFFERED_BYTES })
  await node.log.append(quotes(1000, 3000))
  await ticks()
  const wire = new StoppingWire(true)
  const connection = node.connect(wire)
  say(connection, { action: 'subscribe', channel: 'quotes', symbols: ['*'] })
  await until('the states alone are more than a client may leave unread', () => wire.bytes > BOUND)
  for (let n = 0; n < 10; n++) say(connection, { action: 'ping' })
  await node.log.append(quotes(10, 10))
  const count = (of: (message: Message) => boolean): number => wire.messages.filter(of).length
  // The answer comes in pieces, each when the one before has been read.
  await until('it has all of it', () => {
    wire.bytes = 0
    connection.onDrain()
    return count(({ sequence }) => sequence === 2) === 10
  })
  t.equal(wire.closedWith, undefined)
  t.equal(count(({ snapshot }) => snapshot === true), 1000)
  await node.close()
})

test('spends no more than a window beyond the bound on a client that does not read', async t => {
  const node = await startNode({ maxBufferedBytes: MAX_BUFFERED_BYTES })
  await node.log.append(quotes(1, 1))
  await ticks()
  const wire = new CountingWire(true)
  say(node.connect(wire), { action: 'subscribe', channel: 'quotes', symbols: ['*'] })
  await ticks()
  for (let n = 0; n < 400; n++) {
    await node.log.append(quotes(1, 6000))
    await ticks(2)
  }
  t.equal(wire.closedWith, undefined)
  t.ok(wire.bytes > MAX_BUFFERED_BYTES && wire.bytes < MAX_BUFFERED_BYTES + 2 * 6200, `${wire.bytes} bytes`)
  await node.close()
})

test('waits for no socket to drain that has not filled up', async t => {
  const node = await startNode({ maxBufferedBytes: 1024 })
  await node.log.append(quotes(1, 2000))
  await ticks()
  const wire = new CountingWire(true)
  const connection = node.connect(wire)
  for (const id of [1, 2, 3]) say(connection, { action: 'snapshot', id, channel: 'quotes', symbols: ['*'] })
  await ticks()
  t.equal(wire.messages.filter(({ type }) => type === 'done').length, 3)
  await node.close()
})
