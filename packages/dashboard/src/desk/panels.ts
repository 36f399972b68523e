import type { ComponentType } from 'react'
import { BookPanel } from './book/book.js'
import { ChartPanel } from './chart/chart.js'
import { HeatmapPanel } from './heatmap/heatmap.js'
import { MarketsPanel } from './markets/markets.js'
import { NewsPanel } from './news/news.js'
import { TradesPanel } from './trades/trades.js'
import { WatchlistPanel } from './watchlist/watchlist.js'

/** The panels of the desk by name: a new one is a folder here, a line here, and its place in the layout. */
export const panels = {
  watchlist: WatchlistPanel,
  chart: ChartPanel,
  book: BookPanel,
  trades: TradesPanel,
  heatmap: HeatmapPanel,
  news: NewsPanel,
  markets: MarketsPanel
} satisfies Record<string, ComponentType>

export type PanelName = keyof typeof panels
