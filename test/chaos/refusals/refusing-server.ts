import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { freePort } from '../../helpers/free-port.js'
import type { Word } from './refusals.js'

/** A server that says one word to whoever comes, and counts how often. */
export class RefusingServer {
  /** When each attempt came, in milliseconds. */
  readonly attempts: number[] = []
  /** How many requests came beside attempts: a client may ask so which of its symbols the server refuses. */
  probes = 0
  /** A browser does not tell why an upgrade was refused, so a client may ask the same by HTTP once. */
  private mayAskWhy = false
  private readonly sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: offered => offered.has('tickwire.v1.json') ? 'tickwire.v1.json' : [...offered][0] ?? false
  })

  private constructor (private readonly server: Server, readonly port: number, private readonly word: Word) {
    server.on('request', (request, response) => { this.answer(request, response) })
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.upgrade(request, socket, head)
    })
  }

  static async start (word: Word): Promise<RefusingServer> {
    const port = await freePort()
    const server = createServer()
    const refusing = new RefusingServer(server, port, word)
    await new Promise<void>(resolve => { server.listen(port, '127.0.0.1', resolve) })
    return refusing
  }

  close (): void {
    for (const client of this.sockets.clients) client.terminate()
    this.sockets.close()
    this.server.closeAllConnections()
    this.server.close()
  }

  private answer (request: IncomingMessage, response: ServerResponse): void {
    const { word } = this
    // What a client asks beside the stream is no attempt at it.
    const isPoll = request.headers.accept?.includes('text/event-stream') !== true
    if (request.method === 'HEAD') this.probes++
    else if (this.mayAskWhy && isPoll) {
      this.probes++
      this.mayAskWhy = false
    } else if (request.url?.startsWith('/v1/stream') === true) this.attempts.push(Date.now())
    if (word.how === 'break') request.socket.resetAndDestroy()
    else if (word.how === 'close') this.stream(response)
    else {
      const { status, headers, body } = page(word)
      response.writeHead(status, headers).end(body)
    }
  }

  /** An event stream's last block begins with `retry:` only where there is a time. */
  private stream (response: ServerResponse): void {
    const retry = this.error.retry_after_ms
    response.writeHead(200, { 'content-type': 'text/event-stream', connection: 'close' })
    response.write(`retry: 3000\ndata: ${JSON.stringify(welcome)}\n\n`)
    response.end(`${retry === undefined ? '' : `retry: ${retry}\n`}data: ${JSON.stringify(this.closing)}\n\n`)
  }

  private upgrade (request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { word } = this
    this.attempts.push(Date.now())
    this.mayAskWhy = true
    socket.on('error', () => {})
    if (word.how === 'break') {
      socket.destroy()
      return
    }
    if (word.how === 'close') {
      this.sockets.handleUpgrade(request, socket, head, client => { this.dismiss(client, word.close) })
      return
    }
    const { status, headers, body } = page(word)
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')
    socket.end(`HTTP/1.1 ${status} Refused\r\n${lines}connection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
  }

  private dismiss (client: WebSocket, code: number): void {
    client.on('error', () => {})
    client.send(JSON.stringify(welcome))
    client.send(JSON.stringify(this.closing))
    client.close(code, this.error.code)
  }

  private get error (): TableError {
    return errorOf(this.word)
  }

  private get closing (): object {
    const { message, ...rest } = this.error
    return { type: 'closing', ...rest, reason: message }
  }
}

const welcome = {
  type: 'welcome', protocol: 'tickwire.v1', connection_id: 'c1', server_time: '2026-01-05T03:00:00.000Z', heartbeat_ms: 5000
}

interface TableError {
  readonly code: string
  readonly message: string
  readonly retry_after_ms?: number
}

function errorOf (word: Word): TableError {
  if (word.how !== 'refuse' && word.how !== 'close') throw new Error('it has no error')
  const { code, retryAfterMs } = word
  return { code, message: 'it always says so', ...retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs } }
}

interface Answer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string
}

function page (word: Word): Answer {
  if (word.how !== 'refuse') {
    const status = word.how === 'page' ? word.status : 500
    return { status, headers: { 'content-type': 'text/html' }, body: '<h1>Bad Gateway</h1>' }
  }
  const { status, retryAfterMs } = word
  const retry = retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }
  const headers = { 'content-type': 'application/json', ...retry }
  return { status, headers, body: JSON.stringify({ type: 'error', ...errorOf(word) }) }
}
