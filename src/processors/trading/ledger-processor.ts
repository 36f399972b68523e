import { type Channels, type Order, orders } from '@tickwire/protocol'
import type { Ledger } from '../../trading/ledger.js'
import type { Rules } from '../../trading/rules.js'
import type { Decision, ExchangeState } from '../../trading/state.js'
import type { JournalProcessor } from '../processor.js'
import type { MarketDemand } from './interest.js'
import type { LedgerRunOptions } from './ledger-run.js'

/** What a processor needs that decides about orders. */
export interface TradingOptions {
  readonly channels: Channels
  readonly rules: Rules
  readonly demand: MarketDemand
  /** Signs a message of `orders`; absent if the server has no key. */
  readonly sign?: ((order: Order) => string) | undefined
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

/** Returns what a run is made with. */
export const runOptions = <Kept>(
  ledger: Kept, { rules, demand, now = Date.now }: TradingOptions
): LedgerRunOptions<Kept> =>
    ({ ledger, base: rules.base, currencies: [...rules.balances.keys()], demand, now })

/** Returns the part of a processor that is the same whoever fills the orders. */
export function ledgerParts<Happening, State extends ExchangeState, Decided extends Decision> (
  ledger: Ledger<Happening, State, Decided>, { sign }: TradingOptions
): Pick<JournalProcessor<State, Decided>, 'decide' | 'apply' | 'project' | 'correct'> {
  return {
    // A run asks what it follows instead.
    decide: () => undefined,
    apply: (state, decision) => ledger.apply(state, decision),
    project: decision => decision.orders.map(({ user, order }) => {
      const data = sign === undefined ? order : { ...order, signature: sign(order) }
      return { channel: orders.name, user, data }
    }),
    // Orders are a history: what was sent stays sent, and is decided again.
    correct: () => undefined
  }
}
