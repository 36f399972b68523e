import { binance } from './binance/index.js'
import { coinbase } from './coinbase/index.js'
import { kraken } from './kraken/index.js'
import { upbit } from './upbit/index.js'
import type { Venue } from './venue.js'

/** The venues that the server knows: a new one is a folder here and a name in this list. */
export const venues: readonly Venue[] = [coinbase, kraken, binance, upbit]
