import type { Command, OpenOrder } from '@tickwire/protocol'
import { Draft } from './draft.js'
import { ExchangeIndex } from './exchange-index.js'
import type { MarketView } from './market-view.js'
import { matchBook, matchLast, matchTrade } from './matching.js'
import { dayOf } from './portfolio.js'
import { decideRequest } from './requests.js'
import type { Rules } from './rules.js'
import { changeMarket, passTime } from './sessions.js'
import { applyDecision, type Decision, type ExchangeState } from './state.js'

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

/**
 * The paper exchange. It decides by what it is told alone: no clock, no chance, no input and output. The same
 * happenings in the same order make the same decisions.
 */
export class Exchange {
  /** What stands in memory beside each state that decisions are made about. */
  private readonly indexes = new WeakMap<ExchangeState, ExchangeIndex>()

  constructor (private readonly rules: Rules) {}

  /**
   * Decides about a happening. Changes neither the state nor what it is given.
   * @returns undefined if nothing changes
   */
  decide (state: ExchangeState, market: MarketView, happening: Happening): Decision | undefined {
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

  /** Applies a decision: changes the state, and returns it. */
  apply (state: ExchangeState, decision: Decision): ExchangeState {
    this.indexes.get(state)?.follow(decision)
    return applyDecision(state, decision)
  }

  /**
   * Returns when the happening `time` is due next, which may be in the past; undefined if nothing depends on
   * time.
   * @param now milliseconds since 1970
   */
  nextDue (state: ExchangeState, now: number): number | undefined {
    const index = this.indexOf(state)
    const next = index.nextDue(now)
    const isDayNoted = index.notedDay !== undefined && index.notedDay >= dayOf(now)
    return next === undefined || isDayNoted || !index.hasHolders ? next : now
  }

  /** Symbols that have open orders, or that somebody holds: their prices are needed. */
  symbolsInUse (state: ExchangeState): Iterable<string> {
    return this.indexOf(state).symbolsInUse()
  }

  /** Users who hold a symbol: a new price changes the worth of their portfolios. */
  holdersOf (state: ExchangeState, symbol: string): ReadonlySet<string> {
    return this.indexOf(state).holdersOf(symbol)
  }

  /** The open orders of a user, in no order. */
  openOrdersOf (state: ExchangeState, user: string): Iterable<OpenOrder> {
    return this.indexOf(state).ofUser(user).orders.values()
  }

  private indexOf (state: ExchangeState): ExchangeIndex {
    let index = this.indexes.get(state)
    if (index === undefined) this.indexes.set(state, index = new ExchangeIndex(state))
    return index
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
