import type { Bar, Order } from '@tickwire/protocol'
import Big from 'big.js'
import type { Strategy } from '../define-strategy.js'
import { Results } from '../results.js'
import { type Signal, StrategyInstance } from '../strategy-instance.js'

export interface BacktestOptions {
  readonly strategy: Strategy
  readonly symbol: string
  /** Complete and checked. */
  readonly parameters: Readonly<Record<string, unknown>>
  /** Closed bars, oldest first. */
  readonly bars: Iterable<Bar>
  /** Of a signal that names none. */
  readonly quantity: string
  /** What there is to buy with. */
  readonly cash: string
  /** A fraction of what is bought or sold. */
  readonly fee: string
  /** Called for each line that the strategy logs. */
  readonly log: (line: string) => void
  /** Called after each bar. */
  readonly onBar?: (bar: Bar) => void
}

/** What has come of a backtest. Amounts are exact decimals in the currency of the prices. */
export interface BacktestReport {
  readonly bars: number
  readonly from: string | undefined
  readonly to: string | undefined
  /** Buys and sales that were filled. */
  readonly trades: number
  readonly buys: number
  readonly sales: number
  /** Signals to buy for which there was not enough cash. */
  readonly unaffordable: number
  /** Of the sales, those with a profit after their own fee; undefined without sales. */
  readonly win_rate: number | undefined
  /** Realized and unrealized, after fees. */
  readonly pnl: string
  readonly realized_pnl: string
  readonly fees: string
  readonly position: string
  /** Cash and what the position is worth at the last close. */
  readonly final_value: string
  /** Profit as a fraction of the cash at the beginning. */
  readonly return: number
  /** The deepest fall of the value from its highest before, as a fraction, at closes. */
  readonly max_drawdown: number
}

/**
 * Runs a strategy over bars, with the code that runs it in a server. A signal is filled at the open of the
 * next bar, whole; a signal of the last bar is never filled.
 * @throws what the strategy throws
 */
export function backtest (options: BacktestOptions): BacktestReport {
  const { strategy, symbol, parameters, bars, log, onBar } = options
  const instance = new StrategyInstance(strategy, symbol, { ...parameters }, log)
  instance.start()
  const account = new BacktestAccount(options)
  let signal: Signal | undefined
  for (const bar of bars) {
    const time = Date.parse(bar.start)
    const order = signal === undefined ? undefined : account.fill(signal, bar)
    signal = undefined
    const moment = (): { time: number, position: number } => ({ time, position: account.position.toNumber() })
    if (order !== undefined) signal = instance.hear('order', order, moment())
    signal = instance.hear('bar', bar, moment()) ?? signal
    account.value(bar)
    onBar?.(bar)
  }
  return account.report()
}

class BacktestAccount {
  private readonly results = Results.of()
  private cash: Big
  private highest: Big
  private first: Bar | undefined
  private last: Bar | undefined
  private bars = 0
  private buys = 0
  private sales = 0
  private wins = 0
  private unaffordable = 0
  private drawdown = 0

  constructor (private readonly options: BacktestOptions) {
    this.cash = this.highest = new Big(options.cash)
  }

  get position (): Big {
    return this.results.position
  }

  /** Fills a signal at a bar's open. @returns what the strategy is told; undefined if nothing was done */
  fill ({ signal, quantity: asked }: Signal, { open, start }: Bar): Order | undefined {
    const { quantity: usual, fee: rate } = this.options
    const held = this.results.position
    const wanted = new Big(asked ?? usual)
    const amount = signal === 'buy' ? wanted : signal === 'flat' || wanted.gt(held) ? held : wanted
    if (!amount.gt(0)) return undefined
    const quantity = amount.toFixed()
    const notional = amount.times(open)
    const fee = notional.times(rate)
    if (signal === 'buy') {
      if (notional.plus(fee).gt(this.cash)) {
        this.unaffordable++
        return undefined
      }
      this.cash = this.cash.minus(notional).minus(fee)
      this.results.buy(quantity, open, fee.toFixed())
      this.buys++
    } else {
      const before = this.results.kept().realized_pnl
      this.results.sell(quantity, open, fee.toFixed())
      this.cash = this.cash.plus(notional).minus(fee)
      this.sales++
      if (new Big(this.results.kept().realized_pnl).minus(before).gt(fee)) this.wins++
    }
    return this.orderOf(signal === 'buy' ? 'buy' : 'sell', quantity, open, fee.toFixed(), start)
  }

  value (bar: Bar): void {
    this.first ??= bar
    this.last = bar
    this.bars++
    const value = this.worth()
    if (value.gt(this.highest)) this.highest = value
    else if (this.highest.gt(0)) {
      const fall = this.highest.minus(value).toNumber() / this.highest.toNumber()
      this.drawdown = Math.max(this.drawdown, fall)
    }
  }

  report (): BacktestReport {
    const { realized_pnl: realized, fees, position } = this.results.kept()
    const pnl = this.results.pnl(this.last?.close)
    return {
      bars: this.bars,
      from: this.first?.start,
      to: this.last?.start,
      trades: this.buys + this.sales,
      buys: this.buys,
      sales: this.sales,
      unaffordable: this.unaffordable,
      win_rate: this.sales === 0 ? undefined : this.wins / this.sales,
      pnl: pnl.toFixed(),
      realized_pnl: realized,
      fees,
      position,
      final_value: this.worth().toFixed(),
      return: pnl.toNumber() / Number(this.options.cash),
      max_drawdown: this.drawdown
    }
  }

  private worth (): Big {
    return this.cash.plus(this.results.position.times(this.last?.close ?? 0))
  }

  private orderOf (side: 'buy' | 'sell', quantity: string, price: string, fee: string, at: string): Order {
    const id = `backtest.${this.buys + this.sales}`
    return {
      order_id: id,
      client_order_id: id,
      symbol: this.options.symbol,
      side,
      order_type: 'market',
      time_in_force: 'day',
      status: 'filled',
      quantity,
      filled_qty: quantity,
      leaves_qty: '0',
      avg_price: price,
      exec_id: `${id}.1`,
      last_qty: quantity,
      last_price: price,
      fee,
      created_at: at,
      updated_at: at
    }
  }
}
