import type { Channels } from '@tickwire/protocol'
import { baseCurrencyOf, ConfigError, type StreamingSettings } from './config.js'
import { makeSelector, type Selector } from './hub/audience/selector.js'
import type { Hub } from './hub/hub.js'
import { paperTrading } from './processors/paper-trading/paper-trading.js'
import type { Processor } from './processors/processor.js'
import type { OrderSigner } from './signing/order-signer.js'
import type { Rules } from './trading/rules.js'
import { parseBalances, parseFees } from './trading/settings.js'

const MOST_POSITIONS = 1000

type PaperSettings = Pick<
  StreamingSettings, 'PAPER_BALANCES' | 'PAPER_FEES' | 'BASE_CURRENCY' | 'MAX_OPEN_ORDERS'
>

/** Returns the rules of the paper exchange that the settings ask for. @throws ConfigError */
export function paperRules (settings: PaperSettings): Rules {
  return {
    balances: readSetting('PAPER_BALANCES', () => parseBalances(settings.PAPER_BALANCES)),
    fees: readSetting('PAPER_FEES', () => parseFees(settings.PAPER_FEES)),
    base: baseCurrencyOf(settings),
    bounds: { openOrders: settings.MAX_OPEN_ORDERS, positions: MOST_POSITIONS }
  }
}

function readSetting<Value> (name: string, parse: () => Value): Value {
  try {
    return parse()
  } catch (error) {
    if (error instanceof TypeError) throw new ConfigError(`${name}: ${error.message}`)
    throw error
  }
}

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
