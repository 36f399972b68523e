import { Agent, type ClientRequest, get, type IncomingMessage, type RequestOptions } from 'node:http'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { constants, createGunzip, gunzipSync } from 'node:zlib'
import { WebSocket } from 'ws'

/**
 * A client's end of each kind of stream, written after PROTOCOL.md, sharing nothing with src. It is cheap, as
 * thousands share a process, and can stop reading.
 */
export interface Message {
  readonly type: string
  readonly channel?: string
  readonly symbol?: string
  readonly sequence?: number
  readonly prev?: number
  readonly snapshot?: true
  readonly data?: unknown
  readonly [field: string]: unknown
}

export type TransportName = 'ws-json' | 'ws-batch' | 'sse' | 'poll'
export const transportNames: readonly TransportName[] = ['ws-json', 'ws-batch', 'sse', 'poll']

/** Seconds for which a poll may be held. */
export const POLL_WAIT_S = 5

export interface WireOptions {
  readonly origin: string
  /** What stands behind the `?`, but for `after`. */
  readonly query: string
  readonly after?: string | undefined
  /** Whether the client offers to read what is compressed. */
  readonly compressed: boolean
  /** Between two polls: many clients that poll without a pause leave the server to nobody else. */
  readonly pollPauseMs: number
  /** The id that a client of polls chose. */
  readonly requestId?: string | undefined
}

export interface WireEvents {
  onMessage (message: Message): void
  onCursor (cursor: string): void
  /** A poll is answered: its messages come next, then its cursor. */
  onAnswer? (): void
  /** The server gave another answer than the stream; the end of the wire comes next. */
  onRefused? (reason: string): void
  /** The connection has ended, by either side; no event follows. @param error why a request had no answer */
  onClosed (error?: Error): void
}

export interface Wire {
  /** Reads nothing more, so that the server cannot send. */
  stall (): void
  readOn (): void
  /** WebSocket only. */
  send (message: object): void
  /** As a broken network would: nothing more is heard but the end. */
  cut (): void
  /** As a client does that is done. */
  leave (): void
}

export function openWire (transport: TransportName, options: WireOptions, events: WireEvents): Wire {
  switch (transport) {
    case 'ws-json': return new WebSocketWire('tickwire.v1.json', options, events)
    case 'ws-batch': return new WebSocketWire('tickwire.v1.batch', options, events)
    case 'sse': return new EventStream(options, events)
    case 'poll': return new Poller(options, events)
  }
}

function target ({ origin, query }: WireOptions, after: string | undefined): string {
  return `${origin}/v1/stream?${query}${after === undefined ? '' : `&after=${encodeURIComponent(after)}`}`
}

const acceptEncoding = ({ compressed }: WireOptions): string => compressed ? 'gzip' : 'identity'

function readRefusal (response: IncomingMessage, refused: (reason: string) => void): void {
  let text = ''
  response.setEncoding('utf8').on('data', chunk => { text += String(chunk) }).on('error', () => {})
  response.on('close', () => { refused(`${response.statusCode}: ${text}`) })
}

export class WebSocketWire implements Wire {
  readonly socket: WebSocket
  private live = true

  constructor (protocol: string, options: WireOptions, private readonly events: WireEvents) {
    const url = target(options, options.after).replace('http', 'ws')
    const socket = this.socket = new WebSocket(url, protocol, { perMessageDeflate: options.compressed })
    socket.on('message', data => {
      if (!this.live) return
      const value = JSON.parse(String(data)) as Message | Message[]
      for (const message of Array.isArray(value) ? value : [value]) if (this.live) this.take(message)
    })
    socket.on('unexpected-response', (_request: ClientRequest, response: IncomingMessage) => {
      readRefusal(response, reason => {
        if (this.live) events.onRefused?.(reason)
        // Where the answer is looked at, the socket does not close by itself.
        socket.terminate()
      })
    })
    socket.on('error', () => {})
    socket.on('close', () => { events.onClosed() })
  }

  stall (): void {
    this.socket.pause()
  }

  readOn (): void {
    this.socket.resume()
  }

  send (message: object): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message))
  }

  cut (): void {
    this.live = false
    this.socket.terminate()
  }

  leave (): void {
    // What is not read holds up the server's answer to the close.
    this.socket.resume()
    this.socket.close()
  }

  private take (message: Message): void {
    const { type } = message
    if (type === 'cursor' || type === 'heartbeat') this.events.onCursor(message['cursor'] as string)
    if (type !== 'cursor') this.events.onMessage(message)
  }
}

class EventStream implements Wire {
  private readonly request: ClientRequest
  private socket: Socket | undefined
  private text = ''
  private live = true
  private closed = false

  constructor (options: WireOptions, private readonly events: WireEvents) {
    const headers = {
      accept: 'text/event-stream',
      'accept-encoding': acceptEncoding(options),
      ...(options.after === undefined ? {} : { 'last-event-id': options.after })
    }
    const request = this.request = get(target(options, undefined), { agent: false, headers })
    request.on('socket', socket => { this.socket = socket })
    request.on('response', response => {
      if (response.statusCode === 200) this.read(inflated(response))
      else {
        readRefusal(response, reason => {
          if (this.live) events.onRefused?.(reason)
          this.close()
        })
      }
    })
    request.on('error', error => { this.close(error) })
  }

  stall (): void {
    this.socket?.pause()
  }

  readOn (): void {
    this.socket?.resume()
  }

  send (): void {}

  cut (): void {
    this.live = false
    this.request.destroy()
  }

  leave (): void {
    this.cut()
  }

  private read (body: Readable): void {
    body.setEncoding('utf8').on('data', (chunk: string) => {
      const blocks = (this.text + chunk).split('\n\n')
      this.text = blocks.pop()!
      for (const block of blocks) if (this.live) this.take(block.split('\n'))
    })
    body.on('error', () => {})
    body.on('close', () => { this.close() })
  }

  private take (lines: readonly string[]): void {
    const field = (name: string): string | undefined =>
      lines.find(line => line.startsWith(name))?.slice(name.length)
    const data = field('data: ')
    if (field('event: ') === 'cursor') this.events.onCursor(field('id: ')!)
    else if (data !== undefined) this.events.onMessage(JSON.parse(data) as Message)
  }

  private close (error?: Error): void {
    if (this.closed) return
    this.closed = true
    this.events.onClosed(this.live ? error : undefined)
  }
}

/** What was sent at once can be read at once; a stream has no end that could be checked. */
function inflated (response: IncomingMessage): Readable {
  response.on('error', () => {})
  if (response.headers['content-encoding'] !== 'gzip') return response
  const { Z_SYNC_FLUSH } = constants
  const plain = response.pipe(createGunzip({ flush: Z_SYNC_FLUSH, finishFlush: Z_SYNC_FLUSH }))
  // A pipe does not pass on that the connection broke.
  response.on('close', () => { plain.end() })
  return plain
}

/** Polls one after another over one connection; one that is stalled asks no more. */
class Poller implements Wire {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 })
  private cursor: string | undefined
  private request: ClientRequest | undefined
  private timer: NodeJS.Timeout | undefined
  private stalled = false
  private closed = false

  constructor (private readonly options: WireOptions, private readonly events: WireEvents) {
    this.cursor = options.after
    this.poll()
  }

  stall (): void {
    this.stalled = true
    clearTimeout(this.timer)
  }

  readOn (): void {
    this.stalled = false
    if (this.request === undefined) this.poll()
  }

  send (): void {}

  cut (): void {
    this.close()
  }

  leave (): void {
    this.close()
  }

  private poll (): void {
    if (this.closed) return
    const { options, agent, cursor } = this
    // `fresh` is for the first of them.
    const query = cursor === options.after ? options.query : options.query.replaceAll(';fresh', '')
    const headers: RequestOptions['headers'] = { 'accept-encoding': acceptEncoding(options) }
    if (options.requestId !== undefined) headers['x-request-id'] = options.requestId
    const url = target({ ...options, query: `${query}&wait=${POLL_WAIT_S}` }, cursor)
    const request = get(url, { agent, headers })
    this.request = request
    request.on('response', response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => { chunks.push(chunk) })
      response.on('error', error => { this.close(error) })
      response.on('end', () => { this.answered(response, Buffer.concat(chunks)) })
    })
    request.on('error', error => { this.close(error) })
  }

  private answered ({ statusCode, headers }: IncomingMessage, bytes: Buffer): void {
    this.request = undefined
    if (this.closed) return
    const text = (headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString()
    if (statusCode !== 200) {
      this.events.onRefused?.(`${statusCode}: ${text}`)
      this.close()
      return
    }
    const { cursor, messages } = JSON.parse(text) as { cursor: string, messages: readonly Message[] }
    this.events.onAnswer?.()
    for (const message of messages) if (!this.isClosed()) this.events.onMessage(message)
    if (this.isClosed()) return
    this.cursor = cursor
    this.events.onCursor(cursor)
    if (!this.stalled) this.timer = setTimeout(() => { this.poll() }, this.options.pollPauseMs)
  }

  /** Tells whether a listener has cut the wire meanwhile. */
  private isClosed (): boolean {
    return this.closed
  }

  private close (error?: Error): void {
    if (this.closed) return
    this.closed = true
    clearTimeout(this.timer)
    this.request?.destroy()
    this.agent.destroy()
    this.events.onClosed(error)
  }
}
