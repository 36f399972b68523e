import type { ChannelDefinition, Channels } from '@tickwire/protocol'
import type { Broker } from './brokers/broker.js'
import { brokerEvents, type BrokerNews, brokerPosition } from './brokers/channels.js'
import { makeSelector, type Selector } from './hub/audience/selector.js'
import type { Hub } from './hub/hub.js'
import type { Log } from './log/log.js'
import type { BrokerCount } from './processors/broker-trading/broker-session.js'
import { BrokerSource } from './processors/broker-trading/broker-source.js'
import { brokerJournal, brokerTrading } from './processors/broker-trading/broker-trading.js'
import { ordersJournal, paperTrading } from './processors/paper-trading/paper-trading.js'
import type { Processor } from './processors/processor.js'
import type { OrderSigner } from './signing/order-signer.js'
import type { Source } from './sources/source.js'
import type { Rules } from './trading/rules.js'

/** The channels of what decides about orders, beside the standard ones. */
export const exchangeChannels: readonly ChannelDefinition[] =
  [ordersJournal, brokerJournal, brokerEvents, brokerPosition]

export interface ExchangeOptions {
  readonly channels: Channels
  readonly rules: Rules
  /** The hub of this server, once it runs. */
  readonly hub: () => Pick<Hub, 'demand'>
  /** Absent: messages of `orders` are not signed. */
  readonly signer?: OrderSigner | undefined
  /** What fills the orders; absent: the paper exchange. */
  readonly broker?: Broker | undefined
  /** Counts what becomes of the broker. */
  count (event: BrokerCount | 'impossible'): void
  /** Logs an error. */
  error (details: object, message: string): void
}

/** What decides about orders, and what gives them to a broker. */
export interface Exchange {
  readonly processor: Processor
  sources (log: Log): Source[]
}

/** Makes what decides about orders, whose orders and positions count as subscribers of what they need. */
export function makeExchange (options: ExchangeOptions): Exchange {
  const { channels, rules, hub, signer, broker, count } = options
  const selectorOf = (channel: string, symbol: string): Selector =>
    makeSelector(channels.get(channel)!, symbol, undefined)
  const trading = {
    channels,
    rules,
    demand: {
      add: (channel: string, symbol: string) => { hub().demand.add(selectorOf(channel, symbol)) },
      remove: (channel: string, symbol: string) => { hub().demand.remove(selectorOf(channel, symbol)) }
    },
    sign: signer === undefined ? undefined : signer.sign.bind(signer)
  }
  if (broker === undefined) return { processor: paperTrading(trading) as Processor, sources: () => [] }
  const onFault = (news: BrokerNews, fault: string): void => {
    count('impossible')
    const about = 'order_id' in news ? { order_id: news.order_id } : {}
    const message = 'the broker has said what cannot be true; the event counts for nothing'
    options.error({ ...about, event: news.type, fault }, message)
  }
  return {
    processor: brokerTrading({ ...trading, onFault }) as Processor,
    sources: log => [new BrokerSource({ broker, log, count })]
  }
}
