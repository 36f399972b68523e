import type { Order } from '@tickwire/protocol'

/**
 * An independent ledger: it keeps accounts by the messages of orders alone, with arithmetic of its own, and
 * shares nothing with the exchange. What does not fit is thrown.
 */

/** Amounts are whole numbers of 10^-36 here. */
const SCALE = 36
const ONE = 10n ** BigInt(SCALE)

/** Amounts that were read lately: the same prices and sizes come again and again. */
const read = new Map<string, bigint>()
const MOST_READ = 100_000

export function whole (decimal: string): bigint {
  const known = read.get(decimal)
  if (known !== undefined) return known
  if (read.size >= MOST_READ) read.clear()
  const [integer = '', fraction = ''] = decimal.split('.')
  const amount = BigInt(integer + fraction.padEnd(SCALE, '0'))
  read.set(decimal, amount)
  return amount
}

/** Exact, or it throws. */
function product (a: bigint, b: bigint): bigint {
  const twice = a * b
  if (twice % ONE !== 0n) throw new Error('a product has more decimals than the ledger')
  return twice / ONE
}

/** Divides to 8 decimals, half to even. */
function share (a: bigint, b: bigint): bigint {
  const unit = 10n ** BigInt(SCALE - 8)
  const [dividend, divisor] = [a * ONE, b * unit]
  const floor = dividend / divisor
  const rest = (dividend - floor * divisor) * 2n
  const up = rest > divisor || (rest === divisor && floor % 2n === 1n)
  return (floor + (up ? 1n : 0n)) * unit
}

const decimals = (text: string): number => text.split('.')[1]?.length ?? 0

/** Statuses that may follow each other; the first are those of an order that nobody knew. */
const NEXT: Readonly<Record<string, string>> = {
  '': 'pending_new new rejected',
  pending_new: 'new rejected canceled',
  new: 'partially_filled filled canceled replaced expired',
  partially_filled: 'partially_filled filled canceled replaced expired',
  replaced: 'partially_filled filled canceled replaced expired'
}

export interface KnownOrder {
  readonly user: string
  last: Order
  readonly currency: string
  readonly market: string | undefined
  fills: number
  filled: bigint
  notional: bigint
  decimals: number
  triggered: boolean
}

const isOpenOrder = ({ last: { status } }: KnownOrder): boolean => status in NEXT

interface Position {
  quantity: bigint
  cost: bigint
}

interface Books {
  readonly cash: Map<string, bigint>
  readonly fees: Map<string, bigint>
  readonly realized: Map<string, bigint>
  readonly positions: Map<string, Position>
}

export interface Instrument {
  readonly symbol: string
  readonly currency: string
  readonly market: string | undefined
}

/** Ended orders that the ledger knows. A message of an older one looks like that of a new order: refused. */
const KNOWN_ENDED = 50_000

export class PaperLedger {
  readonly orders = new Map<string, KnownOrder>()
  readonly openBySymbol = new Map<string, Set<KnownOrder>>()
  readonly openByUser = new Map<string, Set<KnownOrder>>()
  private readonly users = new Map<string, Books>()
  private readonly ended = new Set<string>()

  /** @param fee of a market, as a fraction of the notional */
  constructor (
    private readonly balances: Readonly<Record<string, string>>,
    private readonly fee: (market: string | undefined) => string,
    private readonly instruments: ReadonlyMap<string, Instrument>
  ) {}

  open (user: string): void {
    const balances = Object.entries(this.balances)
    const zero = (): Map<string, bigint> => new Map(balances.map(([currency]) => [currency, 0n]))
    const cash = new Map(balances.map(([currency, text]) => [currency, whole(text)]))
    this.users.set(user, { cash, fees: zero(), realized: zero(), positions: new Map() })
  }

  /** Takes a message, and returns its order. */
  take (user: string, order: Order): KnownOrder {
    if (!this.users.has(user)) this.open(user)
    const known = this.orders.get(order.order_id)
    if (known !== undefined && known.user !== user) throw new Error('an order has changed its user')
    const before = known?.last
    if (whole(order.quantity) !== whole(order.filled_qty) + whole(order.leaves_qty!)) {
      throw new Error('the quantity is not what is filled and what is left')
    }
    const isRemark = order.exec_id === undefined && order.reason !== undefined
    if (isRemark && order.status === before?.status) return this.takeRemark(known!, order)
    if (!(NEXT[before?.status ?? ''] ?? '').split(' ').includes(order.status)) {
      throw new Error(`${before?.status} is followed by ${order.status}`)
    }
    const instrument = this.instruments.get(order.symbol)!
    const changed = known ?? {
      user, last: order, ...instrument, fills: 0, filled: 0n, notional: 0n, decimals: 0, triggered: false
    }
    if (known === undefined) this.orders.set(order.order_id, changed)
    if (order.status === 'rejected') this.checkShortage(changed, order)
    if (before !== undefined && order.status !== 'replaced') checkTerms(before, order)
    if (order.exec_id !== undefined) this.fill(changed, order)
    else if (order.status === 'filled' || order.status === 'partially_filled') throw new Error('a fill says nothing of itself')
    if (whole(order.filled_qty) !== changed.filled) throw new Error('something was filled without a fill')
    if (order.status === 'filled' && order.leaves_qty !== '0') throw new Error('filled, and something is left')
    if (order.status in NEXT && order.leaves_qty === '0') throw new Error('open, and nothing is left')
    changed.last = order
    this.index(changed)
    return changed
  }

  /** The triggering of a stop order, or the answer to a request that cannot be done. */
  private takeRemark (known: KnownOrder, order: Order): KnownOrder {
    checkTerms(known.last, order)
    if (whole(order.filled_qty) !== known.filled) throw new Error('a remark changes what is filled')
    if (order.reason === 'triggered') {
      if (known.triggered) throw new Error('an order is triggered twice')
      known.triggered = true
    }
    return known
  }

  /** Whoever is told that something is short has less than the order takes. */
  private checkShortage ({ user, currency, market }: KnownOrder, order: Order): void {
    const { cash, positions } = this.users.get(user)!
    const [reserved, selling] = this.heldBack(user)
    const { reason, symbol } = order
    const quantity = whole(order.quantity)
    const price = order.limit_price ?? order.stop_price
    if (reason === 'insufficient buying power' && price !== undefined) {
      const notional = product(quantity, whole(price))
      const cost = notional + product(notional, whole(this.fee(market)))
      if (cost <= cash.get(currency)! - (reserved.get(currency) ?? 0n)) throw new Error('there was cash enough')
    }
    const free = (positions.get(symbol)?.quantity ?? 0n) - (selling.get(symbol) ?? 0n)
    if (reason === 'insufficient position' && quantity <= free) throw new Error('there was a position large enough')
  }

  /** Returns what open orders hold back: cash by currency, and positions by symbol. */
  private heldBack (user: string): [reserved: Map<string, bigint>, selling: Map<string, bigint>] {
    const reserved = new Map<string, bigint>()
    const selling = new Map<string, bigint>()
    for (const { last, currency, market } of this.openByUser.get(user) ?? []) {
      const leaves = whole(last.leaves_qty!)
      const price = last.limit_price ?? last.stop_price
      if (last.side === 'sell') add(selling, last.symbol, leaves)
      else if (price !== undefined) {
        const notional = product(leaves, whole(price))
        add(reserved, currency, notional + product(notional, whole(this.fee(market))))
      }
    }
    return [reserved, selling]
  }

  private index (order: KnownOrder): void {
    const { openBySymbol, openByUser } = this
    for (const [map, key] of [[openBySymbol, order.last.symbol], [openByUser, order.user]] as const) {
      let orders = map.get(key)
      if (orders === undefined) map.set(key, orders = new Set())
      if (isOpenOrder(order)) orders.add(order)
      else orders.delete(order)
    }
    if (isOpenOrder(order)) return
    this.ended.add(order.last.order_id)
    if (this.ended.size <= KNOWN_ENDED) return
    const [oldest] = this.ended
    this.ended.delete(oldest!)
    this.orders.delete(oldest!)
  }

  private fill (known: KnownOrder, order: Order): void {
    const [quantity, price] = [whole(order.last_qty!), whole(order.last_price!)]
    const { limit_price: limit, side, symbol } = order
    if (quantity <= 0n || price <= 0n) throw new Error('a fill of nothing')
    if (limit !== undefined && (side === 'buy' ? price > whole(limit) : price < whole(limit))) {
      throw new Error('a fill beyond its limit')
    }
    if (order.exec_id !== `${order.order_id}.${++known.fills}`) throw new Error('fills are not numbered one by one')
    const notional = product(quantity, price)
    const fee = product(notional, whole(this.fee(known.market)))
    if (whole(order.fee!) !== fee) throw new Error(`the fee is ${order.fee}`)
    known.filled += quantity
    known.notional += notional
    known.decimals = Math.min(8, Math.max(known.decimals, decimals(order.last_price!)))
    const average = order.avg_price!
    if (whole(average) !== share(known.notional, known.filled)) throw new Error(`the average is ${average}`)
    if (decimals(average) > 8 || decimals(average) < known.decimals) throw new Error(`the average has ${decimals(average)} decimals`)
    if (decimals(average) > known.decimals && average.endsWith('0')) throw new Error(`the average ${average} ends with zeros`)
    const { cash, fees, realized, positions } = this.users.get(known.user)!
    const { currency } = known
    const position = positions.get(symbol) ?? { quantity: 0n, cost: 0n }
    add(fees, currency, fee)
    if (side === 'buy') {
      add(cash, currency, -notional - fee)
      positions.set(symbol, { quantity: position.quantity + quantity, cost: position.cost + notional })
      return
    }
    const left = position.quantity - quantity
    if (left < 0n) throw new Error('more is sold than there is')
    const part = share(product(position.cost, quantity), position.quantity)
    const cost = left === 0n || part > position.cost ? position.cost : part
    add(cash, currency, notional - fee)
    add(realized, currency, notional - cost)
    if (left === 0n) positions.delete(symbol)
    else positions.set(symbol, { quantity: left, cost: position.cost - cost })
  }

  /** What a user has: by currency cash, fees, profit and reserved cash; by symbol quantity and cost. */
  sheet (user: string): string[] {
    const { cash, fees, realized, positions } = this.users.get(user)!
    const [reserved, selling] = this.heldBack(user)
    for (const [symbol, quantity] of selling) {
      if (quantity > (positions.get(symbol)?.quantity ?? 0n)) throw new Error('open orders sell more than there is')
    }
    return [
      ...[...cash].map(([currency, amount]) => {
        const held = reserved.get(currency) ?? 0n
        if (amount < held) throw new Error(`${user} has less ${currency} than is reserved`)
        return [currency, amount, fees.get(currency), realized.get(currency), held].join(' ')
      }),
      ...[...positions].map(([symbol, { quantity, cost }]) => [symbol, quantity, cost].join(' ')).sort()
    ]
  }

  /** The symbols that a user holds. */
  held (user: string): string[] {
    return [...this.users.get(user)?.positions.keys() ?? []]
  }

  knownUsers (): Iterable<string> {
    return this.users.keys()
  }
}

function add (amounts: Map<string, bigint>, name: string, amount: bigint): void {
  amounts.set(name, (amounts.get(name) ?? 0n) + amount)
}

/** Whatever happens to an order, what it was asked for stays, unless it is replaced. */
function checkTerms (before: Order, after: Order): void {
  for (const name of ['client_order_id', 'symbol', 'side', 'order_type', 'time_in_force', 'quantity', 'limit_price', 'stop_price', 'created_at'] as const) {
    if (before[name] !== after[name]) throw new Error(`${name} has changed`)
  }
}

type Levels = ReadonlyArray<readonly [price: string, size: string]>

interface Level {
  readonly size: string
  left: bigint
}

type Side = 'buy' | 'sell'

/** What a displayed book still has to give, by what was filled from it. */
export class PaperBook {
  /** By price, for those who buy and those who sell. */
  private readonly sides = { buy: new Map<string, Level>(), sell: new Map<string, Level>() }

  show (bids: Levels, asks: Levels): void {
    for (const [side, levels] of [['buy', asks], ['sell', bids]] as const) {
      const before = new Map(this.sides[side])
      this.sides[side].clear()
      for (const [price, size] of levels) {
        const known = before.get(price)
        this.sides[side].set(price, known?.size === size ? known : { size, left: whole(size) })
      }
    }
  }

  /** Returns the price of the best level with something left. */
  best (side: Side): string | undefined {
    let best: string | undefined
    for (const [price, { left }] of this.sides[side]) {
      if (left > 0n && (best === undefined || isBetter(price, best, side))) best = price
    }
    return best
  }

  /** Takes a fill out of the best level. Its price is that level's, or the limit that the level reached. */
  take ({ side, last_price: price, last_qty: quantity, limit_price: limit }: Order): void {
    const best = this.best(side)
    if (best === undefined) throw new Error('a fill without anything displayed')
    const isOwn = price === best
    const isLimit = price === limit && !isBetter(price!, best, side)
    if (!isOwn && !isLimit) throw new Error(`a fill at ${price} from the level ${best}`)
    const level = this.sides[side].get(best)!
    level.left -= whole(quantity!)
    if (level.left < 0n) throw new Error('displayed size is given out twice')
  }
}

/** Returns whether a price is better to trade at. */
export const isBetter = (a: string, b: string, side: Side): boolean =>
  side === 'buy' ? whole(a) < whole(b) : whole(a) > whole(b)
