import { book, type ChannelDefinition, commands, market, quotes, trades } from '@tickwire/protocol'
import { Exchange } from '../../trading/exchange.js'
import { applyDecision, Decision, type ExchangeState, initialState } from '../../trading/state.js'
import { journalChannel } from '../journal.js'
import type { JournalProcessor } from '../processor.js'
import { ledgerParts, runOptions, type TradingOptions } from '../trading/ledger-processor.js'
import { LEDGER_OUTPUTS, LEDGER_STATES, restored } from '../trading/projections.js'
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

/** The paper exchange (PROTOCOL.md, Orders; ADR 50). */
export function paperTrading (options: TradingOptions): JournalProcessor<ExchangeState, Decision> {
  const { channels, rules, now = Date.now } = options
  const ledger = new Exchange(rules)
  return {
    name: NAME,
    inputs: [commands.name, ...MARKET.filter(name => channels.has(name))],
    outputs: LEDGER_OUTPUTS,
    journal: ordersJournal.name,
    initial: initialState,
    follow: state => new TradingRun(state, runOptions(ledger, options)),
    restore: {
      channels: LEDGER_STATES,
      decision: states => {
        const decision = restored(states, now())
        return decision.accounts.length === 0 ? undefined : decision
      }
    },
    ...ledgerParts(ledger, options)
  }
}
