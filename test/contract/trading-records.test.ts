import { deepStrictEqual as deepEqual } from 'node:assert'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { type Order, orders as ordersChannel, ORDER_STATUSES, standardChannels, topicKey } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import type { Database } from '../../src/store/database.js'
import { accessTo, type Store } from '../../src/store/store.js'
import { readTradingPosition } from '../../src/store/trading-rows.js'
import { TradingProjector } from '../../src/trading-records/projector.js'
import { TradingReader, type Answer } from '../../src/trading-records/reader.js'
import { rowsOf } from '../../src/trading-records/rows.js'
import type { FillView, OrderView } from '../../src/trading-records/views.js'
import { eventually } from '../helpers/eventually.js'
import { openOrder } from '../helpers/open-order.js'
import { silentLogger } from '../helpers/silent-logger.js'
import { makePlace, openStore, QUICK, storeBackends } from './stores.js'

/** Orders and fills, from the log and the store, over every kind of database. */

const NOW = Date.UTC(2026, 0, 1)
const at = (ms: number): string => new Date(NOW + ms).toISOString()
/** How many messages of a user the log of these tests retains. */
const RETAINED = 8
const CLOSED: readonly string[] = ['filled', 'canceled', 'rejected', 'expired']

function openLog (now: () => number = Date.now, shards = 2): MemoryLog {
  const channels = new Map(standardChannels)
  channels.set('orders', { ...ordersChannel, retention: { messages: RETAINED } } as never)
  let epoch = Math.floor(Math.random() * 1e9)
  return new MemoryLog({
    channels,
    shards,
    retention: { messages: 1000, seconds: 3600, bytes: 1e8 },
    maxTopics: 1000,
    clock: { now, randomEpoch: () => ++epoch }
  })
}

function order (id: string, more: Partial<Order> = {}): Order {
  return {
    order_id: id,
    client_order_id: `client-${id}`,
    symbol: 'AAPL',
    side: 'buy',
    order_type: 'limit',
    time_in_force: 'day',
    status: 'new',
    quantity: '10',
    filled_qty: '0',
    limit_price: '185.50',
    created_at: at(0),
    updated_at: at(0),
    ...more
  }
}

async function append (log: MemoryLog, user: string, ...messages: readonly Order[]): Promise<void> {
  const topic = topicKey({ channel: 'orders', user })
  await log.append(messages.map(message => ({ topic, payload: JSON.stringify(message) })))
}

const readerOf = (log: MemoryLog, store: Store | undefined): TradingReader => new TradingReader({
  log,
  store: store === undefined ? undefined : accessTo(store),
  turns: { take: () => undefined },
  openingBalances: [{ currency: 'USD', cash: '100000' }],
  currency: 'USD'
})
const projectorOf = (log: MemoryLog, store: Store): TradingProjector =>
  new TradingProjector({ log, store: accessTo(store), logger: silentLogger, lingerMs: 1 })
const soon = (): AbortSignal => AbortSignal.timeout(30_000)

/** Reads all pages. */
async function allOf<View> (read: (after: string | undefined) => Promise<Answer<View>>): Promise<View[]> {
  const all: View[] = []
  for (let after: string | undefined; ;) {
    const { rows, next, more } = await read(after)
    all.push(...rows)
    if (!more) return all
    after = next!
  }
}
const idsOf = (rows: ReadonlyArray<OrderView | FillView>): string[] =>
  rows.map(row => 'exec_id' in row ? row.exec_id : row.order_id)
const allOrders = async (reader: TradingReader, user: string, limit = 1000): Promise<OrderView[]> =>
  await allOf(after => reader.orders(user, { status: 'all', limit, after }))
const allFills = async (reader: TradingReader, user: string, limit = 1000): Promise<FillView[]> =>
  await allOf(after => reader.fills(user, { limit, after }))

/** A database that can be taken away. */
function switched (): { readonly wrap: (database: Database) => Database, isAway: boolean } {
  const state = {
    isAway: false,
    wrap: (database: Database): Database => ({
      ...database,
      async write (table, rows) {
        if (state.isAway) throw new Error('it is away')
        await database.write(table, rows)
      }
    })
  }
  return state
}

const USERS = ['alice', 'bob', '민수']
const SYMBOLS = ['AAPL', '005930']

interface Step {
  readonly user: string
  readonly order: number
  readonly status: string
  readonly isFill: boolean
}
const step: fc.Arbitrary<Step> = fc.record({
  user: fc.constantFrom(...USERS),
  order: fc.nat(12),
  status: fc.constantFrom(...ORDER_STATUSES),
  isFill: fc.boolean()
})

/** All that was ever said. */
class Model {
  readonly orders = new Map<string, Order>()
  readonly fills = new Map<string, { readonly symbol: string, readonly time: number }>()

  message (number: number, { user, order: k, status, isFill }: Step): Order {
    const id = `${user}/${k}`
    const message = order(id, {
      symbol: SYMBOLS[k % SYMBOLS.length]!,
      status,
      // Some orders are accepted within the same millisecond.
      created_at: at(Math.floor(k / 2)),
      updated_at: at(1000 + number),
      ...(isFill ? { exec_id: `${id}.${number}`, last_qty: '1', last_price: '185.50', fee: '0.01', currency: 'USD' } : {})
    })
    this.orders.set(id, message)
    if (isFill) this.fills.set(message.exec_id!, { symbol: message.symbol, time: number })
    return message
  }

  /** Ids, newest first. */
  ordersOf (user: string, holds: (message: Order) => boolean = () => true): string[] {
    return [...this.orders.values()].filter(message => message.order_id.startsWith(`${user}/`) && holds(message))
      .sort((a, b) => a.created_at === b.created_at
        ? a.order_id < b.order_id ? 1 : -1
        : a.created_at! < b.created_at! ? 1 : -1)
      .map(({ order_id: id }) => id)
  }

  fillsOf (user: string, symbol?: string): string[] {
    return [...this.fills].filter(([id, fill]) => id.startsWith(`${user}/`) && (symbol === undefined || fill.symbol === symbol))
      .sort(([, a], [, b]) => b.time - a.time).map(([id]) => id)
  }
}

async function compare (reader: TradingReader, model: Model, limit: number): Promise<void> {
  for (const user of USERS) {
    const found = await allOrders(reader, user, limit)
    deepEqual(idsOf(found), model.ordersOf(user))
    for (const view of found) {
      const { status, updated_at: updatedAt } = model.orders.get(view.order_id)!
      deepEqual({ status: view.status, updatedAt: view.updated_at }, { status, updatedAt })
      deepEqual(await reader.order(user, view.order_id), view)
    }
    for (const [status, isClosed] of [['open', false], ['closed', true]] as const) {
      const some = await allOf(after => reader.orders(user, { status, symbol: 'AAPL', limit, after }))
      deepEqual(idsOf(some), model.ordersOf(user, message => message.symbol === 'AAPL' && CLOSED.includes(message.status) === isClosed))
    }
    deepEqual(idsOf(await allFills(reader, user, limit)), model.fillsOf(user))
    const ofOne = await allOf(after => reader.fills(user, { symbol: '005930', limit, after }))
    deepEqual(idsOf(ofOne), model.fillsOf(user, '005930'))
  }
}

for (const backend of storeBackends) {
  test(backend.name, async t => {
    const open = async (t: Test, more: Parameters<typeof openStore>[2] = {}): Promise<Store> =>
      (await openStore(t, await makePlace(t, backend), more)).store

    t.test('gives each order and fill once, whatever log and store have of them', async t => {
      const { store, database } = await openStore(t, await makePlace(t, backend))
      const program = fc.array(fc.oneof(
        { weight: 8, arbitrary: step }, { weight: 2, arbitrary: fc.constantFrom('project', 'restart', 'read') }
      ), { maxLength: 60 })
      await fc.assert(fc.asyncProperty(program, fc.integer({ min: 1, max: 5 }), async (steps, limit) => {
        for (const table of ['orders', 'fills', 'trading_positions'] as const) await database.writer.deleteFrom(table).execute()
        const model = new Model()
        let log = openLog()
        let unwritten = 0
        const project = async (): Promise<void> => {
          await projectorOf(log, store).finish(soon())
          await store.flush()
          unwritten = 0
        }
        for (const [number, what] of steps.entries()) {
          if (typeof what === 'object') {
            await append(log, what.user, model.message(number, what))
            // What the log drops before it is written is lost, as it must be.
            if (++unwritten === RETAINED) await project()
          } else if (what === 'read') await compare(readerOf(log, store), model, limit)
          else {
            await project()
            if (what === 'restart') log = openLog()
          }
        }
        await compare(readerOf(log, store), model, limit)
      }), { numRuns: 25 })
    })

    t.test('writes what comes, and goes on from its position on another server', async t => {
      const store = await open(t)
      const log = openLog()
      await append(log, 'alice', order('1'), order('2'))
      const first = new AbortController()
      const running = projectorOf(log, store).run(first.signal).catch(() => {})
      const written = (): number => store.health().tables.orders.written
      await eventually('what there was is written', () => written() === 2)
      for (let id = 3; id <= 30; id++) {
        await append(log, 'alice', order(String(id)))
        if (id % 5 === 0) await eventually('it is written', () => written() === id)
      }
      const shard = log.shardOf(topicKey({ channel: 'orders', user: 'alice' }))
      await eventually('so is the position', async () => (await readTradingPosition(store, shard))?.log_offset === 30)
      first.abort()
      await running
      await append(log, 'alice', order('31'))
      await projectorOf(log, store).finish(soon())
      t.equal(written(), 31, 'only what is new is written')
      t.same(idsOf(await allOrders(readerOf(log, store), 'alice')).sort(), Array.from({ length: 31 }, (_, index) => String(index + 1)).sort())
    })

    t.test('writes what waited in the log while the database was away', async t => {
      const place = switched()
      const limits = { ...QUICK, waiting: { rows: 2000, bytes: 1e8 } }
      const store = await open(t, { wrap: place.wrap, limits })
      const log = openLog()
      const stop = new AbortController()
      const running = projectorOf(log, store).run(stop.signal).catch(() => {})
      place.isAway = true
      await append(log, 'alice', order('1'))
      await eventually('the row waits', () => store.health().tables.orders.waiting === 1)
      await append(log, 'alice', order('2'), order('1', { status: 'filled' }))
      await append(log, 'bob', order('3'))
      // Rows of others drive out those that wait.
      const { entries: [entry] } = await log.read(topicKey({ channel: 'orders', user: 'bob' }), { offset: 0 }, 1)
      const { order: row } = rowsOf(entry!, (await log.head([entry!.shard]))[0]!)
      store.write('orders', Array.from({ length: 2000 }, (_, index) => ({ ...row, user_id: 'carol', order_id: `other-${index}` })))
      t.equal(store.health().tables.orders.dropped > 0, true)
      place.isAway = false
      const reader = readerOf(log, store)
      const isThere = async (user: string, ids: string[]): Promise<boolean> => {
        const rows = await store.query.selectFrom('orders').select(['order_id', 'status']).where('user_id', '=', user).orderBy('order_id').execute()
        return JSON.stringify(rows.map(({ order_id: id, status }) => `${id} ${status}`)) === JSON.stringify(ids)
      }
      await eventually("alice's are there", () => isThere('alice', ['1 filled', '2 new']))
      await eventually("bob's are there", () => isThere('bob', ['3 new']))
      stop.abort()
      await running
      t.same(idsOf(await allOrders(reader, 'alice')).sort(), ['1', '2'])
    })

    t.test('leaves out what the log has lost, and gives what came in its place', async t => {
      const store = await open(t)
      const log = openLog(Date.now, 1)
      const fill = (id: string): Partial<Order> => ({ exec_id: id, last_qty: '1', last_price: '2' })
      await append(log, 'alice', order('1'), order('1', { status: 'partially_filled', filled_qty: '1', ...fill('1.1') }))
      await append(log, 'alice', order('1', { status: 'filled', filled_qty: '10', ...fill('1.2') }), order('2'))
      await projectorOf(log, store).finish(soon())
      await store.flush()
      log.restart([2])
      const reader = readerOf(log, store)
      t.match(await allOrders(reader, 'alice'), [{ order_id: '1', status: 'partially_filled' }])
      t.same(idsOf(await allFills(reader, 'alice')), ['1.1'])
      t.equal(await reader.order('alice', '2'), undefined)
      await projectorOf(log, store).finish(soon())
      const left = store.query.selectFrom('orders').select(['order_id', 'status'])
      t.same(await left.execute(), [{ order_id: '1', status: 'partially_filled' }], 'the store is rid of it, too')
      t.same(await store.query.selectFrom('fills').select('exec_id').execute(), [{ exec_id: '1.1' }])
      await append(log, 'alice', order('1', { status: 'canceled', filled_qty: '1' }))
      await projectorOf(log, store).finish(soon())
      await store.flush()
      t.match(await allOrders(readerOf(log, store), 'alice'), [{ order_id: '1', status: 'canceled' }])
      t.same(await left.execute(), [{ order_id: '1', status: 'canceled' }])
    })

    t.test('a clock that was set back between two starts keeps nothing new from the store', async t => {
      const store = await open(t)
      const before = openLog(() => NOW + 86_400_000)
      await append(before, 'alice', order('1'))
      await projectorOf(before, store).finish(soon())
      const after = openLog(() => NOW)
      await append(after, 'alice', order('1', { status: 'filled' }))
      const projector = projectorOf(after, store)
      await projector.finish(soon())
      await append(after, 'alice', order('1', { status: 'expired' }))
      await projector.finish(soon())
      t.match(await store.query.selectFrom('orders').select('status').execute(), [{ status: 'expired' }])
    })

    t.test('goes on behind a row that no database takes', async t => {
      const store = await open(t)
      const log = openLog()
      await append(log, 'alice', order('a\0b'), order('2'))
      await projectorOf(log, store).finish(soon())
      t.match(await store.query.selectFrom('orders').select('order_id').execute(), [{ order_id: '2' }])
      t.equal(await readerOf(log, store).order('alice', 'a\0b'), undefined)
    })

    t.test('orders ids by their code points', async t => {
      const store = await open(t)
      const log = openLog()
      const ids = ['a', 'B', 'b', 'A', '_', '-', 'é']
      await append(log, 'alice', ...ids.map(id => order(id)))
      await projectorOf(log, store).finish(soon())
      const empty = openLog()
      const sorted = [...ids].sort((a, b) => a < b ? 1 : -1)
      for (const limit of [1, 2, 3, 100]) t.same(idsOf(await allOrders(readerOf(empty, store), 'alice', limit)), sorted)
    })

    t.test('keeps strategies, each as it was last', async t => {
      const store = await open(t)
      const log = openLog()
      const strategy = (id: string, status: string): object => ({ strategy_id: id, name: 'breakout', status, symbol: 'AAPL' })
      const messages = [{ strategies: [strategy('1', 'running'), strategy('2', 'running')] }, { strategies: [strategy('1', 'running'), strategy('2', 'stopped')] }, { strategies: [strategy('1', 'paused')] }, null]
      const project = async (): Promise<void> => { await projectorOf(log, store).finish(soon()) }
      for (const message of messages) {
        await log.append([{ topic: 'strategies@alice', payload: JSON.stringify(message) }])
        await project()
      }
      const rows = await store.query.selectFrom('strategies').select(['strategy_id', 'user_id', 'name', 'status', 'data']).orderBy('strategy_id').execute()
      t.same(rows, [['1', 'paused'], ['2', 'stopped']].map(([id, status]) => (
        { strategy_id: id, user_id: 'alice', name: 'breakout', status, data: JSON.stringify(strategy(id!, status!)) })))
    })

    t.test('keeps accounts, of each user the newest', async t => {
      const store = await open(t)
      const log = openLog()
      const account = (cash: string): string => JSON.stringify({ opened_at: at(0), balances: [{ currency: 'USD', cash, fees: '0', realized: '0' }], positions: [] })
      for (const cash of ['1', '2']) await log.append([{ topic: 'accounts@alice', payload: account(cash) }])
      await projectorOf(log, store).finish(soon())
      const rows = await store.query.selectFrom('accounts').selectAll().execute()
      t.same(rows.map(({ user_id: user, data }) => [user, data]), [['alice', account('2')]])
    })
  })
}

test('a reader without a store has what the log has, and what the exchange says of open orders', async t => {
  const log = openLog()
  const open = (id: string, more: object = {}): object => openOrder(id, { status: 'partially_filled', filled_qty: '5', notional: '927.56', decimals: 2, ...more })
  await log.append([{ topic: 'open_orders@alice', payload: JSON.stringify({ orders: [open('1'), open('2'), open('3', { filled_qty: '0', notional: '0', status: 'new' })] }) }])
  await append(log, 'alice', order('2', { status: 'filled' }), order('4', { status: 'rejected' }))
  const reader = readerOf(log, undefined)
  const { rows } = await reader.orders('alice', { status: 'open', limit: 10 })
  t.match(rows, [
    { order_id: '3', status: 'new', leaves_qty: '5', created_at: at(1) },
    { order_id: '1', status: 'partially_filled', avg_price: '185.512', leaves_qty: '0', currency: 'USD' }
  ])
  t.notOk('avg_price' in rows[0]!)
  t.same(idsOf(await allOrders(reader, 'alice')), ['3', '1', '4', '2'])
  t.match(await reader.order('alice', '1'), { avg_price: '185.512' })
  t.equal(await reader.order('bob', '1'), undefined)
  const account = await reader.account('alice')
  t.match(account, { currency: 'USD', balances: [{ currency: 'USD', cash: '100000', reserved: '31.5', available: '99968.5', fees: '0', realized: '0' }], positions: [], portfolio: null })
  t.same(idsOf(account.open_orders), ['3', '1'])
})

test('reads that come together share one of the log, and none sees less than was there before it', async t => {
  const log = openLog()
  const reader = readerOf(log, undefined)
  let reads = 0
  const { read } = log
  log.read = async (...given) => {
    reads++
    const page = await read.apply(log, given)
    await delay(1)
    return page
  }
  await append(log, 'alice', order('1'))
  const first = reader.fills('alice', { limit: 10 })
  await append(log, 'alice', order('1', { exec_id: '1.1', last_qty: '1', last_price: '2' }))
  const others = await Promise.all(Array.from({ length: 50 }, () => reader.fills('alice', { limit: 10 })))
  await first
  t.ok(others.every(({ rows }) => rows.length === 1))
  t.equal(reads, 2)
})
