import type { Socket } from 'node:net'
import { type Test, test } from 'tap'
import { WebSocket } from 'ws'
import { type Message, until } from '../helpers/clients.js'
import { publish, startServer } from '../helpers/server.js'

/** PROTOCOL.md, Liveness: who reads slowly is alive, over real sockets; a ping stands behind all that was written before it. */

const HEARTBEAT_MS = 200
const IDLE_TIMEOUT_MS = 1500
/** Read at a time, and how often: some 800 KB a second, far less than it is sent. */
const PIECE_BYTES = 40_000
const PIECE_MS = 50
/** What is published at once; of books each about 35 KB. */
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

test('a WebSocket that reads slowly and steadily behind megabytes is not cut for its silence', async t => {
  const server = await startServer(t, { HEARTBEAT_MS, IDLE_TIMEOUT_MS })
  const socket = new WebSocket(`${server.origin.replace('http', 'ws')}/v1/stream?subscribe=book:A`, 'tickwire.v1.json', { perMessageDeflate: false })
  t.teardown(() => { socket.terminate() })
  const messages: Message[] = []
  let pongs = 0
  let closed: number | undefined
  socket.on('message', data => { messages.push(JSON.parse(String(data)) as Message) })
  socket.on('ping', () => { pongs++ })
  socket.on('close', code => { closed = code })
  socket.on('error', () => {})
  await until('subscribed', () => messages.some(({ type }) => type === 'cursor'))
  slowDown(t, socket)
  const before = pongs
  const started = Date.now()
  for (let count = 1; count <= BOOKS; count++) await publish(server.app, 'book', 'A', { symbol: 'A', bids, asks: [] }, { snapshot: true })
  const books = (): number => messages.filter(({ sequence }) => sequence !== undefined).length
  let quietest = 0
  let lastPong = started
  let seen = before
  await until('all books, or the end', () => {
    if (pongs > seen) {
      seen = pongs
      lastPong = Date.now()
    }
    quietest = Math.max(quietest, Date.now() - lastPong)
    return books() >= BOOKS || closed !== undefined
  }, 60_000)
  t.equal(closed, undefined, 'still there')
  t.equal(books(), BOOKS, 'it has all')
  t.ok(quietest > IDLE_TIMEOUT_MS, `longer than the idle timeout without an answer: ${quietest} ms`)
})
