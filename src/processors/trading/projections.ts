import {
  type Account, accounts, openOrders, type OpenOrder, orders, parseTopicKey, portfolio
} from '@tickwire/protocol'
import type { Decision } from '../../trading/state.js'

/** What users read of orders and accounts, whoever fills the orders. */
export const LEDGER_OUTPUTS: readonly string[] =
  [orders.name, portfolio.name, accounts.name, openOrders.name]

/** The compacted channels that say how orders and accounts stood. */
export const LEDGER_STATES: readonly string[] = [accounts.name, openOrders.name]

/** Returns the decision that brings back what {@link LEDGER_STATES} say. @param states by topic */
export function restored (states: ReadonlyMap<string, unknown>, time: number): Decision {
  const known: Decision['accounts'] = []
  const open: OpenOrder[] = []
  for (const [topic, state] of states) {
    const { channel, user = '' } = parseTopicKey(topic)
    if (state === null) continue
    if (channel === accounts.name) known.push({ user, account: state as Account })
    else if (channel === openOrders.name) open.push(...(state as { orders: OpenOrder[] }).orders)
  }
  const number = open.reduce((most, order) => Math.max(most, order.number), 0)
  return { time, orders: [], open, accounts: known, taken: [], closed: [], number }
}
