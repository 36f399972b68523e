import { binance } from './binance/parser.js'
import { coinbase } from './coinbase/parser.js'
import { kraken } from './kraken/parser.js'
import type { Venue } from './venue.js'

/** The venues whose frames the server understands: a new one is a folder here and a name in this list. */
export const venues: readonly Venue[] = [coinbase, kraken, binance]
