import { type ChannelDefinition, commands, quotes, trades } from '@tickwire/protocol'
import { Brokerage } from '../../brokers/brokerage.js'
import { brokerEvents, type BrokerNews, brokerPosition } from '../../brokers/channels.js'
import {
  applyBrokerDecision, BrokerDecision, type BrokerState, initialBrokerState
} from '../../brokers/state.js'
import { journalChannel } from '../journal.js'
import type { JournalProcessor } from '../processor.js'
import { ledgerParts, runOptions, type TradingOptions } from '../trading/ledger-processor.js'
import { LEDGER_OUTPUTS, LEDGER_STATES, restored } from '../trading/projections.js'
import { BrokerRun } from './broker-run.js'

const NAME = 'broker-trading'
/** What last prices are read from; a server runs with those that it has. */
const PRICES = [quotes, trades].map(({ name }) => name)

/** What was decided about requests and about what the broker says. It also says what the broker must get. */
export const brokerJournal: ChannelDefinition = journalChannel<BrokerState>({
  name: 'broker.journal',
  description: 'What the server has decided about orders that a broker fills.',
  decision: BrokerDecision,
  initial: initialBrokerState,
  apply: applyBrokerDecision
})

export interface BrokerTradingOptions extends TradingOptions {
  /** Called for an event of the broker that cannot be true. */
  onFault (news: BrokerNews, fault: string): void
}

/** The orders of users, if a broker fills them (ADR 55). */
export function brokerTrading (options: BrokerTradingOptions): JournalProcessor<BrokerState, BrokerDecision> {
  const { channels, rules, onFault, now = Date.now } = options
  const ledger = new Brokerage(rules)
  return {
    name: NAME,
    inputs: [commands.name, brokerEvents.name, ...PRICES.filter(name => channels.has(name))],
    outputs: [...LEDGER_OUTPUTS, brokerPosition.name],
    journal: brokerJournal.name,
    initial: initialBrokerState,
    follow: state => new BrokerRun(state, { ...runOptions(ledger, options), onFault }),
    restore: {
      channels: [...LEDGER_STATES, brokerPosition.name],
      // There is always one: whoever follows the journal knows by it that nothing else is to come back.
      decision: states => broughtBack(states, now())
    },
    ...ledgerParts(ledger, options)
  }
}

function broughtBack (states: ReadonlyMap<string, unknown>, time: number): BrokerDecision {
  const decision = restored(states, time)
  const known = states.get(brokerPosition.name) as { readonly position: string } | null | undefined
  return {
    ...decision,
    // The broker has never seen the orders of a paper exchange.
    open: decision.open.filter(order => 'broker' in order),
    ended: [],
    strangers: [],
    away: false,
    // What the log has of events may have come after others that it has lost.
    ...(known == null ? {} : { position: known.position, gap: true })
  }
}
