import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'

/**
 * Clients written after PROTOCOL.md, sharing nothing with src: each hands every message, in order, to `onMessage`
 * and every cursor to `onCursor`.
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

export interface ClientEvents {
  onMessage (message: Message): void
  onCursor (cursor: string): void
}

export interface Client {
  /** Cuts the connection as a broken network would. */
  cut (): void
  /** Resolves when the connection is gone, whoever ended it. */
  readonly ended: Promise<void>
}

export type TransportName = 'ws-json' | 'ws-batch' | 'sse' | 'poll'
export const transportNames: readonly TransportName[] = ['ws-json', 'ws-batch', 'sse', 'poll']

/**
 * Opens a stream. `query` is everything behind the `?` but `after`.
 * @param pollPauseMs between two polls: many clients that poll without a pause leave the server to nobody else
 * @param compressed whether the client offers to read what is compressed, as browsers do
 */
export function openClient (
  transport: TransportName, origin: string, query: string, after: string | undefined, events: ClientEvents, pollPauseMs = 1, compressed = true
): Client {
  const resumed = after === undefined ? query : `${query}&after=${encodeURIComponent(after)}`
  switch (transport) {
    case 'ws-json': return openWebSocket(origin, resumed, 'tickwire.v1.json', events, compressed)
    case 'ws-batch': return openWebSocket(origin, resumed, 'tickwire.v1.batch', events, compressed)
    case 'sse': return openEventStream(origin, query, after, events, compressed)
    case 'poll': return openPoll(origin, query, after, events, pollPauseMs, compressed)
  }
}

function take (message: Message, events: ClientEvents): void {
  if (message.type === 'cursor' || message.type === 'heartbeat') events.onCursor(message['cursor'] as string)
  if (message.type !== 'cursor') events.onMessage(message)
}

export interface WebSocketClient extends Client {
  readonly socket: WebSocket
  send (message: unknown): void
}

export function openWebSocket (origin: string, query: string, protocol: string, events: ClientEvents, compressed = true): WebSocketClient {
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/v1/stream?${query}`, protocol, { perMessageDeflate: compressed })
  let live = true
  socket.on('message', data => {
    if (!live) return
    const value = JSON.parse(String(data)) as Message | Message[]
    for (const message of Array.isArray(value) ? value : [value]) if (live) take(message, events)
  })
  socket.on('error', () => {})
  const ended = new Promise<void>(resolve => { socket.on('close', () => { resolve() }) })
  return {
    socket,
    ended,
    cut: () => { live = false; socket.terminate() },
    send: message => { socket.send(typeof message === 'string' ? message : JSON.stringify(message)) }
  }
}

/** What `fetch` asks for by itself, or nothing. */
const acceptEncoding = (compressed: boolean): string => compressed ? 'gzip, deflate' : 'identity'

function openEventStream (origin: string, query: string, after: string | undefined, events: ClientEvents, compressed: boolean): Client {
  const abort = new AbortController()
  const ended = (async () => {
    try {
      const response = await fetch(`${origin}/v1/stream?${query}`, {
        headers: { accept: 'text/event-stream', 'accept-encoding': acceptEncoding(compressed), ...(after === undefined ? {} : { 'last-event-id': after }) }, signal: abort.signal
      })
      if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`)
      let text = ''
      const decoder = new TextDecoder()
      for await (const chunk of response.body!) {
        text += decoder.decode(chunk as Uint8Array, { stream: true })
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const lines = text.slice(0, end).split('\n')
          text = text.slice(end + 2)
          if (abort.signal.aborted) return
          const field = (name: string): string | undefined => lines.find(line => line.startsWith(name + ': '))?.slice(name.length + 2)
          if (field('event') === 'cursor') events.onCursor(field('id')!)
          else if (field('data') !== undefined) events.onMessage(JSON.parse(field('data')!) as Message)
        }
      }
    } catch (error) {
      if (!abort.signal.aborted && !(error instanceof TypeError)) throw error
    }
  })()
  return { ended, cut: () => { abort.abort() } }
}

function openPoll (origin: string, query: string, after: string | undefined, events: ClientEvents, pauseMs: number, compressed: boolean): Client {
  const abort = new AbortController()
  const ended = (async () => {
    let cursor = after
    while (!abort.signal.aborted) {
      try {
        const resumed = cursor === undefined ? '' : `&after=${encodeURIComponent(cursor)}`
        const response = await fetch(`${origin}/v1/stream?${query}&wait=5${resumed}`, { headers: { 'accept-encoding': acceptEncoding(compressed) }, signal: abort.signal })
        if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`)
        const answer = await response.json() as { cursor: string, messages: Message[], more: boolean }
        for (const message of answer.messages) if (!abort.signal.aborted) events.onMessage(message)
        if (abort.signal.aborted) return
        cursor = answer.cursor
        events.onCursor(cursor)
        await delay(pauseMs)
      } catch (error) {
        if (abort.signal.aborted) return
        throw error
      }
    }
  })()
  return { ended, cut: () => { abort.abort() } }
}

/** A topic's messages as a client that follows the rule of PROTOCOL.md has them. */
export class RuleFollower {
  readonly accepted: Message[] = []
  readonly gaps: string[] = []
  readonly resets: Message[] = []
  duplicates = 0
  private readonly last = new Map<string, number>()

  take (message: Message): void {
    const topic = `${message.channel}:${message.symbol ?? ''}`
    if (message.type === 'reset') {
      this.last.delete(topic)
      this.resets.push(message)
      return
    }
    if (message.sequence === undefined) return
    const last = this.last.get(topic)
    const { sequence } = message
    if (message.snapshot === true) {
      if (last !== undefined && sequence <= last) {
        this.duplicates++
        return
      }
      // A published snapshot is a message of its own; it must not jump over others.
    } else if (last !== undefined) {
      if (sequence <= last) {
        this.duplicates++
        return
      }
    }
    if (last !== undefined && message.snapshot !== true && (message.prev ?? sequence - 1) > last) this.gaps.push(`${topic} ${last} → ${sequence}`)
    this.last.set(topic, sequence)
    this.accepted.push(message)
  }
}

/** Waits until something holds; fails loudly with what it waited for. */
export async function until (what: string, holds: () => boolean, timeoutMs = 20_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`)
    await delay(5)
  }
}
