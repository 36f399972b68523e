import { Agent, type ClientRequest, get, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { constants, createGunzip, gunzipSync } from 'node:zlib'
import { WebSocket } from 'ws'
import type { Message, TransportName } from '../helpers/clients.js'

/** Seconds for which a poll may be held. */
const POLL_WAIT_S = 5
/** Between two polls of a client. */
const POLL_PAUSE_MS = 700

export interface WireOptions {
  readonly origin: string
  /** What stands behind the `?`. */
  readonly query: string
  readonly after: string | undefined
  /** Whether the client offers to read what is compressed. */
  readonly compressed: boolean
  /** The id that a client of polls chose. */
  readonly requestId: string | undefined
}

export interface WireEvents {
  onMessage (message: Message): void
  onCursor (cursor: string): void
  /** A poll is answered: its messages come next, then its cursor. */
  onAnswer (): void
  /** The server gave another answer than the stream. */
  onRefused (reason: string): void
  /** Whoever ended it; the last that is heard. */
  onClosed (): void
}

/** A client's end of a stream that can stop reading: cheap, as thousands share a process. */
export interface Wire {
  /** Reads nothing more, so that the server cannot send. */
  stall (): void
  readOn (): void
  /** WebSocket only. */
  send (message: object): void
  /** As a broken network would. */
  cut (): void
  /** As a client does that is done. */
  leave (): void
}

/** The connections that polls use again. */
export class PollAgent extends Agent {
  constructor () {
    super({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: Infinity })
  }
}

/** One connection for each event stream, gone with it. */
const streams = new Agent({ keepAlive: false, maxSockets: Infinity })

export function openWire (transport: TransportName, options: WireOptions, events: WireEvents, polls: PollAgent): Wire {
  switch (transport) {
    case 'ws-json': return openWebSocket('tickwire.v1.json', options, events)
    case 'ws-batch': return openWebSocket('tickwire.v1.batch', options, events)
    case 'sse': return openEventStream(options, events)
    case 'poll': return new Poller(options, events, polls)
  }
}

const target = ({ origin, query, after }: WireOptions): string => `${origin}/v1/stream?${query}${after === undefined ? '' : `&after=${after}`}`

function take (message: Message, events: WireEvents): void {
  if (message.type === 'cursor' || message.type === 'heartbeat') events.onCursor(message['cursor'] as string)
  else events.onMessage(message)
}

function openWebSocket (protocol: string, options: WireOptions, events: WireEvents): Wire {
  const socket = new WebSocket(target(options).replace('http', 'ws'), protocol, { perMessageDeflate: options.compressed })
  socket.on('message', (data: Buffer) => {
    const value = JSON.parse(data.toString()) as Message | Message[]
    if (Array.isArray(value)) for (const message of value) take(message, events)
    else take(value, events)
  })
  socket.on('unexpected-response', (request, response) => { refuse(request, response, events) })
  socket.on('error', () => {})
  socket.on('close', () => { events.onClosed() })
  return {
    stall: () => { socket.pause() },
    readOn: () => { socket.resume() },
    send: message => { if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message)) },
    cut: () => { socket.terminate() },
    leave: () => {
      // What is not read holds up the server's answer to the close.
      socket.resume()
      socket.close()
    }
  }
}

function refuse (request: ClientRequest, response: IncomingMessage, events: WireEvents): void {
  let text = ''
  response.setEncoding('utf8').on('data', chunk => { text += String(chunk) }).on('close', () => {
    events.onRefused(`${response.statusCode}: ${text}`)
    request.destroy()
  })
}

function openEventStream (options: WireOptions, events: WireEvents): Wire {
  let socket: Socket | undefined
  const request = get(target(options), { agent: streams, headers: { accept: 'text/event-stream', 'accept-encoding': options.compressed ? 'gzip' : 'identity' } })
  request.on('socket', own => { socket = own })
  request.on('response', response => {
    if (response.statusCode !== 200) {
      refuse(request, response, events)
      return
    }
    let text = ''
    inflated(response).on('data', (chunk: Buffer) => {
      const parts = (text + chunk.toString('latin1')).split('\n\n')
      text = parts.pop()!
      for (const block of parts) {
        const part = block.startsWith('retry: ') ? block.slice(block.indexOf('\n') + 1) : block
        if (part.startsWith('data: ')) events.onMessage(JSON.parse(part.slice(6)) as Message)
        else if (part.startsWith('event: cursor\nid: ')) events.onCursor(part.slice(18, part.indexOf('\n', 18)))
      }
    })
    response.on('error', () => {})
  })
  request.on('error', () => {})
  request.on('close', () => { events.onClosed() })
  const cut = (): void => { request.destroy() }
  return {
    stall: () => { socket?.pause() },
    readOn: () => { socket?.resume() },
    send: () => {},
    cut,
    leave: cut
  }
}

/** What was sent at once can be read at once; a stream has no end that could be checked. */
function inflated (response: IncomingMessage): Readable {
  if (response.headers['content-encoding'] !== 'gzip') return response
  return response.pipe(createGunzip({ flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH })).on('error', () => {})
}

/** Polls one after another; one that is stalled asks no more. */
class Poller implements Wire {
  private cursor: string | undefined
  private request: ClientRequest | undefined
  private timer: NodeJS.Timeout | undefined
  private stalled = false
  private closed = false

  constructor (private readonly options: WireOptions, private readonly events: WireEvents, private readonly agent: PollAgent) {
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
    this.request?.destroy()
    this.close()
  }

  leave (): void {
    this.cut()
  }

  private poll (): void {
    if (this.closed) return
    // `fresh` is for the first of them.
    const query = this.cursor === this.options.after ? this.options.query : this.options.query.replaceAll(';fresh', '')
    const { compressed, requestId } = this.options
    const headers = { 'accept-encoding': compressed ? 'gzip' : 'identity', ...(requestId === undefined ? {} : { 'x-request-id': requestId }) }
    const request = get(`${target({ ...this.options, query, after: this.cursor })}&wait=${POLL_WAIT_S}`, { agent: this.agent, headers })
    this.request = request
    request.on('response', response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => { chunks.push(chunk) })
      response.on('error', () => {})
      response.on('end', () => { this.answered(response, Buffer.concat(chunks)) })
    })
    request.on('error', () => { this.close() })
  }

  private answered ({ statusCode, headers }: IncomingMessage, bytes: Buffer): void {
    this.request = undefined
    if (this.closed) return
    const text = (headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString()
    if (statusCode !== 200) {
      this.events.onRefused(`${statusCode}: ${text}`)
      this.close()
      return
    }
    const { cursor, messages } = JSON.parse(text) as { cursor: string, messages: readonly Message[] }
    this.events.onAnswer()
    for (const message of messages) this.events.onMessage(message)
    this.cursor = cursor
    this.events.onCursor(cursor)
    if (!this.stalled) this.timer = setTimeout(() => { this.poll() }, POLL_PAUSE_MS)
  }

  private close (): void {
    if (this.closed) return
    this.closed = true
    clearTimeout(this.timer)
    this.events.onClosed()
  }
}
