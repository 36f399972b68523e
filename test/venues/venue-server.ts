import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import { HarmedPeer } from './harmed-peer.js'
import type { Misbehaviour, RequestHarm } from './misbehaviour.js'
import type { Answer, Exchange, Session, VenueProtocol } from './venue-protocol.js'

/** What is slow takes so long, in milliseconds. */
const SLOW_MS = 200
const SECOND_MS = 1000
/** Over how many seconds messages are counted where time is faster: load then moves some of them together. */
const FAST_SECONDS = 10
const NOT_FOUND: Answer = { status: 404, body: '{"message":"NotFound"}' }
const GARBAGE = ['<html>502 Bad Gateway</html>', '', 'null', '{"lastUpdateId":', '{"lastUpdateId":"x","bids":1}', '[[]]']

export interface VenueServerOptions {
  readonly protocol: VenueProtocol
  readonly exchange: Exchange
  readonly misbehaviour: Misbehaviour
  /** Between two signs of life. */
  readonly beatMs: number
  /** How many times faster than elsewhere time passes for the client; absent: it does not. */
  readonly speed?: number
}

interface Connection { readonly peer: HarmedPeer, readonly session: Session, readonly webSocket: WebSocket }

/** Speaks as one venue does, on loopback, and misbehaves. */
export class VenueServer {
  /** How many connections were opened. */
  opened = 0
  /** What a client has done that the venue forbids. */
  readonly violations: string[] = []
  private readonly connections = new Set<Connection>()
  private readonly sockets = new Set<Socket>()
  private readonly webSockets = new WebSocketServer({ noServer: true, autoPong: false })
  /** By address, the first answer, for a cache that never asks again. */
  private readonly cached = new Map<string, Answer>()
  private readonly timer: NodeJS.Timeout

  private constructor (private readonly server: Server, private readonly options: VenueServerOptions) {
    server.on('connection', socket => {
      this.sockets.add(socket)
      socket.on('error', () => {}).on('close', () => { this.sockets.delete(socket) })
    })
    server.on('upgrade', (request, socket: Socket, head) => { this.upgrade(request, socket, head) })
    server.on('request', (request, response) => { this.answer(request, response) })
    const beat = (): void => { for (const { session } of this.connections) session.beat() }
    this.timer = setInterval(beat, options.beatMs)
  }

  static async start (options: VenueServerOptions): Promise<VenueServer> {
    const server = createServer()
    await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
    return new VenueServer(server, options)
  }

  /** `127.0.0.1:<port>` */
  get host (): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** Lets a market go on. @returns whether there was anything more */
  step (pair: string): boolean {
    const market = this.options.exchange.markets.get(pair)!
    const step = market.step()
    if (step === undefined) return false
    for (const { session } of this.connections) session.step(pair, market, step)
    return true
  }

  /** Behaves from here on, and sends what it has kept back. A connection that fell silent stays so. */
  calm (): void {
    this.options.misbehaviour.calm()
    for (const { peer } of this.connections) peer.settle()
  }

  /** Ends all connections, as a venue does each day. */
  restart (): void {
    for (const { peer } of this.connections) peer.close(1012, 'service restart')
  }

  async close (): Promise<void> {
    clearInterval(this.timer)
    for (const { webSocket } of this.connections) webSocket.terminate()
    for (const socket of this.sockets) socket.destroy()
    await new Promise(resolve => this.server.close(resolve))
  }

  private upgrade (request: IncomingMessage, socket: Socket, head: Buffer): void {
    const accept = (): void => {
      if (socket.destroyed) return
      this.webSockets.handleUpgrade(request, socket, head, webSocket => {
        this.connect(webSocket, socket, request)
      })
    }
    const refuse = (status: string): void => {
      socket.end(`HTTP/1.1 ${status}\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
    }
    switch (this.options.misbehaviour.upgrade()) {
      case '429': return refuse('429 Too Many Requests')
      case '503': return refuse('503 Service Unavailable')
      case 'slow accept':
        setTimeout(accept, SLOW_MS)
        return
      case 'no accept': return
      case undefined: accept()
    }
  }

  private connect (webSocket: WebSocket, socket: Socket, request: IncomingMessage): void {
    const { protocol, exchange, misbehaviour, speed = 1 } = this.options
    this.opened++
    const shutdown = protocol.shutdown?.bind(protocol)
    const peer = new HarmedPeer(webSocket, socket, misbehaviour, protocol.isBinary === true, shutdown)
    const session = protocol.connect(peer, exchange, new URL(request.url ?? '/', `ws://${this.host}`))
    const connection = { peer, session, webSocket }
    this.connections.add(connection)
    const received: number[] = []
    const seconds = speed === 1 ? 1 : FAST_SECONDS
    const count = (): void => {
      const now = Date.now()
      received.push(now)
      while (now - received[0]! > seconds * SECOND_MS / speed) received.shift()
      if (received.length <= seconds * protocol.mostMessages) return
      this.violations.push(`${received.length} messages in ${seconds} s, of ${protocol.mostMessages} a second`)
      peer.close(1008, 'Too many messages')
    }
    webSocket.on('error', () => {}).on('close', () => { this.connections.delete(connection) })
    webSocket.on('ping', count).on('pong', count).on('message', data => {
      count()
      if (!peer.isDeaf && webSocket.readyState === WebSocket.OPEN) session.receive((data as Buffer).toString('utf8'))
    })
  }

  private answer (request: IncomingMessage, response: ServerResponse): void {
    const { protocol, exchange, misbehaviour } = this.options
    const address = request.url ?? '/'
    const answer = protocol.answer?.(new URL(address, `http://${this.host}`), exchange) ?? NOT_FOUND
    const cached = this.cached.get(address) ?? answer
    this.cached.set(address, cached)
    const harm = misbehaviour.request()
    if (harm === undefined) this.send(response, answer)
    else this.harm(harm, response, answer, cached)
  }

  private harm (harm: RequestHarm, response: ServerResponse, answer: Answer, cached: Answer): void {
    const retry = { 'retry-after': '1' }
    switch (harm) {
      case '429': return this.send(response, { status: 429, body: '{"code":-1003,"msg":"Too many requests"}', headers: retry })
      case '503': return this.send(response, { status: 503, body: 'unavailable' })
      case 'slow':
        setTimeout(() => { this.send(response, answer) }, SLOW_MS)
        return
      case 'no answer': return
      case 'garbage': return this.send(response, { status: 200, body: GARBAGE[this.options.misbehaviour.below(GARBAGE.length)]! })
      case 'old': return this.send(response, cached)
      case 'cut':
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.body.length })
        response.write(answer.body.slice(0, answer.body.length >> 1), () => { response.destroy() })
    }
  }

  private send (response: ServerResponse, { status, body, headers = {} }: Answer): void {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
  }
}
