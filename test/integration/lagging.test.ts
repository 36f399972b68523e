import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { until } from '../helpers/clients.js'
import { bytesUsed } from '../helpers/memory.js'
import { startServer, type TestServer } from '../helpers/server.js'

/**
 * PROTOCOL.md, Control, `lagging`, over real sockets: what a client costs that stops reading, and that it
 * gets everything.
 */
const CLIENTS = 20
const MESSAGES = 20_000
const MAX_BUFFERED_BYTES = 16_384
/** The most that the system may take for one client, so that the server must keep the rest. */
const KERNEL_BYTES = 8 * 1024 * 1024

/**
 * A client that reads its socket by hand. It collects the sequences that came, and what it was told of
 * lagging.
 */
class RawClient {
  readonly sequences: number[] = []
  readonly behind: number[] = []
  resets = 0
  closed = false
  private text = ''
  private readonly socket: Socket

  constructor (server: TestServer, transport: 'ws' | 'sse') {
    const { hostname, port } = new URL(server.origin)
    this.socket = connect(Number(port), hostname)
    this.socket.on('data', chunk => { this.take(chunk.toString('latin1')) })
    this.socket.on('close', () => { this.closed = true })
    this.socket.on('error', () => {})
    const headers =
      transport === 'sse'
        ? 'Accept: text/event-stream'
        : 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
    this.socket.write(`GET /v1/stream?subscribe=news HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`)
  }

  get subscribed (): boolean {
    return this.text.includes('"subscribed"') || this.sequences.length > 0
  }

  stop (): void {
    this.socket.pause()
  }

  read (): void {
    this.socket.resume()
  }

  destroy (): void {
    this.socket.destroy()
  }

  /** Takes text. Both transports carry the same JSON, so the frames around it do not matter here. */
  private take (text: string): void {
    this.text += text
    const end = this.text.lastIndexOf('}')
    for (const [, type, value] of this.text.slice(0, end + 1).matchAll(/"(sequence|behind)":(\d+)|"type":"reset"/g)) {
      if (type === 'sequence') this.sequences.push(Number(value))
      else if (type === 'behind') this.behind.push(Number(value))
      else this.resets++
    }
    if (this.sequences.length > 0) this.text = this.text.slice(end + 1)
  }
}

const unsent = (sockets: ReadonlySet<Socket>): number =>
  [...sockets].reduce((sum, socket) => sum + socket.writableLength, 0)

interface Cost {
  /** The most bytes that the server had unsent for one client. */
  readonly unsent: number
  /** How many more bytes the process uses when everything is published, garbage not counted. */
  readonly grown: number
}

async function publishAll (t: Test, transport: 'ws' | 'sse', reads: boolean): Promise<Cost> {
  const server = await startServer(t, { MAX_BUFFERED_BYTES, RETENTION_MESSAGES: MESSAGES, FLUSH_MS: 5 })
  const { hub, publisher } = server.parts
  const sockets = new Set<Socket>()
  server.app.server.on('connection', (socket: Socket) => { sockets.add(socket) })
  const clients = Array.from({ length: CLIENTS }, () => new RawClient(server, transport))
  await until(
    'all are subscribed',
    () => clients.every(client => client.subscribed) && sockets.size === CLIENTS
  )
  if (!reads) for (const client of clients) client.stop()
  const counters = hub.counters.transport(transport === 'ws' ? 'websocket' : 'sse')
  const headline = 'x'.repeat(600)
  let most = 0
  const before = await bytesUsed()
  for (let published = 0; published < MESSAGES; published += 100) {
    await publisher.publish(
      Array.from({ length: 100 }, () => ({
        channel: 'news',
        data: { headline, source: 's', symbols: [], timestamp: '2026-01-01T00:00:00Z' }
      })),
      { publisher: 'test' }
    )
    await delay(reads ? 10 : 5)
    most = Math.max(most, unsent(sockets))
  }
  const grown = await bytesUsed() - before
  if (!reads) {
    await until('all lag', () => counters.lagging === CLIENTS)
    await delay(2000)
    t.equal(server.parts.connections.active, CLIENTS, 'nobody is dropped')
    for (const client of clients) client.read()
  }
  await until(
    'everything has come',
    () => clients.every(({ sequences }) => sequences.length >= MESSAGES),
    60_000
  )
  await until('all are live', () => counters.lagging === 0)
  const wanted = Array.from({ length: MESSAGES }, (_, index) => index + 1).join()
  t.ok(clients.every(({ sequences }) => sequences.join() === wanted), 'each message once, in order')
  t.ok(clients.every(({ resets, closed }) => resets === 0 && !closed))
  if (!reads) {
    t.ok(
      clients.every(({ behind }) => behind.length >= 2 && behind.at(-1) === 0),
      'each is told that it lags, and when that ends'
    )
  }
  for (const client of clients) client.destroy()
  return { unsent: most / CLIENTS, grown }
}

for (const transport of ['ws', 'sse'] as const) {
  test(`${transport}: clients that stop reading cost little, stay connected, and get everything in order`, async t => {
    const reading = await publishAll(t, transport, true)
    const stopped = await publishAll(t, transport, false)
    const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(2)} MiB`
    t.comment(
      `unsent by client: ${mebibytes(stopped.unsent)} stopped, ${mebibytes(reading.unsent)} reading; ` +
      `the process uses ${mebibytes(stopped.grown)} more and ${mebibytes(reading.grown)}`
    )
    const published = MESSAGES * 600
    t.ok(published > KERNEL_BYTES, 'more than the system takes')
    t.ok(stopped.unsent < 200_000, `${stopped.unsent} bytes are unsent by client: a window beyond the bound`)
    // The log itself holds what was published, whoever reads it: that alone may be more than the run with
    // clients that read has grown by, if that run could reuse memory.
    t.ok(
      stopped.grown < Math.max(2 * published, reading.grown) + CLIENTS * published / 10,
      `the process uses ${mebibytes(stopped.grown)} more, where ${mebibytes(CLIENTS * published)} are unread`
    )
  })
}
