import type { MarketStatus } from '@tickwire/protocol'
import type { DisplayedBook, MarketView } from '../../src/trading/market-view.js'

/** What a test shows of the market. */
export class ShownMarket implements MarketView {
  protected readonly books = new Map<string, DisplayedBook>()
  protected readonly lasts = new Map<string, string>()
  protected readonly statuses = new Map<string, MarketStatus['status']>()

  book (symbol: string): DisplayedBook | undefined {
    return this.books.get(symbol)
  }

  last (symbol: string): string | undefined {
    return this.lasts.get(symbol)
  }

  status (market: string | undefined): { status: MarketStatus['status'] } | undefined {
    const status = market === undefined ? undefined : this.statuses.get(market)
    return status === undefined ? undefined : { status }
  }
}
