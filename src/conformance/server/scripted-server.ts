import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { BATCH_SUBPROTOCOL, type ErrorCode, errorTable, JSON_SUBPROTOCOL } from '@tickwire/protocol'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Transport } from '../setup.js'
import { Failure, type Watch } from '../watch.js'
import { PROXY_PAGE, readQuery, Visit } from './visit.js'

/** What a script puts between the client and the server, for all requests of a transport. */
export type Obstacle =
  /** Answers with a page that is not the server's, as a proxy does. */
  | { readonly kind: 'page', readonly status: number }
  /** Answers nothing. */
  | { readonly kind: 'hangs' }
  /** Opens the connection, and lets nothing through. */
  | { readonly kind: 'mute' }
  /** Cuts the connection. */
  | { readonly kind: 'cuts' }
  /** The server refuses all. */
  | { readonly kind: 'refuses', readonly code: ErrorCode }

/** A server on loopback that answers only what the script of one scenario says. */
export class ScriptedServer {
  /** Requests for the stream that no step has taken yet. */
  readonly visits: Visit[] = []
  readonly obstacles = new Map<Transport, Obstacle>()
  /** Selectors that the server refuses. */
  readonly refused = new Map<string, ErrorCode>()
  /** How many requests for the stream came, by transport, obstacles or not. */
  readonly counts: Record<Transport, number> = { websocket: 0, 'event-stream': 0, polling: 0 }
  epoch = 'e1'
  /** A client that reads an event stream may ask by a poll whether anything came. */
  probe: 'nothing-new' | 'hangs' | object = 'nothing-new'
  /** Why the client fails, if a request was wrong in itself. */
  fault: Failure | undefined
  /** The last upgrade, unless another kind of stream was asked for since. */
  private lastUpgrade: Visit | undefined
  private readonly sockets = new Set<Duplex>()
  private readonly http = createServer((request, response) => { this.guarded(request, response) })
  private readonly webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true },
    handleProtocols: offered =>
      [...offered].find(name => name === JSON_SUBPROTOCOL || name === BATCH_SUBPROTOCOL) ?? false
  })

  /** @param allowed the transports that the client may use */
  constructor (private readonly watch: Watch, private readonly allowed: readonly Transport[]) {
    this.http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => {})
      this.guard(() => { this.visit(new Visit('websocket', request, undefined, socket, head)) })
    })
    this.http.on('connection', socket => {
      this.sockets.add(socket)
      socket.on('close', () => { this.sockets.delete(socket) })
    })
  }

  /** Listens. @returns the address for clients */
  async listen (): Promise<string> {
    this.http.listen(0, '127.0.0.1')
    await once(this.http, 'listening')
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`
  }

  /** Opens the WebSocket of a visit. Returns undefined if the client has given it up. */
  accept (visit: Visit): WebSocket | undefined {
    if (!visit.socket.readable || !visit.socket.writable) return undefined
    let opened: WebSocket | undefined
    // The callback comes at once: the handshake of the client is in.
    this.webSockets.handleUpgrade(visit.request, visit.socket, visit.head, socket => { opened = socket })
    if (opened === undefined) throw new Failure('its handshake for a WebSocket is not one')
    return opened
  }

  /** Judges the requests anew that no step has taken yet. */
  readmit (): void {
    for (const visit of this.visits.splice(0)) this.admit(visit)
  }

  async close (): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    const closed = once(this.http, 'close')
    this.http.close()
    await closed
  }

  private guarded (request: IncomingMessage, response: ServerResponse): void {
    this.guard(() => { this.answer(request, response) })
  }

  /** A request that is wrong in itself fails the scenario at its next step. */
  private guard (work: () => void): void {
    try {
      work()
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      this.fault = error
    }
    this.watch.changed()
  }

  private answer (request: IncomingMessage, response: ServerResponse): void {
    const path = request.url!.split('?')[0]
    if (path === '/v1/history') {
      const history = { epoch: this.epoch, messages: [], first_sequence: 1, last_sequence: 0, more: false }
      respond(response, 200, history)
      return
    }
    if (path !== '/v1/stream') {
      respond(response, 404, { type: 'error', code: 'not_found', message: `there is no ${path}` })
      return
    }
    const isStream = String(request.headers.accept).includes('text/event-stream')
    const transport = isStream ? 'event-stream' : 'polling'
    // A browser does not tell its page why an upgrade was refused, so the page may ask the same by HTTP. The
    // server refuses that alike, and it counts as no attempt.
    const asksWhy = transport === 'polling' ? this.lastUpgrade?.refusal : undefined
    if (asksWhy !== undefined) {
      const visit = new Visit(transport, request, response, request.socket, Buffer.alloc(0))
      visit.refuse(asksWhy.code, asksWhy.retryAfterMs)
    } else if (request.method === 'HEAD') {
      this.answerHead(new Visit(transport, request, response, request.socket, Buffer.alloc(0)))
    } else if (transport === 'polling' && this.isProbe(request)) this.answerProbe(request, response)
    else this.visit(new Visit(transport, request, response, request.socket, Buffer.alloc(0)))
  }

  private visit (visit: Visit): void {
    this.lastUpgrade = visit.transport === 'websocket' ? visit : undefined
    this.counts[visit.transport]++
    // Polls share a socket one after another.
    const connection = visit.response ?? visit.socket
    connection.on('close', () => {
      visit.isGone = true
      this.watch.changed()
    })
    this.admit(visit)
  }

  /** Keeps a request for the next step, unless it meets an obstacle or asks for what the server refuses. */
  private admit (visit: Visit): void {
    const obstacle = this.obstacles.get(visit.transport)
    const refused = this.refusalOf(visit)
    if (obstacle !== undefined) this.obstruct(visit, obstacle)
    else if (refused !== undefined) visit.refuse(refused)
    else this.visits.push(visit)
  }

  private refusalOf ({ asked }: Visit): ErrorCode | undefined {
    return asked.map(({ selector }) => this.refused.get(selector)).find(code => code !== undefined)
  }

  private obstruct (visit: Visit, obstacle: Obstacle): void {
    switch (obstacle.kind) {
      case 'page':
        visit.answer(obstacle.status, 'text/html', PROXY_PAGE)
        break
      case 'hangs': break
      case 'mute':
        if (visit.transport === 'websocket') this.accept(visit)?.on('error', () => {})
        else visit.response!.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
        break
      case 'cuts':
        visit.socket.destroy()
        break
      case 'refuses':
        visit.refuse(obstacle.code)
        break
    }
  }

  private answerHead (visit: Visit): void {
    const { transport, response } = visit
    const obstacle = this.obstacles.get(transport)
    const code = obstacle?.kind === 'refuses' ? obstacle.code : this.refusalOf(visit)
    response!.writeHead(code === undefined ? 200 : errorTable[code].status)
    response!.end()
  }

  /** A poll that waits for nothing, of a client that reads an event stream, is a probe. */
  private isProbe (request: IncomingMessage): boolean {
    const { after, wait } = readQuery(request)
    return after !== undefined && wait === undefined && this.counts['event-stream'] > 0 &&
      (!this.allowed.includes('polling') || this.counts.polling === 0)
  }

  private answerProbe (request: IncomingMessage, response: ServerResponse): void {
    const after = readQuery(request).after!
    if (this.probe === 'hangs') return
    const nothing = { cursor: after, messages: [], more: false }
    respond(response, 200, typeof this.probe === 'object' ? this.probe : nothing)
  }
}

function respond (response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
