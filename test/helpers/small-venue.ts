import type { AddressInfo } from 'node:net'
import { createServer, type IncomingMessage } from 'node:http'
import type { Test } from 'tap'
import { type WebSocket, WebSocketServer } from 'ws'
import { until } from './clients.js'

/** What a venue of a test answers to a request: a status and a body. */
export type Answer = readonly [status: number, body: unknown, headers?: Record<string, string>]

export interface SmallVenue {
  /** The addresses of its WebSocket and its REST interface, as options of a source. */
  readonly options: string
  readonly url: string
  /** What clients sent, parsed, oldest first. */
  readonly received: unknown[]
  /** How many connections there were. */
  readonly opened: number
  /** The connections that stand, oldest first. */
  readonly sockets: WebSocket[]
  /** What was asked over HTTP: path and query. */
  readonly asked: string[]
  /** Sends a frame on the newest connection. */
  send (frame: unknown): void
  /** Resolves once there were so many connections. */
  connected (times?: number): Promise<void>
  /** Resolves once a message has come that matches. */
  heard (what: string, matches: (message: never) => boolean): Promise<void>
}

interface VenueOptions {
  /** Called for each message of a client. */
  onMessage? (message: never, venue: SmallVenue): void
  onConnected? (venue: SmallVenue): void
  onRequest? (request: IncomingMessage): Answer
  readonly isBinary?: boolean
}

/** Starts a WebSocket server that says what a test has it say. */
export async function startVenue (t: Test, options: VenueOptions = {}): Promise<SmallVenue> {
  const asked: string[] = []
  const http = createServer((request, response) => {
    asked.push(request.url!)
    const [status, body, headers = {}] = options.onRequest?.(request) ?? [404, {}]
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  const server = new WebSocketServer({ server: http })
  await new Promise<void>(resolve => { http.listen(0, '127.0.0.1', resolve) })
  const { port } = http.address() as AddressInfo
  const received: unknown[] = []
  const sockets: WebSocket[] = []
  let opened = 0
  const url = `ws://127.0.0.1:${port}`
  const venue: SmallVenue = {
    options: `url=${url}&rest=http://127.0.0.1:${port}`,
    url,
    received,
    sockets,
    asked,
    get opened () { return opened },
    send: frame => {
      const text = typeof frame === 'string' ? frame : JSON.stringify(frame)
      sockets.at(-1)?.send(text, { binary: options.isBinary === true })
    },
    connected: async (times = 1) => { await until(`${times} connections`, () => opened >= times) },
    heard: async (what, matches) => {
      await until(what, () => received.some(message => matches(message as never)))
    }
  }
  server.on('connection', socket => {
    opened++
    sockets.push(socket)
    socket.on('close', () => { sockets.splice(sockets.indexOf(socket), 1) })
    socket.on('message', data => {
      const text = String(data)
      const message: unknown = /^[[{]/.test(text) ? JSON.parse(text) : text
      received.push(message)
      options.onMessage?.(message as never, venue)
    })
    options.onConnected?.(venue)
  })
  t.teardown(async () => {
    for (const socket of sockets) socket.terminate()
    server.close()
    http.closeAllConnections()
    await new Promise(resolve => { http.close(resolve) })
  })
  return venue
}
