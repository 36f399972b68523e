import { accounts, openOrders } from './accounts.js'
import { acknowledgements } from './acknowledgements.js'
import { alertRules } from '../alert-rules.js'
import { alerts } from './alerts.js'
import { barChannels } from './bars.js'
import { book } from './book.js'
import type { ChannelDefinition } from './channel.js'
import { commands } from './commands.js'
import { bookHeatmap, heatmap } from './heatmap.js'
import { instrumentOverrides, instruments } from './instruments.js'
import { market } from './market.js'
import { monitor } from './monitor.js'
import { news, newsFeeds } from './news.js'
import { orders } from './orders.js'
import { portfolio } from './portfolio.js'
import { quotes } from './quotes.js'
import { strategies } from '../strategies.js'
import { strategy } from './strategy.js'
import { system } from './system.js'
import { trades } from './trades.js'

/** Channels by name. */
export type Channels = ReadonlyMap<string, ChannelDefinition>

const definitions: readonly ChannelDefinition[] = [
  quotes, trades, ...barChannels, book, heatmap, bookHeatmap, market, news, system, orders, portfolio, alerts,
  strategy, monitor,
  instruments, instrumentOverrides, newsFeeds, acknowledgements, alertRules,
  commands, accounts, openOrders, strategies
]

/** The channels that come with the server. To add one, add a file to this folder and a name to this list. */
export const standardChannels: Channels =
  new Map(definitions.map(definition => [definition.name, definition]))
