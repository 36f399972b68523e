import type { Market, Step, VenueTrade } from './market.js'

/** What a frame is about, for what may happen to it on its way. */
export interface About {
  readonly pair: string
  readonly kind: 'book' | 'trade' | 'quote'
}

/** The venue's end of a connection. */
export interface Peer {
  /** @param about absent: the frame is an answer or a sign of life */
  send (text: string, about?: About): void
  ping (): void
  close (code: number, reason: string): void
}

/** What a venue trades. */
export interface Exchange {
  /** By the venue's own spelling. */
  readonly markets: ReadonlyMap<string, Market>
}

export interface Answer {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** One connection of a client, as the venue sees it. */
export interface Session {
  /** Takes what the client sends. */
  receive (text: string): void
  /** Passes on what has happened in a market. */
  step (pair: string, market: Market, step: Step): void
  /** Shows that the venue lives; called again and again. */
  beat (): void
}

export interface VenueProtocol {
  readonly name: string
  /** The name of the market whose status says whether the feed lives. */
  readonly market: string
  pairOf (symbol: string): string
  /**
   * How much the venue lets one know: of every change of the book, of a change of the ten best levels, or of
   * none.
   */
  readonly lets: 'all' | 'best ten' | 'nothing'
  /** The venue's id of a trade. It grows from trade to trade, unless the venue says that it need not. */
  tradeId (trade: VenueTrade): string
  readonly tradesHaveNoOrder?: true
  /** How many messages a client may send in a second. */
  readonly mostMessages: number
  /** Whether the venue sends its JSON in binary frames. */
  readonly isBinary?: true
  connect (peer: Peer, exchange: Exchange, url: URL): Session
  /** Answers a request; undefined: the venue has no such path. */
  answer? (url: URL, exchange: Exchange): Answer | undefined
  /** A frame that says that the connection will be cut, where the venue has one. */
  shutdown? (): string
}

/** Reads what a client sent; undefined where it is not JSON. */
export function parse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter(item => typeof item === 'string') : []

/** Microseconds since 1970 as ISO 8601. */
export const instant = (microseconds: number): string =>
  new Date(microseconds / 1000).toISOString().replace('Z', `${String(microseconds % 1000).padStart(3, '0')}Z`)

export const now = (): number => Date.now() * 1000
