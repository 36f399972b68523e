import {
  type Command, commands, market as marketChannel, quotes, type Trade, trades
} from '@tickwire/protocol'
import type { Exchange, Happening } from '../../trading/exchange.js'
import type { Decision, ExchangeState } from '../../trading/state.js'
import type { Input } from '../processor.js'
import { LedgerRun, type Ordered } from '../trading/ledger-run.js'
import { isFill } from '../trading/market-memory.js'

type Untimed<Kind> = Kind extends Happening ? Omit<Kind, 'time'> : never
/** Something that has happened, at a time that nobody noted. */
type Pending = Untimed<Extract<Happening, { kind: 'book' | 'market' | 'last' }>>

/** A run of the paper exchange: it follows what the market displays and trades. */
export class TradingRun extends LedgerRun<Happening, ExchangeState, Decision, Exchange> {
  /**
   * What has happened and was not decided about yet: by key, the newest of its kind. When a run begins, books
   * and statuses may have changed while no server ran the exchange.
   */
  private readonly pending = new Map<string, Pending>()

  override begin (): readonly string[] {
    const orders = Object.values(this.state.orders)
    for (const { symbol } of orders) this.postpone({ kind: 'book', symbol })
    for (const { market } of orders) if (market !== undefined) this.postpone({ kind: 'market', market })
    return super.begin()
  }

  override decide (message: Input): Decision | undefined {
    const { topic: { channel, symbol = '', user }, data, timestamp: time } = message
    if (channel === commands.name) {
      return this.decideOn({ kind: 'command', user: user!, command: data as Command, time })
    }
    this.market.observe(message)
    if (channel === marketChannel.name) return this.decideOn({ kind: 'market', market: symbol, time })
    if (channel === quotes.name) return this.decideQuote(symbol, time)
    if (channel !== trades.name) return this.decideOn({ kind: 'book', symbol, time })
    const trade = data as Trade
    if (!isFill(trade)) return undefined
    this.standing.notePrice(symbol)
    return this.decideOn({ kind: 'trade', symbol, price: trade.price, size: trade.size, time })
  }

  override decideDue (now: number): Decision | undefined {
    for (const [key, happening] of this.pending) {
      this.pending.delete(key)
      const decision = this.decideOn({ ...happening, time: now })
      if (decision !== undefined) return decision
    }
    return this.isDue(now) ? this.decideOn({ kind: 'time', time: now }) : undefined
  }

  override nextDue (): number | undefined {
    return this.pending.size > 0 ? 0 : super.nextDue()
  }

  /** An order may be filled by books and trades, and only while its market is open. */
  protected override followOrder (order: Ordered, now: number): string[] {
    const { symbol, market } = order
    return [
      ...this.interest.add(symbol, 'order', now),
      ...market === undefined ? [] : this.interest.addMarket(market, now),
      ...super.followOrder(order, now)
    ]
  }

  private postpone (happening: Pending): void {
    const of = 'symbol' in happening ? happening.symbol : happening.market
    this.pending.set(`${happening.kind} ${of}`, happening)
  }

  /** A quote is a book where there is no other, and tells of a last price. */
  private decideQuote (symbol: string, time: number): Decision | undefined {
    this.standing.notePrice(symbol)
    const decision = this.market.hasBook(symbol) ? undefined : this.decideOn({ kind: 'book', symbol, time })
    const price = this.market.last(symbol)
    if (price === undefined) return decision
    if (decision === undefined) return this.decideOn({ kind: 'last', symbol, price, time })
    this.postpone({ kind: 'last', symbol, price })
    return decision
  }
}
