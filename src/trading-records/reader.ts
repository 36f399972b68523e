import {
  type Account, MOST_OPEN_ORDERS, type OpenOrder, ORDER_STATUSES, type Portfolio, ProtocolError, topicKey
} from '@tickwire/protocol'
import type { Log, Snapshot } from '../log/log.js'
import { SharedReads } from '../log/shared-reads.js'
import { isKept } from '../store/kept-text.js'
import type { Store, StoreAccess } from '../store/store.js'
import {
  findOrders, type OrderRow, readFills, readOrders, readTradingPosition
} from '../store/trading-rows.js'
import { isOpen } from '../trading/order.js'
import { fillOrder, joinRows, orderOrder } from './places.js'
import { lostMessages, type Retained, readRetained } from './retained.js'
import { rowOfOpenOrder } from './rows.js'
import {
  type AccountView, accountView, type FillView, fillView, type OpeningBalance, type OrderView, orderView
} from './views.js'

/** Statuses by whether the order may still change. */
const STATUSES = {
  open: ORDER_STATUSES.filter(isOpen),
  closed: ORDER_STATUSES.filter(status => !isOpen(status))
}
export type OrderGroup = keyof typeof STATUSES | 'all'

/** What part of the rows is asked for. */
interface Part {
  readonly symbol?: string | undefined
  readonly limit: number
  /** A `next` of an answer before: what comes behind it. */
  readonly after?: string | undefined
}

export interface OrdersRequest extends Part {
  readonly status: OrderGroup
}

export interface FillsRequest extends Part {
  /** In milliseconds since 1970: not before `from`, and before `to`. */
  readonly from?: number | undefined
  readonly to?: number | undefined
}

/** Rows, newest first. */
export interface Answer<View> {
  readonly rows: readonly View[]
  /** The position behind the last row; null if there is none. */
  readonly next: string | null
  readonly more: boolean
}

export interface TradingReaderOptions {
  readonly log: Log
  /** Absent: nothing is kept but by the log. */
  readonly store: StoreAccess | undefined
  /** Shares out the time of the event loop: `TurnBudget` of the hub. */
  readonly turns: { take (owner: object): Promise<void> | undefined }
  /** What an account begins with. */
  readonly openingBalances: readonly OpeningBalance[]
  /** The base currency. */
  readonly currency: string
}

/** What is known of a user's orders when the store is asked. */
interface Known {
  readonly retained: Retained
  /** Orders that the exchange says are open, and that neither log nor store have. */
  readonly others: readonly OrderRow[]
}

/**
 * Reads orders, fills and accounts of a user: from the store, what the log no longer has, and from the log,
 * what the store does not have yet. Each method throws ProtocolError: `log_unavailable`, also if the store is
 * away; `bad_request` for an `after` that no server gave.
 */
export class TradingReader {
  private readonly reads = new SharedReads<Retained>()

  constructor (private readonly options: TradingReaderOptions) {}

  /** Reads orders, the ones that were accepted last first. */
  async orders (user: string, request: OrdersRequest): Promise<Answer<OrderView>> {
    const after = request.after === undefined ? undefined : orderOrder.parse(request.after)
    const read = async (store: Store | undefined): Promise<Answer<OrderView>> => {
      const { symbol, status, limit } = request
      const statuses: readonly string[] | undefined = status === 'all' ? undefined : STATUSES[status]
      const { retained, others } = await this.known(store, user)
      const rows = [...retained.orders.values(), ...others]
      const fresh = rows.filter(row => (symbol === undefined || row.symbol === symbol) &&
        statuses?.includes(row.status) !== false)
      const filter = { user, symbol, statuses, lost: lostMessages(retained.head) }
      const found = await joinRows(
        orderOrder,
        async (place, count) => await asked(store, [], open => readOrders(open, filter, place, count)),
        fresh,
        row => retained.orders.has(row.order_id),
        after,
        limit + 1
      )
      return answer(found, limit, orderOrder, orderView)
    }
    try {
      return await read(this.store())
    } catch (error) {
      // The exchange says which orders are open, even while the store is away.
      if (error instanceof StoreAway && request.status === 'open') return await read(undefined)
      throw error
    }
  }

  /** Returns one order; undefined if the user has no such order. */
  async order (user: string, id: string): Promise<OrderView | undefined> {
    if (!isKept(id)) return undefined
    const store = this.store()
    const { retained, others } = await this.known(store, user)
    const fresh = retained.orders.get(id) ?? others.find(({ order_id: other }) => other === id)
    const [row] = fresh === undefined ? await findStored(store, user, [id], retained) : [fresh]
    return row === undefined ? undefined : orderView(row)
  }

  /** Reads fills, the newest first. */
  async fills (user: string, request: FillsRequest): Promise<Answer<FillView>> {
    const { value } = await this.fillPages(user, request).next()
    return value!
  }

  /** Reads fills, the newest first, page after page of at most `limit`; the first may be empty. */
  async * fillPages (user: string, request: FillsRequest): AsyncGenerator<Answer<FillView>, undefined> {
    const { symbol, from, to, limit } = request
    let place = request.after === undefined ? undefined : fillOrder.parse(request.after)
    const store = this.store()
    const retained = await this.retained(store, user)
    const fresh = [...retained.fills.values()].filter(fill =>
      (symbol === undefined || fill.symbol === symbol) &&
      (from === undefined || fill.time >= from) && (to === undefined || fill.time < to))
    const filter = { user, symbol, from, to, lost: lostMessages(retained.head) }
    for (;;) {
      const found = await joinRows(
        fillOrder,
        async (after, count) => await asked(store, [], open => readFills(open, filter, after, count)),
        fresh,
        row => retained.fills.has(row.exec_id),
        place,
        limit + 1
      )
      const page = answer(found, limit, fillOrder, fillView)
      yield page
      if (!page.more) return
      place = fillOrder.placeOf(found[limit - 1]!)
    }
  }

  /** Reads the account of a user; one that has none has the opening balances. */
  async account (user: string): Promise<AccountView> {
    const { currency, openingBalances } = this.options
    const [account, portfolio, open, { rows: orders }] = await Promise.all([
      this.state<Account>('accounts', user),
      this.state<Portfolio>('portfolio', user),
      this.openOrders(user),
      this.orders(user, { status: 'open', limit: MOST_OPEN_ORDERS })
    ])
    return accountView({
      currency,
      account: account?.data,
      openingBalances,
      portfolio: portfolio?.data,
      open: open.map(({ order }) => order),
      orders
    })
  }

  /** Returns the store, if there is anything in it. @throws StoreAway */
  private store (): Store | undefined {
    const { store } = this.options
    if (store?.current === undefined && store?.mayHoldRows === true) throw new StoreAway()
    return store?.current
  }

  private async known (store: Store | undefined, user: string): Promise<Known> {
    const open = await this.openOrders(user)
    // The log is asked later: then it has what the exchange has said of these orders since.
    const retained = await this.retained(store, user)
    const others = open.filter(({ order }) => !retained.orders.has(order.order_id))
    const ids = others.map(({ order }) => order.order_id)
    const stored = await findStored(store, user, ids, retained)
    const isStored = new Set(stored.map(({ order_id: id }) => id))
    return {
      retained,
      others: others.filter(({ order }) => !isStored.has(order.order_id))
        .map(({ order, state }) => rowOfOpenOrder(order, state))
    }
  }

  /**
   * Reads what the log has, and the store may not have. The store is asked for its rows after that: then it
   * has all up to the position with which this began.
   */
  private async retained (store: Store | undefined, user: string): Promise<Retained> {
    const { log, turns } = this.options
    const owner = {}
    return await this.reads.read(`${store === undefined ? 'log' : 'both'} ${user}`, async () => {
      const shard = log.shardOf(topicKey({ channel: 'orders', user }))
      const position = await asked(store, undefined, open => readTradingPosition(open, shard))
      return await readRetained(log, user, position, () => turns.take(owner))
    })
  }

  /** What the exchange has said last of the orders that may still change. */
  private async openOrders (
    user: string
  ): Promise<ReadonlyArray<{ readonly order: OpenOrder, readonly state: Snapshot }>> {
    const state = await this.state<{ readonly orders: readonly OpenOrder[] }>('open_orders', user)
    return state === undefined ? [] : state.data.orders.map(order => ({ order, state: state.snapshot }))
  }

  private async state<Data> (
    channel: string, user: string
  ): Promise<{ readonly data: Data, readonly snapshot: Snapshot } | undefined> {
    const snapshot = await this.options.log.snapshot(topicKey({ channel, user }))
    const data = snapshot === undefined ? null : JSON.parse(snapshot.payload) as Data | null
    return data === null ? undefined : { data, snapshot: snapshot! }
  }
}

class StoreAway extends ProtocolError {
  constructor () {
    super('log_unavailable', 'what the store has cannot be reached now')
  }
}

/**
 * Asks the store.
 * @param none the answer if there is no store
 * @throws StoreAway if it does not answer
 */
async function asked<Result> (
  store: Store | undefined, none: Result, question: (store: Store) => Promise<Result>
): Promise<Result> {
  if (store === undefined) return none
  try {
    return await question(store)
  } catch {
    throw new StoreAway()
  }
}

async function findStored (
  store: Store | undefined, user: string, ids: readonly string[], { head }: Retained
): Promise<readonly OrderRow[]> {
  return await asked(store, [], open => findOrders(open, user, ids, lostMessages(head)))
}

/** @param found one more than the limit, if there are more */
function answer<Row extends Place, Place, View> (
  found: readonly Row[],
  limit: number,
  { placeOf, format }: { placeOf (row: Row): Place, format (place: Place): string },
  view: (row: Row) => View
): Answer<View> {
  const rows = found.slice(0, limit)
  const last = rows.at(-1)
  return {
    rows: rows.map(view),
    next: last === undefined ? null : format(placeOf(last)),
    more: found.length > limit
  }
}
