import type { Instrument } from '@tickwire/protocol'
import type { SourceMessage } from './source.js'

/** Turns one venue's frames into messages; holds what it must know of the frames before. */
export interface VenueParser {
  /**
   * @param payload a frame as the venue sent it
   * @throws SyntaxError where it is not JSON
   */
  parse (payload: string): readonly SourceMessage[]
}

/** What is particular to a venue. Prices and sizes leave it byte for byte as they came, but for e-notation, which `plainDecimal` writes out; what cannot be
 * delivered leaves it, too, and is refused where that is counted. */
export interface Venue {
  readonly name: string
  /** The hosts whose frames it understands. */
  readonly hosts: readonly string[]
  /** What its frames become messages of. */
  readonly channels: readonly string[]
  createParser (): VenueParser
  /** The instruments that a client's subscribe frame asks for. */
  instruments (subscribeFrame: string): readonly Instrument[]
}
