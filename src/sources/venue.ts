import type { Instrument } from '@tickwire/protocol'
import type { SourceMessage } from './source.js'

/** Turns the frames of one venue into messages; remembers what it needs of earlier frames. */
export interface VenueParser {
  /**
   * @param payload a frame as the venue sent it
   * @throws SyntaxError if it is not JSON
   */
  parse (payload: string): readonly SourceMessage[]
  /** Reads what the venue answered to an HTTP request, where it needs that. @throws as {@link parse} */
  answer? (request: URL, body: string): readonly SourceMessage[]
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
  createParser (): VenueParser
  /** Returns the instruments for which a client's subscribe frame asks. */
  instruments (subscribeFrame: string): readonly Instrument[]
  /** Returns the instruments for which the address of the feed asks, where it does. */
  instrumentsOf? (address: URL): readonly Instrument[]
}
