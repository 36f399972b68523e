import { TypeCompiler } from '@sinclair/typebox/compiler'
import type {
  Account, BookLevel, Command, MarketStatus, Order, ReplaceCommand, SubmitCommand
} from '@tickwire/protocol'
import { Exchange, type Happening } from '../../src/trading/exchange.js'
import { portfolioOf, ratesFrom } from '../../src/trading/portfolio.js'
import type { Rules } from '../../src/trading/rules.js'
import { parseBalances, parseFees } from '../../src/trading/settings.js'
import { Decision, initialState } from '../../src/trading/state.js'
import { ShownMarket } from './shown-market.js'

const isDecision = TypeCompiler.Compile(Decision)
type Levels = readonly (readonly [price: string, size: string])[]

export const PAPER_START = Date.parse('2026-02-07T14:30:00Z')

export const paperRules = (
  { balances = 'USD:100000', fees = '0', openOrders = 1000, positions = 1000 } = {}
): Rules => ({
  balances: parseBalances(balances),
  fees: parseFees(fees),
  base: balances.split(':')[0]!,
  bounds: { openOrders, positions }
})

/** An exchange with one market, moved by hand. Users are the first letter of the ids of their orders. */
export class PaperDesk extends ShownMarket {
  readonly exchange: Exchange
  state = initialState()
  now = PAPER_START
  decision: Decision | undefined

  constructor (private readonly rules = paperRules()) {
    super()
    this.exchange = new Exchange(rules)
  }

  /** Submits an order: `buy 5 limit 185.50 gtc`, for the symbol A unless it is named. */
  submit (id: string, text: string, more: Partial<SubmitCommand> = {}): string[] {
    const [side, quantity, type, ...rest] = text.split(' ')
    const prices = rest.filter(word => /^\d/.test(word))
    const force = rest.find(word => /^[a-z]/.test(word)) ?? 'day'
    const [first, second] = prices
    const isStop = type === 'stop' || type === 'stop_limit'
    return this.command(id[0]!, {
      action: 'submit_order',
      order_id: id,
      client_order_id: `client-${id}`,
      symbol: 'A',
      currency: 'USD',
      side: side as 'buy',
      order_type: type as 'limit',
      time_in_force: force as 'day',
      quantity: quantity!,
      ...(isStop ? { stop_price: first! } : first === undefined ? {} : { limit_price: first }),
      ...(second === undefined ? {} : { limit_price: second }),
      ...more
    })
  }

  cancel (id: string, user = id[0]!): string[] {
    return this.command(user, { action: 'cancel_order', request_id: 'r', order_id: id })
  }

  replace (id: string, terms: Partial<ReplaceCommand>, user = id[0]!): string[] {
    return this.command(user, { action: 'replace_order', request_id: 'r', order_id: id, ...terms })
  }

  reset (user: string): string[] {
    return this.command(user, { action: 'reset_account', request_id: 'r' })
  }

  command (user: string, command: Command): string[] {
    return this.happen({ kind: 'command', user, command, time: this.now })
  }

  show (bids: Levels, asks: Levels, symbol = 'A'): string[] {
    this.books.set(symbol, { bids: bids as BookLevel[], asks: asks as BookLevel[] })
    return this.happen({ kind: 'book', symbol, time: this.now })
  }

  stale (symbol = 'A'): string[] {
    this.books.set(symbol, { bids: [], asks: [], stale: true })
    return this.happen({ kind: 'book', symbol, time: this.now })
  }

  trade (price: string, size: string, symbol = 'A'): string[] {
    this.lasts.set(symbol, price)
    return this.happen({ kind: 'trade', symbol, price, size, time: this.now })
  }

  price (price: string, symbol = 'A'): string[] {
    this.lasts.set(symbol, price)
    return this.happen({ kind: 'last', symbol, price, time: this.now })
  }

  market (status: MarketStatus['status'], market = 'M'): string[] {
    this.statuses.set(market, status)
    return this.happen({ kind: 'market', market, time: this.now })
  }

  pass (ms: number): string[] {
    this.now += ms
    return this.happen({ kind: 'time', time: this.now })
  }

  /** Decides about something, and returns what is said about it, a line for each message. */
  happen (happening: Happening): string[] {
    const before = JSON.stringify(this.state)
    const decision = this.exchange.decide(this.state, this, happening)
    if (JSON.stringify(this.state) !== before) throw new Error('deciding has changed the state')
    this.decision = decision
    if (decision === undefined) return []
    if (!isDecision.Check(decision)) throw new Error(`not a decision: ${JSON.stringify([...isDecision.Errors(decision)])}`)
    this.state = this.exchange.apply(this.state, decision)
    return decision.orders.map(({ user, order }) => lineOf(user, order))
  }

  /** Takes the exchange over: only what travels through JSON is left. */
  takeOver (): void {
    this.state = JSON.parse(JSON.stringify(this.state)) as typeof this.state
  }

  account (user: string): Account {
    return this.state.accounts[user]!
  }

  portfolio (user: string): ReturnType<typeof portfolioOf> {
    const prices = (symbol: string): string | undefined => this.last(symbol)
    const { base } = this.rules
    const valuation = { base, prices, rates: ratesFrom(prices, base) }
    const open = this.exchange.openOrdersOf(this.state, user)
    return portfolioOf(this.account(user), open, valuation, this.now)
  }

  /** Cash, and what is reserved of it. */
  cash (user: string, currency = 'USD'): string {
    const { balances = [] } = this.portfolio(user)
    const balance = balances.find(one => one.currency === currency)!
    return `${balance.cash} (${balance.reserved})`
  }

  held (user: string, symbol = 'A'): string {
    return this.account(user).positions.find(one => one.symbol === symbol)?.quantity ?? '0'
  }
}

/** `a1 partially_filled 2/5 2@185.50 avg 185.50`, with the fee and the reason if there is one. */
function lineOf (user: string, order: Order): string {
  const { order_id: id, status, quantity, filled_qty: filled, last_qty: size, last_price: price } = order
  if (user !== id[0]) throw new Error(`${user} was told of ${id}`)
  const { avg_price: average, fee = '0', reason } = order
  return [
    `${id} ${status} ${filled}/${quantity}`,
    ...(size === undefined ? [] : [`${size}@${price} avg ${average}`]),
    ...(fee === '0' ? [] : [`fee ${fee}`]),
    ...(reason === undefined ? [] : [`(${reason})`])
  ].join(' ')
}
