import type { TSchema } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler'
import {
  type Book, compareDecimals, type MarketStatus, type Quote, reduceBook, standardChannels, type Trade
} from '@tickwire/protocol'
import fc from 'fast-check'
import { test } from 'tap'
import { listings } from '../../src/sources/simulated/instruments.js'
import type { MarketOptions } from '../../src/sources/simulated/market.js'
import { Leverage } from '../../src/sources/simulated/leverage.js'
import { formatUnits, krxTick } from '../../src/sources/simulated/prices.js'
import type { SourceMessage } from '../../src/sources/source.js'
import { makeMarket, MONDAY, play } from '../helpers/simulated.js'

/** Reads a decimal with a known number of decimal places as its units. */
const units = (decimal: string): number => Number(decimal.replace('.', ''))
const checks = new Map<string, TypeCheck<TSchema>>(
  [...standardChannels].map(([name, { schema }]) => [name, TypeCompiler.Compile(schema)])
)
const levelsOf = (book: Book | undefined): string => JSON.stringify([book?.bids, book?.asks])

/** What a reader knows of an instrument from its messages alone. */
class Reader {
  book: Book | undefined
  open = 0
  high = 0
  low = 0
  volume = 0
  last: number | undefined
  previousClose: number | undefined
  days = 0
  quotes = 0
  /** Whether trades still wait for the update that says what they took. */
  private taken = false
  /** By id, the price and size in units of the trades that stand. */
  private readonly standing = new Map<string, { price: number, size: number }>()
  readonly corrected = { resized: 0, repriced: 0, cancelled: 0 }

  constructor (
    private readonly symbol: string,
    private readonly scale: number,
    private readonly sizeScale: number,
    private readonly korean: boolean
  ) {}

  /** Reads a message. @returns what is wrong with it */
  read ({ channel, data, snapshot }: SourceMessage): string | undefined {
    if (channel === 'book') return this.readBook(data as Book, snapshot === true)
    if (channel === 'trades') return this.readTrade(data as Trade)
    if (channel === 'quotes') return this.readQuote(data as Quote)
    return undefined
  }

  private readBook (data: Book, snapshot: boolean): string | undefined {
    if (this.book === undefined && !snapshot) return 'an update before the snapshot'
    if (snapshot) {
      // The market publishes books whole when a day begins.
      this.days++
      if (this.last !== undefined) this.previousClose = this.last
      this.volume = 0
    }
    const before = levelsOf(this.book)
    this.book = reduceBook(this.book, data, snapshot)
    if (this.taken && levelsOf(this.book) !== before) {
      return 'an update after trades that is not what they took'
    }
    this.taken = false
    const { bids, asks } = this.book
    if (compareDecimals(bids[0]![0], asks[0]![0]) >= 0) return 'crossed or locked'
    if (bids.length > 10 || asks.length > 10 || bids.length < 2 || asks.length < 2) {
      return `${bids.length} bids and ${asks.length} asks`
    }
    const off = [...bids, ...asks].find(
      ([price]) => units(price) <= 0 || (this.korean && units(price) % krxTick(units(price)) !== 0)
    )
    return off === undefined ? undefined : `off its tick: ${off[0]}`
  }

  private readTrade (trade: Trade): string | undefined {
    const { side, price, size, trade_id: id = '', corrects } = trade
    if (corrects !== undefined) return this.readCorrection(trade, corrects)
    const level = (side === 'buy' ? this.book!.asks : this.book!.bids)[0]!
    if (level[0] !== price) return 'not at the touch'
    const left = units(level[1]) - units(size)
    if (left < 0 || units(size) <= 0) return 'more than the level has'
    const after: [string, string][] = [[price, left === 0 ? '0' : formatUnits(left, this.sizeScale)]]
    this.book = reduceBook(
      this.book,
      { symbol: this.symbol, bids: side === 'sell' ? after : [], asks: side === 'buy' ? after : [] },
      false
    )
    this.taken = true
    if (this.standing.has(id)) return 'an id twice'
    const paid = units(price)
    this.standing.set(id, { price: paid, size: units(size) })
    if (this.volume === 0) this.open = this.high = this.low = paid
    this.high = Math.max(this.high, paid)
    this.low = Math.min(this.low, paid)
    this.volume += units(size)
    this.last = paid
    return undefined
  }

  private readCorrection (
    { price, size, trade_id: id = '' }: Trade, corrects: string
  ): string | undefined {
    const before = this.standing.get(corrects)
    if (before === undefined) return 'a correction of a trade that does not stand'
    if (this.standing.has(id)) return 'a correction with an id that is taken'
    const now = { price: units(price), size: size === '0' ? 0 : units(size) }
    if (now.price !== before.price && now.size !== before.size) return 'a correction of two things at once'
    if (now.price < this.low || now.price > this.high) return "a correction beyond the day's range"
    if (now.price !== before.price) this.corrected.repriced++
    else if (now.size === 0) this.corrected.cancelled++
    else this.corrected.resized++
    this.standing.delete(corrects)
    if (now.size > 0) this.standing.set(id, now)
    this.volume += now.size - before.size
    return undefined
  }

  private readQuote (quote: Quote): string | undefined {
    if (this.taken) return 'a quote before the book of its moment'
    this.quotes++
    const [bid, bidSize] = this.book!.bids[0]!
    const [ask, askSize] = this.book!.asks[0]!
    const last = this.last!
    this.previousClose ??= last - units(quote.change!)
    const change = last - this.previousClose
    const expected = {
      bid,
      ask,
      bid_size: bidSize,
      ask_size: askSize,
      last: formatUnits(last, this.scale),
      open: formatUnits(this.open, this.scale),
      high: formatUnits(this.high, this.scale),
      low: formatUnits(this.low, this.scale),
      volume: formatUnits(this.volume, this.sizeScale),
      change: formatUnits(change, this.scale)
    }
    for (const [name, value] of Object.entries(expected)) {
      if (quote[name as keyof Quote] !== value) {
        return `${name} is ${quote[name as keyof Quote]}, not ${value}`
      }
    }
    if (Math.abs(Number(quote.change_percent) - change / this.previousClose * 100) > 0.005 + 1e-9) {
      return `change_percent is ${quote.change_percent}`
    }
    return undefined
  }
}

const readers = (): Map<string, Reader> => new Map(listings.map(({ symbol, scale, sizeScale, tick }) =>
  [symbol, new Reader(symbol, scale, sizeScale, tick === krxTick)]))

/** Reads a market as a client does. @returns the first wrong messages */
function audit (messages: readonly SourceMessage[], bySymbol: ReadonlyMap<string, Reader>): string[] {
  const marketOf = new Map(listings.map(({ symbol, market }) => [symbol, market]))
  const statuses = new Map<string, string>()
  const wrong: string[] = []
  for (const message of messages) {
    const { channel, symbol = '', data } = message
    const complain = (what: string): void => { wrong.push(`${what}: ${JSON.stringify(message)}`) }
    if (!checks.get(channel)!.Check(data)) complain('not valid')
    if (channel === 'market') statuses.set(symbol, (data as MarketStatus).status)
    if (channel === 'market' || channel === 'news') continue
    if (statuses.get(marketOf.get(symbol)!) !== 'open') complain('from a market that is not open')
    const fault = bySymbol.get(symbol)!.read(message)
    if (fault !== undefined) complain(fault)
    if (wrong.length > 2) break
  }
  return wrong
}

test('publishes books, trades, quotes and statuses that agree, at any seed, rate and hours', async t => {
  const options = fc.record({
    seed: fc.nat(1e9),
    rate: fc.constantFrom(0.3, 2.5, 40),
    hours: fc.constantFrom<MarketOptions['hours']>('always', 'real', 60, 3600)
  })
  fc.assert(fc.property(options, ({ seed, rate, hours }) => {
    const bySymbol = readers()
    // About the same number of turns at each rate.
    t.same(audit(play({ seed, rate, hours }, 60 / rate), bySymbol), [])
    return [...bySymbol.values()].some(({ quotes }) => quotes > 20)
  }), { numRuns: 20 })
})

test('corrects and cancels trades now and then, and its quotes stay right', async t => {
  const bySymbol = readers()
  t.same(audit(play({ seed: 8, rate: 10 }, 600), bySymbol), [])
  const sum = (kind: keyof Reader['corrected']): number =>
    [...bySymbol.values()].reduce((total, { corrected }) => total + corrected[kind], 0)
  for (const kind of ['resized', 'repriced', 'cancelled'] as const) t.ok(sum(kind) > 5, `${kind}: ${sum(kind)}`)
})

test('liquidates positions: what they are worth is sold or bought back at the next turns', t => {
  const leverage = new Leverage()
  leverage.note(6_400_000, 1000, 'buy', 0)
  t.equal(leverage.next(), undefined)
  // Leverage 100 is liquidated 0.6 % below: a tenth of the 30 % of a trade that open positions.
  leverage.note(6_359_000, 1, 'sell', 0)
  const forced = leverage.next()!
  t.same(forced, { side: 'sell', amount: 30 })
  leverage.settle(forced, 20)
  t.same(leverage.next(), { side: 'sell', amount: 10 })
  leverage.settle(forced, 10)
  t.equal(leverage.next(), undefined)
  t.end()
})

test('trades coins against Tether at nearly the prices of the same coins in dollars', async t => {
  const last = new Map<string, number>()
  for (const { channel, symbol = '', data } of play({ seed: 8, rate: 1 }, 3600)) {
    if (channel === 'quotes') last.set(symbol, Number((data as Quote).last))
  }
  for (const coin of ['BTC', 'ETH']) {
    const ratio = last.get(`${coin}-USDT`)! / last.get(`${coin}-USD`)!
    t.ok(Math.abs(ratio - 1) < 0.01, `${coin}: ${ratio}`)
  }
})

test("begins each of many days against the close before, and keeps prices within a market's range", async t => {
  const bySymbol = readers()
  const days = 30
  t.same(audit(play({ seed: 3, rate: 1, hours: 3600 }, days * 24), bySymbol), [])
  for (const { symbol, price } of listings) {
    const reader = bySymbol.get(symbol)!
    if (reader.days < days - 2) t.fail(`${symbol} has had ${reader.days} days`)
    if (reader.last! < price / 2 || reader.last! > price * 2) {
      t.fail(`${symbol} began about ${price} and is at ${reader.last}`)
    }
  }
})

test('makes the same bytes from the same seed and clock, however time is cut, and others from another seed', async t => {
  const bytes = (seed: number, stepMs: number): string => {
    const market = makeMarket({ seed, membershipEveryMs: 5_000 })
    const messages: SourceMessage[] = []
    const declared: unknown[] = []
    for (let now = MONDAY; now < MONDAY + 60_000;) {
      now = Math.min(now + stepMs, MONDAY + 60_000)
      const slice = market.advance(now)
      messages.push(...slice.messages)
      declared.push(...slice.declared)
    }
    return JSON.stringify([messages, declared])
  }
  const once = bytes(5, 15)
  t.ok(once.includes('"news"'))
  t.ok(once === bytes(5, 15), 'again')
  t.ok(once === bytes(5, 997), 'in other slices')
  t.ok(once !== bytes(6, 15), 'another seed')
})

test('quotes every instrument at the rate, evenly over time', async t => {
  const market = makeMarket({ rate: 100 })
  const counts: number[] = []
  market.advance(MONDAY)
  for (let slice = 1; slice <= 100; slice++) {
    counts.push(
      market.advance(MONDAY + slice * 20).messages.filter(({ channel }) => channel === 'quotes').length
    )
  }
  const ideal = 2 * listings.length
  t.equal(counts.reduce((sum, count) => sum + count), 100 * ideal)
  t.ok(counts.every(count => Math.abs(count - ideal) <= 1), 'no slice has more than its share')
})

test('lists and moves instruments, declares them in time, and empties no set', async t => {
  const market = makeMarket({ rate: 5, membershipEveryMs: 2_000 })
  const known = new Map(market.instruments().map(instrument => [instrument.symbol, instrument]))
  const first = new Map(known)
  const kinds = { listed: 0, transferred: 0, reclassified: 0, returned: 0 }
  for (let now = MONDAY; now < MONDAY + 300_000; now += 100) {
    const { declared, messages } = market.advance(now)
    for (const instrument of declared) {
      const before = known.get(instrument.symbol)
      const origin = first.get(instrument.symbol)
      if (before === undefined) kinds.listed++
      else if (origin?.market === instrument.market && origin?.sector === instrument.sector) kinds.returned++
      else if (before.market !== instrument.market) kinds.transferred++
      else if (before.sector !== instrument.sector) kinds.reclassified++
      else t.fail(`declared without a change: ${instrument.symbol}`)
      known.set(instrument.symbol, instrument)
      if (before === undefined) first.set(instrument.symbol, instrument)
    }
    const early = messages.find(
      ({ channel, symbol }) => symbol !== undefined && channel !== 'market' && !known.has(symbol)
    )
    if (early !== undefined) t.fail(`not declared: ${early.symbol}`)
    for (const name of ['KOSPI', 'KOSDAQ', 'NASDAQ', 'NYSE', 'CRYPTO']) {
      if ([...known.values()].filter(({ market }) => market === name).length < 8) {
        t.fail(`few are left in ${name}`)
      }
    }
  }
  t.same(market.instruments(), [...known.values()])
  for (const [kind, count] of Object.entries(kinds)) t.ok(count > 1, `${kind}: ${count}`)
  t.equal(known.size, listings.length + kinds.listed)
})
