import type { ComponentType } from 'react'
import { AlertsPanel } from './alerts/alerts.js'
import { BookPanel } from './book/book.js'
import { ChartPanel } from './chart/chart.js'
import { HeatmapPanel } from './heatmap/heatmap.js'
import { MarketsPanel } from './markets/markets.js'
import { NewsPanel } from './news/news.js'
import { FillsPanel, OrdersPanel } from './orders/orders.js'
import { PortfolioPanel, PositionsPanel } from './portfolio/portfolio.js'
import { StrategiesPanel } from './strategies/strategies.js'
import { TicketPanel } from './ticket/ticket.js'
import { TradesPanel } from './trades/trades.js'
import { WatchlistPanel } from './watchlist/watchlist.js'

/** The panels of the desk by name: a new one is a folder here, a line here, and its place in the layout. */
export const panels = {
  watchlist: WatchlistPanel,
  chart: ChartPanel,
  book: BookPanel,
  trades: TradesPanel,
  heatmap: HeatmapPanel,
  ticket: TicketPanel,
  news: NewsPanel,
  markets: MarketsPanel,
  orders: OrdersPanel,
  positions: PositionsPanel,
  fills: FillsPanel,
  portfolio: PortfolioPanel,
  alerts: AlertsPanel,
  strategies: StrategiesPanel
} satisfies Record<string, ComponentType>

export type PanelName = keyof typeof panels
