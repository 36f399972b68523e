import type { Channels } from '@tickwire/protocol'
import { makeSelector, type Selector } from './hub/audience/selector.js'
import type { Hub } from './hub/hub.js'
import { paperTrading } from './processors/paper-trading/paper-trading.js'
import type { Processor } from './processors/processor.js'
import type { OrderSigner } from './signing/order-signer.js'
import type { Rules } from './trading/rules.js'

export interface PaperExchangeOptions {
  readonly channels: Channels
  readonly rules: Rules
  /** The hub of this server, once it runs. */
  readonly hub: () => Pick<Hub, 'demand'>
  /** Absent: messages of `orders` are not signed. */
  readonly signer?: OrderSigner | undefined
}

/** Makes the paper exchange, whose orders and positions count as subscribers of what they need. */
export function paperExchange ({ channels, rules, hub, signer }: PaperExchangeOptions): Processor {
  const selectorOf = (channel: string, symbol: string): Selector =>
    makeSelector(channels.get(channel)!, symbol, undefined)
  return paperTrading({
    channels,
    rules,
    demand: {
      add: (channel, symbol) => { hub().demand.add(selectorOf(channel, symbol)) },
      remove: (channel, symbol) => { hub().demand.remove(selectorOf(channel, symbol)) }
    },
    sign: signer === undefined ? undefined : order => signer.sign(order)
  }) as Processor
}
