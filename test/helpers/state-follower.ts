import type { Message } from './clients.js'

type Level = readonly [price: string, size: string]
interface Book { readonly bids: readonly Level[], readonly asks: readonly Level[] }

const isBook = (data: unknown): data is Book => typeof data === 'object' && data !== null && 'bids' in data

/** The state of a topic after one more message. @param replaces whether the message is a snapshot */
export function foldState (state: unknown, data: unknown, replaces: boolean): unknown {
  if (!isBook(data)) return data
  const before = replaces || !isBook(state) ? { bids: [], asks: [] } : state
  const side = (old: readonly Level[], levels: readonly Level[], sign: number): Level[] => {
    const sizes = new Map([...old, ...levels])
    return [...sizes]
      .filter(([, size]) => Number(size) !== 0)
      .sort(([a], [b]) => sign * (Number(a) - Number(b)))
  }
  return { ...data, bids: side(before.bids, data.bids, -1), asks: side(before.asks, data.asks, 1) }
}

/**
 * A client of PROTOCOL.md that keeps states. It checks the client's rule and what the protocol promises
 * within a connection, and throws at every breach.
 */
export class StateFollower {
  readonly states = new Map<string, unknown>()
  private readonly last = new Map<string, number>()
  private sent = new Map<string, number>()

  /** A new connection: what it sends may have been sent before. */
  connect (): void {
    this.sent = new Map()
  }

  forget (topic: string): void {
    this.last.delete(topic)
    this.sent.delete(topic)
    this.states.delete(topic)
  }

  holds (topic: string): number | undefined {
    return this.last.get(topic)
  }

  take (message: Message): void {
    const topic = message.symbol === undefined ? message.channel! : `${message.channel}:${message.symbol}`
    if (message.type === 'reset') return this.forget(topic)
    const { sequence, snapshot = false, prev } = message
    if (sequence === undefined) return
    const sent = this.sent.get(topic)
    if (sent !== undefined && (snapshot ? sequence < sent : sequence <= sent)) throw new Error(`${topic}: ${JSON.stringify(message)} after ${sent} on one connection`)
    this.sent.set(topic, sequence)
    const last = this.last.get(topic)
    if (last !== undefined && (snapshot ? sequence < last : sequence <= last)) return
    if (last !== undefined && !snapshot && (prev ?? sequence - 1) > last) throw new Error(`${topic}: a gap between ${last} and ${JSON.stringify(message)}`)
    this.last.set(topic, sequence)
    this.states.set(topic, foldState(this.states.get(topic), message.data, snapshot))
  }
}
