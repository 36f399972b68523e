import type { Socket } from 'node:net'
import { type Test, test } from 'tap'
import { WebSocket } from 'ws'
import { type Message, until } from '../helpers/clients.js'
import { publish, startServer } from '../helpers/server.js'

/**
 * PROTOCOL.md, Liveness, over real sockets: a client that reads slowly is alive, and a ping follows
 * everything that was written before it.
 */

const HEARTBEAT_MS = 200
const IDLE_TIMEOUT_MS = 1500
/**
 * How much the client reads at a time, and how often: some 800 KB a second, far less than the server sends.
 */
const PIECE_BYTES = 40_000
const PIECE_MS = 50
/** How many books are published at once; each has about 35 KB. */
const BOOKS = 140

const bids = Array.from({ length: 1500 }, (_, index) => [String(100_000 - index), '1.00000000'])

/** Lets a client read no faster than that. */
function slowDown (t: Test, socket: WebSocket): void {
  const raw = (socket as unknown as { readonly _socket: Socket })._socket
  let allowed = 0
  raw.on('data', (chunk: Buffer) => {
    allowed -= chunk.length
    if (allowed <= 0) raw.pause()
  })
  const timer = setInterval(() => {
    allowed = Math.min(PIECE_BYTES, allowed + PIECE_BYTES)
    if (allowed > 0) raw.resume()
  }, PIECE_MS)
  t.teardown(() => { clearInterval(timer) })
}

test('does not cut a WebSocket for its silence that reads steadily behind megabytes', async t => {
  const server = await startServer(t, { HEARTBEAT_MS, IDLE_TIMEOUT_MS })
  const url = `${server.origin.replace('http', 'ws')}/v1/stream?subscribe=book:A`
  const socket = new WebSocket(url, 'tickwire.v1.json', { perMessageDeflate: false })
  t.teardown(() => { socket.terminate() })
  const messages: Message[] = []
  let pongs = 0
  let closed: number | undefined
  socket.on('message', data => { messages.push(JSON.parse(String(data)) as Message) })
  socket.on('ping', () => { pongs++ })
  socket.on('close', code => { closed = code })
  socket.on('error', () => {})
  await until('it is subscribed', () => messages.some(({ type }) => type === 'cursor'))
  slowDown(t, socket)
  const before = pongs
  const started = Date.now()
  for (let count = 1; count <= BOOKS; count++) {
    await publish(server.app, 'book', 'A', { symbol: 'A', bids, asks: [] }, { snapshot: true })
  }
  const books = (): number => messages.filter(({ sequence }) => sequence !== undefined).length
  let quietest = 0
  let lastPong = started
  let seen = before
  await until('all books have come, or it is closed', () => {
    if (pongs > seen) {
      seen = pongs
      lastPong = Date.now()
    }
    quietest = Math.max(quietest, Date.now() - lastPong)
    return books() >= BOOKS || closed !== undefined
  }, 60_000)
  t.equal(closed, undefined, 'it is still open')
  t.equal(books(), BOOKS, 'it has all books')
  t.ok(quietest > IDLE_TIMEOUT_MS, `longer than the idle timeout without an answer: ${quietest} ms`)
})
