import type { Account, OpenOrder, Order, OrderStatus } from '@tickwire/protocol'
import { afterFill, cashOf, heldOf, openAccount } from './account.js'
import { DisplayedSide } from './displayed-side.js'
import { assetOf, type ExchangeIndex } from './exchange-index.js'
import type { DisplayedBook, MarketView } from './market-view.js'
import { decimalsOf, format, money, type Money, ZERO } from './money.js'
import {
  answerOf, type Details, inStatus, isOpen, leavesOf, messageOf, type OrderSide, reservedFor
} from './order.js'
import { dayOf, ratesFrom, type Valuation, valueOf } from './portfolio.js'
import { entryOf } from './records.js'
import type { Rules } from './rules.js'
import type { Decision, ExchangeState } from './state.js'

/** A decision in the making: what it changes stands above the state, which stays as it is. */
export class Draft {
  private readonly messages: Decision['orders'] = []
  private readonly orders = new Map<string, OpenOrder>()
  /** By user, the ids of changed orders. */
  private readonly ordersOf = new Map<string, Set<string>>()
  private readonly accounts = new Map<string, Account>()
  private readonly books = new Map<string, Record<OrderSide, DisplayedSide>>()
  private readonly closed = new Map<string, boolean>()
  private readonly valuation: Valuation
  private number: number

  /** @param time milliseconds since 1970 */
  constructor (
    private readonly state: ExchangeState,
    readonly index: ExchangeIndex,
    readonly rules: Rules,
    readonly view: MarketView,
    readonly time: number
  ) {
    this.number = state.number
    const prices = (symbol: string): string | undefined => view.last(symbol)
    this.valuation = { base: rules.base, prices, rates: ratesFrom(prices, rules.base) }
  }

  /** Returns the decision; undefined if nothing changes. */
  decision (): Decision | undefined {
    const { messages, orders, accounts, closed, taken } = this
    const isEmpty = messages.length + orders.size + accounts.size + closed.size + taken.length === 0
    return isEmpty ? undefined : this.whole(taken)
  }

  /** Returns the decision, which may change nothing. */
  whole (taken = this.taken): Decision {
    const { messages, orders, accounts, closed } = this
    return {
      time: this.time,
      orders: messages,
      open: [...orders.values()].map(order => isOpen(order.status)
        ? order
        : { order_id: order.order_id, user: order.user, gone: true }),
      accounts: [...accounts].map(([user, account]) => ({ user, account })),
      taken: taken.map(([symbol, { buy, sell }]) =>
        ({ symbol, bids: [...sell.given], asks: [...buy.given] })),
      closed: [...closed],
      number: this.number
    }
  }

  /** Returns a draft of the same that changes nothing yet. */
  anew (): Draft {
    return new Draft(this.state, this.index, this.rules, this.view, this.time)
  }

  private get taken (): Array<[string, Record<OrderSide, DisplayedSide>]> {
    return [...this.books].filter(([, { buy, sell }]) => buy.hasChanged || sell.hasChanged)
  }

  /** Counts one more order. */
  nextNumber (): number {
    return ++this.number
  }

  /** Returns an order as it is in this draft. It may have ended. */
  current (order: OpenOrder): OpenOrder {
    return this.orders.get(order.order_id) ?? order
  }

  /** Changes an order without a message. */
  put (order: OpenOrder): void {
    this.orders.set(order.order_id, order)
    const own = this.ordersOf.get(order.user)
    if (own === undefined) this.ordersOf.set(order.user, new Set([order.order_id]))
    else own.add(order.order_id)
  }

  /** Tells the user of an order what it is now. */
  tell (order: OpenOrder, details: Details = {}): void {
    this.messages.push({ user: order.user, order: messageOf(order, this.time, details) })
  }

  /** Answers a request that cannot be done. @param last the last message of its order */
  refuse (user: string, last: Order, reason: string): void {
    this.messages.push({ user, order: answerOf(last, this.time, reason) })
  }

  /** Changes the status of an order, and tells its user. */
  change (order: OpenOrder, status: OrderStatus, reason?: string): OpenOrder {
    const next = inStatus(order, status)
    this.put(next)
    this.tell(next, reason === undefined ? {} : { reason })
    return next
  }

  /**
   * Fills a part of an order, and tells its user.
   * @param charged the fee, if somebody else charges it; otherwise it is that of the order
   */
  fill (order: OpenOrder, quantity: Money, price: string, charged?: Money): OpenOrder {
    const notional = quantity.times(price)
    const fee = charged ?? notional.times(order.fee_rate)
    const isFilled = leavesOf(order).eq(quantity)
    const next: OpenOrder = {
      ...inStatus(order, isFilled ? 'filled' : 'partially_filled'),
      filled_qty: format(quantity.plus(order.filled_qty)),
      notional: format(notional.plus(order.notional)),
      decimals: Math.max(order.decimals, decimalsOf(price)),
      fills: order.fills + 1
    }
    next.reserved = format(reservedFor(next))
    const { user, symbol, currency, side } = order
    const fill = { symbol, currency, side, quantity, notional, fee }
    this.accounts.set(user, afterFill(this.accountToday(user), fill))
    this.put(next)
    this.tell(next, {
      exec_id: `${order.order_id}.${next.fills}`,
      last_qty: format(quantity),
      last_price: price,
      fee: format(fee)
    })
    return next
  }

  /** Returns a user's account, which the user's first order opens. */
  account (user: string): Account {
    return this.accounts.get(user) ?? entryOf(this.state.accounts, user) ?? this.openAccount(user)
  }

  /** Gives a user an account with the starting balances. */
  openAccount (user: string): Account {
    const account = openAccount(this.rules.balances, this.time)
    const opened = this.withDay(account)
    this.accounts.set(user, opened)
    return opened
  }

  /** Notes what an account is worth as its day begins, if nobody has yet. */
  noteDay (user: string): void {
    this.accounts.set(user, this.accountToday(user))
  }

  private accountToday (user: string): Account {
    const account = this.account(user)
    return account.day !== undefined && account.day.date >= dayOf(this.time) ? account : this.withDay(account)
  }

  private withDay (account: Account): Account {
    const value = format(valueOf(account, this.valuation))
    return { ...account, day: { date: dayOf(this.time), value } }
  }

  /** Returns the cash that an order may spend: what the user's other orders have not reserved. */
  freeCash (order: OpenOrder): Money {
    const { user, currency } = order
    const reserved = this.index.ofUser(user).reserved.get(currency) ?? ZERO
    return cashOf(this.account(user), currency).minus(this.ofOthers(order, reserved, other =>
      other.side === 'buy' && other.currency === currency ? money(other.reserved) : ZERO))
  }

  /** Returns what an order may sell: the position without what the user's other orders are to sell. */
  freePosition (order: OpenOrder): Money {
    const { user, symbol, currency } = order
    const asset = assetOf(order)
    const selling = this.index.ofUser(user).selling.get(asset) ?? ZERO
    return heldOf(this.account(user), symbol, currency).minus(this.ofOthers(order, selling, other =>
      other.side === 'sell' && assetOf(other) === asset ? leavesOf(other) : ZERO))
  }

  /**
   * Returns what the user's other open orders hold back as this draft has them.
   * @param before what all of them hold back before this draft
   */
  private ofOthers (order: OpenOrder, before: Money, part: (order: OpenOrder) => Money): Money {
    let sum = before
    for (const id of new Set([order.order_id, ...this.ordersOf.get(order.user) ?? []])) {
      const known = entryOf(this.state.orders, id)
      if (known !== undefined) sum = sum.minus(part(known))
      const now = this.orders.get(id)
      if (id !== order.order_id && now !== undefined && isOpen(now.status)) sum = sum.plus(part(now))
    }
    return sum
  }

  isMarketOpen (market: string | undefined): boolean {
    const status = this.view.status(market)?.status
    return status === undefined || status === 'open'
  }

  /** Returns the book of a symbol, if it is known and sound. */
  soundBook (symbol: string): DisplayedBook | undefined {
    const book = this.view.book(symbol)
    return book?.stale === true ? undefined : book
  }

  /** Returns what traders on a side can still take of a book. */
  displayed (symbol: string, side: OrderSide, { bids, asks }: DisplayedBook): DisplayedSide {
    let sides = this.books.get(symbol)
    if (sides === undefined) {
      const taken = entryOf(this.state.taken, symbol)
      this.books.set(symbol, sides = {
        buy: new DisplayedSide('buy', asks, taken?.asks ?? []),
        sell: new DisplayedSide('sell', bids, taken?.bids ?? [])
      })
    }
    return sides[side]
  }

  isKnownClosed (market: string): boolean {
    return this.closed.get(market) ?? Object.hasOwn(this.state.closed, market)
  }

  setClosed (market: string, isClosed: boolean): void {
    if (this.isKnownClosed(market) !== isClosed) this.closed.set(market, isClosed)
  }
}
