import {
  type Account, accounts, book, type ChannelDefinition, type Channels, commands, market, type OpenOrder,
  openOrders, type Order, orders, parseTopicKey, portfolio, quotes, trades
} from '@tickwire/protocol'
import { Exchange } from '../../trading/exchange.js'
import type { Rules } from '../../trading/rules.js'
import { applyDecision, Decision, type ExchangeState, initialState } from '../../trading/state.js'
import { journalChannel } from '../journal.js'
import type { JournalProcessor } from '../processor.js'
import type { MarketDemand } from './interest.js'
import { TradingRun } from './trading-run.js'

const NAME = 'paper-trading'
/** Without one of these there is nothing to decide by; a server runs with those that it has. */
const MARKET = [book, trades, quotes, market].map(({ name }) => name)

/** The decisions of the paper exchange: what makes each order one order, whatever becomes of servers. */
export const ordersJournal: ChannelDefinition = journalChannel<ExchangeState>({
  name: 'orders.journal',
  description: 'What the paper exchange has decided.',
  decision: Decision,
  initial: initialState,
  apply: applyDecision
})

export interface PaperTradingOptions {
  readonly channels: Channels
  readonly rules: Rules
  readonly demand: MarketDemand
  /** Signs a message of `orders`; absent if the server has no key. */
  readonly sign?: ((order: Order) => string) | undefined
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

/** The paper exchange (PROTOCOL.md, Orders; ADR 50). */
export function paperTrading (options: PaperTradingOptions): JournalProcessor<ExchangeState, Decision> {
  const { channels, rules, demand, sign, now = Date.now } = options
  const exchange = new Exchange(rules)
  return {
    name: NAME,
    inputs: [commands.name, ...MARKET.filter(name => channels.has(name))],
    outputs: [orders.name, portfolio.name, accounts.name, openOrders.name],
    journal: ordersJournal.name,
    initial: initialState,
    follow: state => new TradingRun({
      exchange, state, base: rules.base, currencies: [...rules.balances.keys()], demand, now
    }),
    restore: { channels: [accounts.name, openOrders.name], decision: states => restored(states, now()) },
    // A run asks what it follows instead.
    decide: () => undefined,
    apply: (state, decision) => exchange.apply(state, decision),
    project: decision => decision.orders.map(({ user, order }) => {
      const data = sign === undefined ? order : { ...order, signature: sign(order) }
      return { channel: orders.name, user, data }
    }),
    // Orders are a history: what was sent stays sent, and is decided again.
    correct: () => undefined
  }
}

/** Returns the decision that brings back what the compacted channels say; undefined if they say nothing. */
function restored (states: ReadonlyMap<string, unknown>, time: number): Decision | undefined {
  const known: Decision['accounts'] = []
  const open: OpenOrder[] = []
  for (const [topic, state] of states) {
    const { channel, user = '' } = parseTopicKey(topic)
    if (state === null) continue
    if (channel === accounts.name) known.push({ user, account: state as Account })
    else open.push(...(state as { orders: OpenOrder[] }).orders)
  }
  if (known.length === 0) return undefined
  const number = open.reduce((most, order) => Math.max(most, order.number), 0)
  return { time, orders: [], open, accounts: known, taken: [], closed: [], number }
}
