import { createHash } from 'node:crypto'
import type { Command, SubmitCommand } from '@tickwire/protocol'
import { test } from 'tap'
import { Exchange, type Happening } from '../../src/trading/exchange.js'
import type { DisplayedBook } from '../../src/trading/market-view.js'
import { type Decision, initialState } from '../../src/trading/state.js'
import { PAPER_START, paperRules } from '../helpers/paper-desk.js'
import { type Instrument, isBetter, type KnownOrder, PaperBook, PaperLedger, whole } from '../helpers/paper-ledger.js'
import { Choices } from '../helpers/random.js'
import { ShownMarket } from '../helpers/shown-market.js'

/** Random requests and markets, judged by a ledger that shares nothing with the exchange. */

const REQUESTS = Number(process.env['REQUESTS'] ?? 20_000)
const SEED = Number(process.env['SEED'] ?? 17)
const USERS = Array.from({ length: 100 }, (_, index) => `user-${index}`)
const BALANCES = { USD: '3000', KRW: '3000000' }
const FEES = { M1: '0.001', M2: '0.00015', M3: '0' } as const
const OTHERS_FEE = '0.0025'
const feeOf = (market: string | undefined): string => FEES[market as keyof typeof FEES] ?? OTHERS_FEE
const DAY_MS = 86_400_000

interface Paper extends Instrument {
  /** In ticks. */
  middle: number
  readonly tick: number
  readonly decimals: number
  readonly lot: string
}

/** Fifty instruments of five kinds: with and without a market, coarse and fine. */
const papers = (): Paper[] => Array.from({ length: 50 }, (_, index) => {
  const [market, currency, tick, decimals, lot] = ([
    ['M1', 'USD', 1, 2, '1'], ['M2', 'KRW', 50, 0, '1'], ['M3', 'USD', 25, 4, '0.00000001'],
    [undefined, 'USD', 1, 2, '0.001'], ['M5', 'USD', 5, 2, '1']
  ] as const)[index % 5]!
  return { symbol: `S${index}`, market, currency, middle: 2000 + index * 100, tick, decimals, lot }
})

/** The exchange and the ledger beside it, in one random market. */
class World extends ShownMarket {
  readonly counts = new Map<string, number>()
  private readonly random: Choices
  private readonly exchange = new Exchange(paperRules({
    balances: Object.entries(BALANCES).map(entry => entry.join(':')).join(','),
    fees: [OTHERS_FEE, ...Object.entries(FEES).map(entry => entry.join(':'))].join(','),
    openOrders: 5,
    positions: 12
  }))

  private readonly papers = papers()
  private readonly bySymbol = new Map(this.papers.map(paper => [paper.symbol, paper]))
  private readonly ledger = new PaperLedger(BALANCES, feeOf, this.bySymbol)
  private readonly digest = createHash('sha256')
  /** The last sound book. */
  private readonly shown = new Map<string, DisplayedBook>()
  private readonly ledgerBooks = new Map(this.papers.map(({ symbol }) => [symbol, new PaperBook()]))
  private readonly ids = new Map<string, string[]>()
  private readonly submitted: Array<readonly [string, Command]> = []
  private state = initialState()
  private now = PAPER_START
  private number = 0

  /** @param takeover how likely another server takes the exchange over, at each request */
  constructor (seed: number, private readonly takeover: number) {
    super()
    this.random = new Choices(seed)
  }

  /** Has users make so many requests, and returns a digest of all decisions. */
  run (requests: number): string {
    const isDue = (index: number): boolean => this.takeover > 0 && index % this.takeover === 0
    for (let index = 1; index <= requests; index++) {
      while (this.random.chance(0.6)) this.moveMarket()
      this.request()
      if (isDue(index)) this.state = JSON.parse(JSON.stringify(this.state)) as typeof this.state
    }
    for (const user of this.ledger.knownUsers()) this.checkUser(user)
    return this.digest.digest('hex')
  }

  private moveMarket (): void {
    const { random } = this
    const paper = random.pick(this.papers)
    const { symbol } = paper
    this.now += random.integer(0, 400)
    if (random.chance(0.0005)) this.now += random.integer(0, 8 * 3_600_000)
    this.passTime()
    const kind = random.next()
    if (kind < 0.54) this.showBook(paper)
    else if (kind < 0.55) this.books.delete(symbol)
    else if (kind < 0.58) {
      this.books.set(symbol, { bids: [], asks: [], stale: true })
      this.happen({ kind: 'book', symbol, time: this.now })
    } else if (kind < 0.85) {
      const [price, size] = [this.priceOf(paper, random.integer(-4, 4)), this.sizeOf(paper)]
      this.lasts.set(symbol, price)
      this.happen({ kind: 'trade', symbol, price, size, time: this.now })
    } else if (kind < 0.97) {
      const price = this.priceOf(paper, random.integer(-3, 3))
      this.lasts.set(symbol, price)
      this.happen({ kind: 'last', symbol, price, time: this.now })
    } else {
      const market = random.pick(['M1', 'M2', 'M3'])
      this.statuses.set(market, this.statuses.get(market) === 'open'
        ? random.pick(['closed', 'halted', 'stale', 'pre_open'] as const)
        : random.chance(0.8) ? 'open' : 'closed')
      this.happen({ kind: 'market', market, time: this.now })
    }
  }

  private passTime (): void {
    for (;;) {
      const due = this.exchange.nextDue(this.state, this.now)
      if (due === undefined || due > this.now) break
      this.happen({ kind: 'time', time: this.now })
    }
    if (this.random.chance(0.02)) {
      this.happen({ kind: 'time', time: this.now })
      this.checkDays()
    }
  }

  private checkDays (): void {
    for (const orders of this.ledger.openByUser.values()) {
      for (const { last, market } of orders) {
        const age = Math.floor(this.now / DAY_MS) - Math.floor(Date.parse(last.created_at!) / DAY_MS)
        if (age > 0 && last.time_in_force === 'day' && this.status(market) === undefined) throw new Error('a day order outlives its day')
        if (last.status === 'pending_new' && this.now > Date.parse(last.created_at!) + 5000) throw new Error('an order waits too long for its book')
      }
    }
  }

  private showBook (paper: Paper): void {
    const { random } = this
    const { symbol } = paper
    if (random.chance(0.2)) paper.middle = Math.max(100, paper.middle + random.integer(-2, 2))
    const before = this.shown.get(symbol)
    const side = (sign: 1 | -1): Array<[string, string]> => {
      const levels: Array<[string, string]> = []
      for (let step = 1; step <= 4; step++) {
        if (random.chance(0.2)) continue
        const price = this.priceOf(paper, sign * step)
        const known = [...before?.bids ?? [], ...before?.asks ?? []].find(level => level[0] === price)
        levels.push([price, known !== undefined && random.chance(0.7) ? known[1] : this.sizeOf(paper)])
      }
      return levels
    }
    const book = { bids: side(-1), asks: side(1) }
    this.books.set(symbol, book)
    this.shown.set(symbol, book)
    this.ledgerBooks.get(symbol)!.show(book.bids, book.asks)
    this.happen({ kind: 'book', symbol, time: this.now })
  }

  private priceOf ({ middle, tick, decimals }: Paper, step: number): string {
    return ((middle + step) * tick / 10 ** decimals).toFixed(decimals)
  }

  /** Most limits are away from the market, so that orders rest. */
  private limitOf (paper: Paper, side: 'buy' | 'sell'): string {
    const away = this.random.integer(-4, 10)
    return this.priceOf(paper, side === 'buy' ? -away : away)
  }

  private sizeOf ({ lot }: Paper, most = 20): string {
    const fraction = lot.split('.')[1] ?? ''
    if (fraction === '') return String(this.random.integer(1, most))
    const digits = this.random.integer(1, 10 ** fraction.length).toString().padStart(fraction.length, '0')
    return `${this.random.integer(0, most)}.${digits.slice(-fraction.length)}`
  }

  private request (): void {
    const { random } = this
    const user = random.pick(USERS)
    const ids = this.ids.get(user) ?? []
    const kind = random.next()
    const requestId = `r${this.number++}`
    if (kind < 0.62) return this.submit(user, ids)
    if (kind < 0.65 && this.submitted.length > 0) {
      const [before, command] = random.pick(this.submitted.slice(-500))
      return this.command(before, command)
    }
    if (kind > 0.998) {
      this.command(user, { action: 'reset_account', request_id: requestId })
      return
    }
    const open = [...this.ledger.openByUser.get(user) ?? []].map(({ last }) => last.order_id)
    const id = random.chance(0.02) ? 'unknown' : random.pick(random.chance(0.7) && open.length > 0 ? open : ['none', ...ids.slice(-30)])
    if (kind < 0.8) return this.command(user, { action: 'cancel_order', request_id: requestId, order_id: id })
    const order = this.ledger.orders.get(id)?.last
    const paper = this.bySymbol.get(order?.symbol ?? 'S0')!
    const isNew = (price: string | undefined): boolean => price !== undefined && random.chance(0.6)
    this.command(user, {
      action: 'replace_order',
      request_id: requestId,
      order_id: id,
      ...(random.chance(0.5) ? { quantity: this.sizeOf(paper) } : {}),
      ...(random.chance(0.03) ? { quantity: '100000' } : {}),
      ...(isNew(order?.limit_price) ? { limit_price: this.limitOf(paper, order!.side) } : {}),
      ...(isNew(order?.stop_price) ? { stop_price: this.priceOf(paper, random.integer(-4, 4)) } : {})
    })
  }

  private submit (user: string, ids: string[]): void {
    const { random } = this
    const all = this.ledger.held(user)
    const side = random.chance(all.length > 7 ? 0.25 : 0.6) ? 'buy' : 'sell'
    const held = random.chance(0.1) ? [] : all
    const symbol = side === 'buy' || held.length === 0 ? random.pick(this.papers).symbol : random.pick(held)
    const paper = this.bySymbol.get(symbol)!
    const type = random.pick(['market', 'limit', 'limit', 'limit', 'stop', 'stop_limit'] as const)
    const force = random.pick(type.startsWith('stop') ? ['day', 'gtc'] as const : ['day', 'gtc', 'ioc', 'fok'] as const)
    const id = `${user}-${this.number}`
    const command: SubmitCommand = {
      action: 'submit_order',
      order_id: id,
      client_order_id: `c${this.number}`,
      symbol: paper.symbol,
      side,
      order_type: type,
      time_in_force: force,
      quantity: random.chance(0.03) ? '100000' : this.sizeOf(paper, side === 'sell' ? 6 : 20),
      ...(type === 'limit' || type === 'stop_limit' ? { limit_price: this.limitOf(paper, side) } : {}),
      ...(type.startsWith('stop') ? { stop_price: this.priceOf(paper, random.integer(-4, 4)) } : {}),
      ...(paper.market === undefined ? {} : { market: paper.market }),
      currency: paper.currency
    }
    this.ids.set(user, [...ids.slice(-50), id])
    this.submitted.push([user, command])
    if (this.submitted.length > 1000) this.submitted.splice(0, 500)
    this.command(user, command)
  }

  private command (user: string, command: Command): void {
    if (command.action !== 'reset_account') return this.happen({ kind: 'command', user, command, time: this.now })
    this.happen({ kind: 'command', user, command, time: this.now }, () => { this.ledger.open(user) })
  }

  /** @param after what else is done before the users are compared */
  private happen (happening: Happening, after?: () => void): void {
    const decision = this.exchange.decide(this.state, this, happening)
    if (decision !== undefined) {
      this.digest.update(JSON.stringify(decision))
      this.state = this.exchange.apply(this.state, decision)
      this.judge(happening, decision)
      after?.()
      const concerned = [...decision.orders, ...decision.accounts].map(({ user }) => user)
      for (const user of new Set(concerned)) this.checkUser(user)
    }
    if ('symbol' in happening) this.checkRest(happening.symbol)
    else if (happening.kind === 'command' && 'symbol' in happening.command) this.checkRest(happening.command.symbol)
  }

  private judge (happening: Happening, { orders }: Decision): void {
    let left = happening.kind === 'trade' ? whole(happening.size) : 0n
    const triggered = new Set<string>()
    for (const { user, order } of orders) {
      const known = this.ledger.take(user, order)
      this.count(`${order.status}${order.exec_id === undefined && order.reason !== undefined ? `: ${order.reason}` : ''}`)
      if (order.reason === 'triggered') triggered.add(order.order_id)
      if (order.exec_id === undefined) continue
      this.checkMarket(known)
      if (happening.kind !== 'trade' || triggered.has(order.order_id)) {
        this.ledgerBooks.get(order.symbol)!.take(order)
        continue
      }
      left -= whole(order.last_qty!)
      if (left < 0n) throw new Error('a trade is given out twice')
      if (!isBetter(happening.price, order.limit_price!, order.side)) throw new Error('a trade has not gone through the limit')
      if (order.last_price !== order.limit_price && order.last_price !== happening.price) throw new Error('a fill at no price')
    }
  }

  private isFilling ({ last: { symbol }, market }: KnownOrder): boolean {
    return (this.status(market)?.status ?? 'open') === 'open' && this.book(symbol)?.stale !== true
  }

  private checkMarket (order: KnownOrder): void {
    if (!this.isFilling(order)) throw new Error('a fill while the market is not open, or its book stale')
  }

  /** No order rests that could have been filled, or triggered. */
  private checkRest (symbol: string): void {
    const price = this.last(symbol)
    for (const order of this.ledger.openBySymbol.get(symbol) ?? []) {
      const { side, order_type: type, limit_price: limit, stop_price: stop, status } = order.last
      if ((this.status(order.market)?.status ?? 'open') !== 'open') continue
      if (type.startsWith('stop') && !order.triggered) {
        if (price !== undefined && !isBetter(price, stop!, side)) throw new Error('a stop order has missed its price')
        continue
      }
      if (this.books.get(symbol)?.stale === true || this.book(symbol) === undefined || status === 'pending_new') continue
      const best = this.ledgerBooks.get(symbol)!.best(side)
      if (best !== undefined && limit !== undefined && !isBetter(limit, best, side)) throw new Error('an order rests beside what it could have')
      if (limit === undefined) throw new Error(`an order of type ${type} rests`)
    }
  }

  /** The exchange has of a user exactly what the ledger has. */
  private checkUser (user: string): void {
    const { balances, positions } = this.state.accounts[user]!
    const open = [...this.exchange.openOrdersOf(this.state, user)]
    const sheet = [
      ...balances.map(({ currency, cash, fees, realized }) => {
        const own = open.filter(order => order.currency === currency)
        const reserved = own.reduce((sum, order) => sum + whole(order.reserved), 0n)
        return [currency, whole(cash), whole(fees), whole(realized), reserved].join(' ')
      }),
      ...positions.map(({ symbol, quantity, cost }) => [symbol, whole(quantity), whole(cost)].join(' ')).sort()
    ]
    const expected = this.ledger.sheet(user)
    if (sheet.join() !== expected.join()) throw new Error(`${user} has ${sheet.join()} and not ${expected.join()}`)
    const known = [...this.ledger.openByUser.get(user) ?? []].map(({ last }) => last.order_id)
    if (known.sort().join() !== open.map(order => order.order_id).sort().join()) throw new Error(`${user} has other open orders`)
  }

  private count (what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }
}

/** Everything that must have come about many times, or the test would show nothing. */
const EXPECTED = [
  'new', 'pending_new', 'partially_filled', 'filled', 'replaced', 'canceled', 'new: triggered',
  'canceled: no liquidity', 'canceled: account reset', 'canceled: the order has ended',
  'filled: the order has ended', 'expired: market closed', 'rejected: no liquidity', 'rejected: insufficient buying power', 'rejected: insufficient position',
  'rejected: market closed', 'rejected: market halted', 'rejected: market data stale', 'rejected: market not open yet', 'rejected: no market data',
  'partially_filled: the new quantity must be above what is filled', 'new: insufficient buying power', 'rejected: too many open orders',
  'rejected: too many positions', 'expired: end of the day', 'replaced: insufficient position'
]

test(`${REQUESTS} random requests conserve everything to the last digit (SEED=${SEED})`, { timeout: 0 }, t => {
  const world = new World(SEED, 5003)
  const began = performance.now()
  world.run(REQUESTS)
  t.comment(`${Math.round(performance.now() - began)} ms; ${JSON.stringify(Object.fromEntries([...world.counts].sort()))}`)
  for (const what of EXPECTED) t.ok(world.counts.has(what), what)
  t.end()
})

test('the same requests make the same bytes, also if another server takes over in between', t => {
  for (const seed of [1, 2]) {
    const digest = new World(seed, 0).run(3000)
    t.equal(new World(seed, 53).run(3000), digest, `SEED=${seed}`)
  }
  t.not(new World(1, 0).run(300), new World(2, 0).run(300))
  t.end()
})
