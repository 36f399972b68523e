import type { Command } from '@tickwire/protocol'
import { Draft } from './draft.js'
import type { ExchangeIndex } from './exchange-index.js'
import { Ledger } from './ledger.js'
import type { MarketView } from './market-view.js'
import { matchBook, matchLast, matchTrade } from './matching.js'
import { decideRequest } from './requests.js'
import { changeMarket, dueAt, passTime } from './sessions.js'
import type { Decision, ExchangeState } from './state.js'

/** What the exchange decides about. All times are in milliseconds since 1970. */
export type Happening =
  | { readonly kind: 'command', readonly user: string, readonly command: Command, readonly time: number }
  /** The book of a symbol has changed, or the quote that stands in for it. */
  | { readonly kind: 'book', readonly symbol: string, readonly time: number }
  /** A new trade. Corrections of trades are none. */
  | {
    readonly kind: 'trade'
    readonly symbol: string
    readonly price: string
    readonly size: string
    readonly time: number
  }
  /** A last price that came without its trade. */
  | { readonly kind: 'last', readonly symbol: string, readonly price: string, readonly time: number }
  | { readonly kind: 'market', readonly market: string, readonly time: number }
  /** Time has passed; see {@link Exchange.nextDue}. */
  | { readonly kind: 'time', readonly time: number }

/** The paper exchange: it fills orders from what the market displays and trades. */
export class Exchange extends Ledger<Happening> {
  override decide (state: ExchangeState, market: MarketView, happening: Happening): Decision | undefined {
    const index = this.indexOf(state)
    if (!concerns(state, index, happening)) return undefined
    const draft = new Draft(state, index, this.rules, market, happening.time)
    switch (happening.kind) {
      case 'command':
        decideRequest(draft, state, happening.user, happening.command)
        break
      case 'book':
        matchBook(draft, happening.symbol)
        break
      case 'trade':
        matchTrade(draft, happening.symbol, happening.price, happening.size)
        break
      case 'last':
        matchLast(draft, happening.symbol, happening.price)
        break
      case 'market':
        changeMarket(draft, state, happening.market)
        break
      case 'time':
        passTime(draft, state)
        break
    }
    return draft.decision()
  }

  override nextDue (state: ExchangeState, now: number): number | undefined {
    const index = this.indexOf(state)
    return dueAt(index, index.nextDue(now), now)
  }
}

/** Most messages of the market are about symbols that nobody trades. */
function concerns (state: ExchangeState, index: ExchangeIndex, happening: Happening): boolean {
  switch (happening.kind) {
    case 'book':
      return index.ofSymbol(happening.symbol) !== undefined || Object.hasOwn(state.taken, happening.symbol)
    case 'trade':
    case 'last':
      return index.ofSymbol(happening.symbol) !== undefined
    default:
      return true
  }
}
