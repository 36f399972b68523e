import { type Listing, newcomers } from './instruments.js'
import type { Random } from './random.js'

/**
 * How many instruments may be away from their first market or sector at a time, so that each set still has
 * members weeks later.
 */
const MAX_AWAY = 4

/** Markets whose instruments stay where they are. */
const SETTLED: ReadonlySet<string> = new Set(['CRYPTO', 'FX'])

/** The market to which an instrument of a market may move. */
const TRANSFERS: Readonly<Record<string, string>> = { KOSDAQ: 'KOSPI' }

/** A change of the list: an instrument is new, or has another market or sector. */
export interface MembershipChange {
  readonly kind: 'listed' | 'moved'
  readonly listing: Listing
}

/**
 * Changes which instrument belongs to which market and sector: a new listing, a move from KOSDAQ to KOSPI, a
 * move to another sector of the same market, and the way back. No instrument is ever delisted: it leaves a
 * set by moving to another.
 */
export class Membership {
  private readonly coming = [...newcomers]
  private readonly away = new Map<string, Listing>()

  constructor (private readonly random: Random) {}

  /** Notes where an instrument is, at home or away: another server's market may have listed or moved it. */
  settle (home: Listing, now: Listing): void {
    const place = this.coming.findIndex(({ symbol }) => symbol === home.symbol)
    if (place >= 0) this.coming.splice(place, 1)
    if (now.market === home.market && now.sector === home.sector) this.away.delete(home.symbol)
    else this.away.set(home.symbol, home)
  }

  next (listings: readonly Listing[]): MembershipChange {
    const { random } = this
    if (this.away.size >= MAX_AWAY) {
      const home = random.oneOf([...this.away.values()])
      this.away.delete(home.symbol)
      return { kind: 'moved', listing: home }
    }
    if (this.coming.length > 0 && random.next() < 0.5) {
      return { kind: 'listed', listing: this.coming.shift()! }
    }
    const settled = listings.filter(({ symbol, market }) => !SETTLED.has(market) && !this.away.has(symbol))
    const moving = random.oneOf(settled)
    this.away.set(moving.symbol, moving)
    const market = TRANSFERS[moving.market]
    if (market !== undefined && random.next() < 0.5) return { kind: 'moved', listing: { ...moving, market } }
    const peers = listings.filter(({ market }) => market === moving.market)
    const sectors = new Set(peers.map(({ sector }) => sector))
    sectors.delete(moving.sector)
    return { kind: 'moved', listing: { ...moving, sector: random.oneOf([...sectors]) } }
  }
}
