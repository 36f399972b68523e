import type { VenueProtocol } from '../venue-protocol.js'
import { binance } from './binance.js'
import { coinbase } from './coinbase.js'
import { kraken } from './kraken.js'
import { upbit } from './upbit.js'

/** The venues that the server can play. */
export const protocols: readonly VenueProtocol[] = [kraken, coinbase, binance, upbit]
