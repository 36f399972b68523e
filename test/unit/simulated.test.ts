import { TypeCompiler } from '@sinclair/typebox/compiler'
import { type Book, compareDecimals, type MarketStatus, type News, type Quote, reduceBook, standardChannels, type Trade } from '@tickwire/protocol'
import fc from 'fast-check'
import { test } from 'tap'
import { laterListings, listings } from '../../src/sources/simulated/instruments.js'
import { Market, type MarketOptions } from '../../src/sources/simulated/market.js'
import { formatUnits, krxTick } from '../../src/sources/simulated/ticks.js'
import type { SourceMessage } from '../../src/sources/source.js'

/** A Friday, 2026-03-06, at noon in Seoul. */
const START = Date.UTC(2026, 2, 6, 3)
const HOUR = 3_600_000

const checks = new Map([...standardChannels].map(([name, { schema }]) => [name, TypeCompiler.Compile(schema)]))

function play (options: Partial<MarketOptions>, seconds: number, step = 1000): SourceMessage[] {
  const market = new Market({ seed: 1, rate: 2.5, hours: 'always', start: START, ...options })
  const messages: SourceMessage[] = []
  for (let now = START; now <= START + seconds * 1000; now += step) messages.push(...market.until(now).messages)
  return messages
}

const of = <Data>(messages: readonly SourceMessage[], channel: string, symbol?: string): Data[] =>
  messages.filter(message => message.channel === channel && (symbol === undefined || message.symbol === symbol)).map(({ data }) => data as Data)

const number = (text: string | undefined): number => Number(text)

test('what there is: at least 20 of the KRX, 20 of the US, 10 coins, each with market, sector and name', async t => {
  const count = (...markets: string[]): number => listings.filter(({ market }) => markets.includes(market)).length
  t.ok(count('KOSPI', 'KOSDAQ') >= 20)
  t.ok(count('NASDAQ', 'NYSE') >= 20)
  t.ok(count('CRYPTO') >= 10)
  const all = [...listings, ...laterListings]
  t.equal(new Set(all.map(({ symbol }) => symbol)).size, all.length, 'each once')
  for (const { market, sector, name } of all) t.ok(/^[A-Z]+$/.test(market) && /^[a-z-]+$/.test(sector) && name !== '')
})

test('the same by seed, byte for byte, however the time is cut; another by another seed', async t => {
  const one = JSON.stringify(play({ seed: 5 }, 20))
  t.ok(one === JSON.stringify(play({ seed: 5 }, 20, 50)))
  t.notOk(one === JSON.stringify(play({ seed: 6 }, 20)))
})

test('book, trades and quotes agree at every moment', async t => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), fc.constantFrom(1, 2.5, 20), (seed, rate) => {
    const books = new Map<string, Book>()
    const days = new Map<string, { volume: number, high: number, low: number, last: string | undefined }>()
    const byName = new Map([...listings, ...laterListings].map(listing => [listing.symbol, listing]))
    for (const { channel, symbol = '', data, snapshot = false } of play({ seed, rate }, 60 / rate)) {
      if (!checks.get(channel)!.Check(data)) throw new Error(`${channel} ${JSON.stringify(data)}: ${JSON.stringify(checks.get(channel)!.Errors(data).First())}`)
      const listing = byName.get(symbol)
      if (channel === 'book') {
        const book = reduceBook(books.get(symbol), data as Book, snapshot)
        books.set(symbol, book)
        const [bid] = book.bids
        const [ask] = book.asks
        if (bid === undefined || ask === undefined || compareDecimals(bid[0], ask[0]) >= 0) throw new Error(`${symbol} crossed: ${JSON.stringify(book)}`)
        if (book.bids.length !== 10 || book.asks.length !== 10) throw new Error(`${symbol}: ${book.bids.length} and ${book.asks.length} levels`)
      } else if (channel === 'trades') {
        const { price, side, size } = data as Trade
        const [best] = side === 'buy' ? books.get(symbol)!.asks : books.get(symbol)!.bids
        if (price !== best![0] || number(size) > number(best![1])) throw new Error(`${symbol}: ${side} ${size} at ${price}, where ${best!.join('×')} stood`)
        const day = days.get(symbol) ?? { volume: 0, high: -Infinity, low: Infinity, last: undefined }
        days.set(symbol, { volume: day.volume + Math.round(number(size) * 1e6), high: Math.max(day.high, number(price)), low: Math.min(day.low, number(price)), last: price })
      } else if (channel === 'quotes') {
        const quote = data as Quote
        const { bids: [bid], asks: [ask] } = books.get(symbol)!
        if (quote.bid !== bid![0] || quote.bid_size !== bid![1] || quote.ask !== ask![0] || quote.ask_size !== ask![1]) throw new Error(`${symbol}: the quote is not the book's best`)
        const units = Math.round(number(quote.bid) * 10 ** listing!.scale)
        if (units % listing!.tick(units) !== 0) throw new Error(`${symbol}: ${quote.bid} is off its tick`)
        const day = days.get(symbol)
        if (day === undefined) continue
        if (quote.last !== day.last || Math.round(number(quote.volume) * 1e6) !== day.volume || number(quote.high) !== day.high || number(quote.low) !== day.low) {
          throw new Error(`${symbol}: ${JSON.stringify(quote)} where the trades say ${JSON.stringify(day)}`)
        }
      }
    }
  }), { numRuns: Number(process.env['FUZZ_RUNS'] ?? 20) })
  t.pass('they agree')
})

test('on a chart: calm and restless times take turns, the liquid have the smaller spreads, prices stay in reach', async t => {
  const messages = play({ rate: 5 }, 1200)
  const mids = of<Quote>(messages, 'quotes', 'BTC-USD').map(({ bid, ask }) => Math.log((number(bid) + number(ask)) / 2))
  const returns = mids.slice(1).map((mid, index) => mid - mids[index]!)
  const correlation = (values: readonly number[], lag: number): number => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    const product = (shift: number): number => values.slice(shift).reduce((sum, value, index) => sum + (value - mean) * (values[index]! - mean), 0)
    return product(lag) / product(0)
  }
  const clustering = [1, 2, 3, 4, 5].map(lag => correlation(returns.map(Math.abs), lag)).reduce((sum, value) => sum + value, 0) / 5
  t.ok(clustering > 0.05, `absolute steps go together (${clustering.toFixed(3)})`)
  t.ok(Math.abs(correlation(returns, 1)) < 0.08, `steps themselves do not (${correlation(returns, 1).toFixed(3)})`)
  const spread = (symbol: string): number => {
    const spreads = of<Quote>(messages, 'quotes', symbol).map(({ bid, ask }) => (number(ask) - number(bid)) / krxTick(number(bid)))
    return spreads.reduce((sum, value) => sum + value, 0) / spreads.length
  }
  t.ok(spread('041510') > 1.2 * spread('005930'), 'who trades less costs more')
  t.ok(of(messages, 'trades', '005930').length > 2 * of(messages, 'trades', '041510').length)
  t.ok(of<News>(messages, 'news').length > 10)
  const far = play({ rate: 0.02 }, 6 * 3600, 60_000)
  for (const { symbol, scale, price } of listings) {
    const last = number(of<Quote>(far, 'quotes', symbol).at(-1)!.last) * 10 ** scale
    t.ok(last > price / 2 && last < price * 2, `${symbol} after six hours`)
  }
})

test('hours: a closed market is silent, its statuses follow each other, and each day counts anew', async t => {
  const speed = 600
  const messages = play({ hours: speed, rate: 1 }, 4 * 24 * 3600 / speed)
  for (const market of ['KOSPI', 'NASDAQ', 'CRYPTO']) {
    const statuses = of<MarketStatus>(messages, 'market', market).map(({ status }) => status).filter(status => status !== 'halted')
    const turns = statuses.filter((status, index) => status !== statuses[index - 1])
    if (market === 'CRYPTO') t.same(turns, ['open'])
    else t.ok(turns.slice(1).every((status, index) => status === { pre_open: 'open', open: 'closed', closed: 'pre_open', halted: '', stale: '' }[turns[index]!]), turns.join(' '))
    t.ok(market === 'CRYPTO' || turns.filter(status => status === 'open').length >= 2)
  }
  let open = false
  let days = 0
  let before = 0
  let afterClose = 0
  for (const { channel, symbol, data } of messages) {
    if (channel === 'market' && symbol === 'KOSPI') {
      const { status } = data as MarketStatus
      if (status === 'open' && !open) days++
      open = status === 'open'
      if (status === 'closed') before = Infinity
    }
    if (symbol !== '005930') continue
    if (!open) afterClose++
    if (channel === 'quotes') {
      const volume = number((data as Quote).volume)
      if (before === Infinity) t.ok(volume < 10_000, 'the first quote of a day has little volume')
      before = volume
    }
  }
  t.equal(afterClose, 0, 'nothing while it is closed')
  t.ok(days >= 2)
  const until = of<MarketStatus>(messages, 'market', 'KOSPI').filter(({ status }) => status === 'open').map(({ until }) => until)
  t.ok(until.every(text => /T06:30:00\.000Z$/.test(text!)), 'it says until when')
})

test('by the real hours: Seoul is open on a Friday at noon, and not on Saturday; New York sleeps', async t => {
  t.match(Object.fromEntries(of<MarketStatus>(play({ hours: 'real' }, 2), 'market').map(({ market, status }) => [market, status])), { KOSPI: 'open', KOSDAQ: 'open', NASDAQ: 'closed', CRYPTO: 'open' })
  const saturday = new Market({ seed: 1, rate: 1, hours: 'real', start: START + 24 * HOUR }).until(START + 24 * HOUR)
  t.match(of<MarketStatus>(saturday.messages, 'market', 'KOSPI')[0], { status: 'closed', until: '2026-03-08T23:30:00.000Z' })
})

test('symbols are listed and moved: each is said once, and comes back', async t => {
  const market = new Market({ seed: 3, rate: 1, hours: 'always', start: START, changeSeconds: 5 })
  const changes = market.until(START + 200_000).instruments
  const names = new Set(listings.map(({ symbol }) => symbol))
  t.ok(changes.some(({ symbol }) => !names.has(symbol)), 'a new one')
  const moved = changes.filter(({ symbol }) => symbol === '247540').map(({ market }) => market)
  t.same(moved.slice(0, 2), ['KOSPI', 'KOSDAQ'], 'there and back')
  t.equal(market.instruments().length, listings.length + new Set(changes.map(({ symbol }) => symbol).filter(symbol => !names.has(symbol))).size)
})

test('stopped and started again, it goes on, and says all states anew', async t => {
  const market = new Market({ seed: 1, rate: 1, hours: 'always', start: START })
  const before = of<Quote>(market.until(START + 60_000).messages, 'quotes', 'BTC-USD').at(-1)!
  market.restate()
  const { messages } = market.until(START + 62_000)
  t.ok(messages.filter(({ channel, snapshot }) => channel === 'book' && snapshot === true).length >= listings.length)
  t.same(new Set(of<MarketStatus>(messages, 'market').map(({ market }) => market)).size, 5)
  t.ok(number(of<Quote>(messages, 'quotes', 'BTC-USD')[0]!.volume) >= number(before.volume), 'the day goes on')
})

test('a process that was held up does not do it all at once', async t => {
  const market = new Market({ seed: 1, rate: 10, hours: 'always', start: START })
  market.until(START + 1000)
  market.skipTo(START + 100_000)
  t.ok(market.until(START + 100_000).messages.length < 4 * listings.length)
})

test('units as decimals', async t => {
  fc.assert(fc.property(fc.integer({ min: -1e12, max: 1e12 }), fc.integer({ min: 0, max: 8 }), (units, scale) => {
    const text = formatUnits(units, scale)
    const digits = BigInt(text.replace('.', ''))
    return digits === BigInt(units) && (scale === 0 ? !text.includes('.') : text.split('.')[1]!.length === scale) && /^-?(0|[1-9]\d*)(\.\d+)?$/.test(text)
  }))
  t.pass()
})
