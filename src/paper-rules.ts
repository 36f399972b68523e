import { baseCurrencyOf, ConfigError, type StreamingSettings } from './config.js'
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
