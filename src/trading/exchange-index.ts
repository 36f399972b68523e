import type { Account, OpenOrder } from '@tickwire/protocol'
import { type Money, ZERO } from './money.js'
import { leavesOf } from './order.js'
import { entryOf } from './records.js'
import type { Decision, ExchangeState } from './state.js'
import { byNumber, SymbolOrders } from './symbol-orders.js'

/** How long an order waits for the first book of its symbol, in milliseconds. */
const BOOK_WAIT_MS = 5000
const DAY_MS = 86_400_000

/** A user's open orders, and what they hold back. */
interface UserOrders {
  readonly orders: Map<string, OpenOrder>
  /** By currency, the reserved cash. */
  readonly reserved: Map<string, Money>
  /** By {@link assetOf}, what open orders are to sell. */
  readonly selling: Map<string, Money>
}

const NO_ORDERS: UserOrders = { orders: new Map(), reserved: new Map(), selling: new Map() }
const NOBODY: ReadonlySet<string> = new Set()

/** What a position is of. Neither part has a space. */
export const assetOf = ({ symbol, currency }: Pick<OpenOrder, 'symbol' | 'currency'>): string =>
  `${symbol} ${currency}`

/**
 * Open orders and accounts by whatever they are looked up by. The index follows from the state, and stands
 * beside it in memory, so that a message of the market costs no scan of all orders.
 */
export class ExchangeIndex {
  private readonly symbols = new Map<string, SymbolOrders>()
  private readonly users = new Map<string, UserOrders>()
  /** Orders that wait for the first book of their symbol, by id. */
  private readonly withoutBook = new Map<string, OpenOrder>()
  /** By the end of the day on which they came, orders for that day by id. */
  private readonly days = new Map<number, Map<string, OpenOrder>>()
  /** By symbol, users who hold it. */
  private readonly holding = new Map<string, Set<string>>()
  /** Up to when it was decided what time does, in milliseconds since 1970. */
  passed = -Infinity
  /** The last day on which the values of all accounts with positions were noted. */
  notedDay: string | undefined

  constructor (private readonly state: ExchangeState) {
    for (const order of Object.values(state.orders)) this.add(order)
    for (const [user, account] of Object.entries(state.accounts)) this.hold(user, account)
  }

  /** Symbols that have open orders, or that somebody holds. */
  * symbolsInUse (): Iterable<string> {
    yield * this.symbols.keys()
    for (const symbol of this.holding.keys()) if (!this.symbols.has(symbol)) yield symbol
  }

  /** Users who hold a symbol. */
  holdersOf (symbol: string): ReadonlySet<string> {
    return this.holding.get(symbol) ?? NOBODY
  }

  get hasHolders (): boolean {
    return this.holding.size > 0
  }

  ofSymbol (symbol: string): SymbolOrders | undefined {
    return this.symbols.get(symbol)
  }

  /** Symbols that have open orders of a market. */
  symbolsOf (market: string): string[] {
    const symbols = [...this.symbols].filter(([, orders]) => orders.markets.has(market))
    return symbols.map(([symbol]) => symbol).sort()
  }

  ofUser (user: string): UserOrders {
    return this.users.get(user) ?? NO_ORDERS
  }

  /** Returns the orders that have waited too long for a book, oldest first. */
  tooLong (time: number): OpenOrder[] {
    return [...this.withoutBook.values()].filter(order => bookDue(order) <= time).sort(byNumber)
  }

  /** Returns the orders whose day is over, oldest first. */
  overdue (time: number): OpenOrder[] {
    return [...this.days].flatMap(([end, orders]) => end <= time ? [...orders.values()] : []).sort(byNumber)
  }

  /** Returns when something is due next, in milliseconds since 1970. It may be long ago. */
  nextDue (now: number): number | undefined {
    let next = this.nextDay(now) ?? Infinity
    for (const order of this.withoutBook.values()) next = Math.min(next, bookDue(order))
    // Orders whose day is over may still stand, because the close of their market ends them.
    for (const end of this.days.keys()) if (end > this.passed) next = Math.min(next, end)
    return next === Infinity ? undefined : next
  }

  /** Returns when the next day begins, if that matters because somebody holds something. */
  nextDay (now: number): number | undefined {
    return this.holding.size > 0 ? endOfDay(now) : undefined
  }

  /** Follows a decision. Call it before the decision changes the state. */
  follow ({ open, accounts }: Decision): void {
    for (const order of open) {
      const before = entryOf(this.state.orders, order.order_id)
      if (before !== undefined) this.remove(before)
      if (!('gone' in order)) this.add(order)
    }
    for (const { user, account } of accounts) {
      const before = entryOf(this.state.accounts, user)
      if (before !== undefined) this.letGo(user, before)
      this.hold(user, account)
    }
  }

  private add (order: OpenOrder): void {
    const { symbol, order_id: id, user } = order
    let ofSymbol = this.symbols.get(symbol)
    if (ofSymbol === undefined) this.symbols.set(symbol, ofSymbol = new SymbolOrders())
    ofSymbol.add(order)
    let ofUser = this.users.get(user)
    if (ofUser === undefined) {
      this.users.set(user, ofUser = { orders: new Map(), reserved: new Map(), selling: new Map() })
    }
    ofUser.orders.set(id, order)
    if (order.side === 'sell') change(ofUser.selling, assetOf(order), leavesOf(order))
    else change(ofUser.reserved, order.currency, reservedOf(order))
    if (order.status === 'pending_new') this.withoutBook.set(id, order)
    else if (order.time_in_force === 'day') {
      const end = endOfDay(Date.parse(order.created_at))
      const orders = this.days.get(end)
      if (orders === undefined) this.days.set(end, new Map([[id, order]]))
      else orders.set(id, order)
    }
  }

  private remove (order: OpenOrder): void {
    const { symbol, order_id: id, user } = order
    const ofSymbol = this.symbols.get(symbol)!
    ofSymbol.remove(order)
    if (ofSymbol.isEmpty) this.symbols.delete(symbol)
    const ofUser = this.users.get(user)!
    ofUser.orders.delete(id)
    if (ofUser.orders.size === 0) this.users.delete(user)
    if (order.side === 'sell') change(ofUser.selling, assetOf(order), leavesOf(order).neg())
    else change(ofUser.reserved, order.currency, reservedOf(order).neg())
    this.withoutBook.delete(id)
    const end = endOfDay(Date.parse(order.created_at))
    const orders = this.days.get(end)
    orders?.delete(id)
    if (orders?.size === 0) this.days.delete(end)
  }

  private hold (user: string, { positions }: Account): void {
    for (const { symbol } of positions) {
      const users = this.holding.get(symbol)
      if (users === undefined) this.holding.set(symbol, new Set([user]))
      else users.add(user)
    }
  }

  private letGo (user: string, { positions }: Account): void {
    for (const { symbol } of positions) {
      const users = this.holding.get(symbol)
      users?.delete(user)
      if (users?.size === 0) this.holding.delete(symbol)
    }
  }
}

const reservedOf = ({ reserved }: OpenOrder): Money => ZERO.plus(reserved)

function change (amounts: Map<string, Money>, name: string, by: Money): void {
  amounts.set(name, (amounts.get(name) ?? ZERO).plus(by))
}

const bookDue = ({ created_at: created }: OpenOrder): number => Date.parse(created) + BOOK_WAIT_MS
const endOfDay = (time: number): number => (Math.floor(time / DAY_MS) + 1) * DAY_MS
