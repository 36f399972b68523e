import type { Instrument } from '@tickwire/protocol'
import type { ConnectionLimits } from '../live/connection.js'
import type { RestBudget } from '../live/rest.js'
import type { SourceMessage } from '../source.js'

/** What a live feed hears of its frames beside messages. Symbols are the venue's own. */
export interface FeedListener {
  /** A book is not what the venue has: it needs a snapshot. */
  bookFailed (symbol: string): void
  /** The venue does not serve a symbol. */
  refused (symbol: string, reason: string): void
  /** All symbols that the venue has: it has no other. */
  listed (symbols: readonly string[]): void
  /** What the venue says of an instrument. */
  described (symbol: string, facts: InstrumentFacts): void
  /** The numbers of trades show that some did not come. */
  missedTrades (symbol: string, count: number): void
  /** The venue has taken a subscription. */
  subscribed (): void
  /** The venue is about to end the connection. */
  ending (): void
}

export type InstrumentFacts = Pick<Instrument, 'tick_size' | 'lot_size'>

export interface ParserOptions {
  /**
   * Returns a symbol in the spelling that all sources share; undefined for one for which nobody asked, whose
   * messages are left out. Absent: all symbols are read.
   */
  readonly symbolOf?: (venueSymbol: string) => string | undefined
  readonly listener?: FeedListener
  /** By the venue's symbols, the number of the newest trade, so that no trade of before is repeated. */
  readonly lastTrades?: Map<string, number>
}

/** Turns the frames of one connection into messages; remembers what it needs of earlier frames. */
export interface VenueParser {
  /**
   * @param payload a frame as the venue sent it
   * @param receivedAt when it came, in milliseconds since 1970; absent if nobody knows
   * @throws SyntaxError if it is not JSON
   */
  parse (payload: string, receivedAt?: number): readonly SourceMessage[]
  /**
   * Reads what the venue answered to an HTTP request, where it needs that.
   * @param status absent for an answer of a recording, which was good
   * @throws as {@link parse}
   */
  answer? (request: URL, body: string, status?: number): readonly SourceMessage[]
  /** Notes that the connection is lost. @returns the messages that make its books stale */
  cut (detail: string): readonly SourceMessage[]
}

/** A request below the venue's address. */
export interface VenueRequest {
  readonly path: string
  readonly weight: number
}

/** Where a venue sends from, what it must be told, and what it allows. Symbols are the venue's own. */
export interface Feed extends ConnectionLimits {
  /** The address of its WebSocket. */
  readonly url: string
  /** How many symbols one connection may have. */
  readonly symbolsPerConnection: number
  /** After how long the venue cuts a connection, whatever comes: the next one stands before that. */
  readonly maxAgeMs?: number
  /** The depths of a book that it has; the first is taken where none is asked for. */
  readonly depths?: readonly number[]
  /** Returns the messages that subscribe to everything of some symbols. */
  subscribe (symbols: readonly string[], options: SubscribeOptions): readonly string[]
  /** How a book gets a fresh snapshot. Absent: each of its messages is one. */
  readonly resync?: Resync
  readonly rest?: VenueRest
}

export interface SubscribeOptions {
  readonly depth: number | undefined
  /** Whether the connection stood before: the venue may then say what was missed. */
  readonly isAgain: boolean
}

/** By messages on the connection, or by a request. */
export type Resync =
  | { messages (symbol: string, depth: number | undefined): readonly string[] }
  | { request (symbol: string): VenueRequest }

export interface VenueRest {
  /** The address of its REST interface, without a path. */
  readonly url: string
  readonly budget: RestBudget
  /** Returns what to ask to know the instruments. */
  describe (symbols: readonly string[]): readonly VenueRequest[]
}

/**
 * What is particular to a venue. It passes prices and sizes on byte for byte, except that `plainDecimal`
 * writes out e-notation. It passes on quotes and trades that cannot be delivered, too: the publisher refuses
 * and counts those. A book whose frames cannot be read becomes stale.
 */
export interface Venue {
  readonly name: string
  /** The hosts whose frames it understands. A recording names one of them. */
  readonly hosts: readonly string[]
  /** The channels of the messages that its frames become. */
  readonly channels: readonly string[]
  createParser (options?: ParserOptions): VenueParser
  /** Returns how the venue spells a symbol: `BTC-USD` is `BTC/USD`. Undefined for one that it cannot have. */
  venueSymbolOf (symbol: string): string | undefined
  /** Returns an instrument as it is known before the venue has said more. */
  instrument (venueSymbol: string): Instrument
  /** Returns the instruments for which a client's subscribe frame asks. */
  instruments (subscribeFrame: string): readonly Instrument[]
  /** Returns the instruments for which the address of the feed asks, where it does. */
  instrumentsOf? (address: URL): readonly Instrument[]
  readonly feed: Feed
}
