import { setTimeout as delay } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import {
  type Message, openWire, type TransportName, WebSocketWire, type Wire, type WireEvents
} from './wires.js'

export { type Message, type TransportName, transportNames } from './wires.js'

/** Each client hands every message, in order, to `onMessage` and every cursor to `onCursor`. */
export type ClientEvents = Pick<WireEvents, 'onMessage' | 'onCursor'>
type WebSocketClientEvents = ClientEvents & Pick<WireEvents, 'onRefused'>

export interface Client {
  /** Cuts the connection as a broken network would. */
  cut (): void
  /** Resolves when the connection is gone, whoever ended it. */
  readonly ended: Promise<void>
}

/**
 * Opens a stream. `query` is everything behind the `?` but `after`.
 * @param pollPauseMs between two polls
 * @param compressed whether the client offers to read what is compressed, as browsers do
 */
export function openClient (
  transport: TransportName, origin: string, query: string, after: string | undefined, events: ClientEvents,
  pollPauseMs = 1, compressed = true
): Client {
  let wire: Wire | undefined
  const ended = new Promise<void>((resolve, reject) => {
    wire = openWire(transport, { origin, query, after, compressed, pollPauseMs }, {
      ...events,
      // A browser's WebSocket reports neither refusals nor errors, so this client does not either.
      onRefused: reason => { if (!transport.startsWith('ws')) reject(new Error(reason)) },
      onClosed: error => {
        if (error !== undefined && transport === 'poll') reject(error)
        else resolve()
      }
    })
  })
  return { ended, cut: () => { wire!.cut() } }
}

export interface WebSocketClient extends Client {
  readonly socket: WebSocket
  send (message: unknown): void
}

export function openWebSocket (
  origin: string, query: string, protocol: string, events: WebSocketClientEvents, compressed = true
): WebSocketClient {
  let close = (): void => {}
  const ended = new Promise<void>(resolve => { close = resolve })
  const options = { origin, query, compressed, pollPauseMs: 0 }
  const wire = new WebSocketWire(protocol, options, { ...events, onClosed: close })
  const { socket } = wire
  return {
    socket,
    ended,
    cut: () => { wire.cut() },
    send: message => { socket.send(typeof message === 'string' ? message : JSON.stringify(message)) }
  }
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
    const { sequence, snapshot, prev } = message
    if (sequence === undefined || message.type === 'acknowledged') return
    const last = this.last.get(topic)
    if (last !== undefined && sequence <= last) {
      this.duplicates++
      return
    }
    if (last !== undefined && snapshot !== true && (prev ?? sequence - 1) > last) {
      this.gaps.push(`${topic} ${last} → ${sequence}`)
    }
    this.last.set(topic, sequence)
    this.accepted.push(message)
  }
}

/** Waits until something holds; fails loudly with what it waited for. */
export async function until (what: string, holds: () => boolean, timeoutMs = 60_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`)
    await delay(5)
  }
}
