import type { OpenOrder } from '@tickwire/protocol'
import { ExchangeIndex } from './exchange-index.js'
import type { MarketView } from './market-view.js'
import type { Rules } from './rules.js'
import { applyDecision, type Decision, type ExchangeState } from './state.js'

/**
 * The orders and accounts of users, whoever fills the orders. It decides by what it is told alone: no clock,
 * no chance, no input and output. The same happenings in the same order make the same decisions.
 */
export abstract class Ledger<
  Happening, State extends ExchangeState = ExchangeState, Decided extends Decision = Decision
> {
  /** What stands in memory beside each state that decisions are made about. */
  private readonly indexes = new WeakMap<State, ExchangeIndex>()

  constructor (protected readonly rules: Rules) {}

  /**
   * Decides about a happening. Changes neither the state nor what it is given.
   * @returns undefined if nothing changes
   */
  abstract decide (state: State, market: MarketView, happening: Happening): Decided | undefined

  /**
   * Returns when time alone changes something, which may be in the past; undefined if nothing depends on
   * time.
   * @param now milliseconds since 1970
   */
  abstract nextDue (state: State, now: number): number | undefined

  /** Applies a decision: changes the state, and returns it. */
  apply (state: State, decision: Decided): State {
    this.indexes.get(state)?.follow(decision)
    return this.change(state, decision)
  }

  /** Symbols that have open orders, or that somebody holds: their prices are needed. */
  symbolsInUse (state: State): Iterable<string> {
    return this.indexOf(state).symbolsInUse()
  }

  /** Users who hold a symbol: a new price changes the worth of their portfolios. */
  holdersOf (state: State, symbol: string): ReadonlySet<string> {
    return this.indexOf(state).holdersOf(symbol)
  }

  /** The open orders of a user, in no order. */
  openOrdersOf (state: State, user: string): Iterable<OpenOrder> {
    return this.indexOf(state).ofUser(user).orders.values()
  }

  /** Applies a decision to the state alone. */
  protected change (state: State, decision: Decided): State {
    applyDecision(state, decision)
    return state
  }

  protected indexOf (state: State): ExchangeIndex {
    let index = this.indexes.get(state)
    if (index === undefined) this.indexes.set(state, index = new ExchangeIndex(state))
    return index
  }
}
