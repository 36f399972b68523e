import type { Quote } from '@tickwire/protocol'
import { test } from 'tap'
import { listings } from '../../src/sources/simulated/instruments.js'
import { venueRules } from '../../src/sources/simulated/venue.js'
import { makeMarket, middle, MONDAY } from '../helpers/simulated.js'

const STEP_MS = 10_000
const STEPS = 6_000
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

function correlation (a: readonly number[], b: readonly number[]): number {
  const [meanA, meanB] = [mean(a), mean(b)]
  const covariance = mean(a.map((value, index) => (value - meanA) * (b[index]! - meanB)))
  return (
    covariance /
    Math.sqrt(mean(a.map(value => (value - meanA) ** 2)) * mean(b.map(value => (value - meanB) ** 2)))
  )
}

/** Tells how much a value says about the one `lag` later. */
const autocorrelation = (values: readonly number[], lag: number): number =>
  correlation(values.slice(0, -lag), values.slice(lag))

/** Sums each `count` neighbours. */
const summed = (values: readonly number[], count: number): number[] =>
  Array.from({ length: Math.floor(values.length / count) }, (_, index) =>
    values.slice(index * count, (index + 1) * count).reduce((sum, value) => sum + value, 0)
  )

const prices = new Map<string, number[]>()
const spreads = new Map<string, number[]>()
const depths = new Map<string, number[]>()
const market = makeMarket({ seed: 11, rate: 1000 / STEP_MS })
for (let step = 0; step < STEPS; step++) {
  for (const { channel, symbol = '', data } of market.advance(MONDAY + step * STEP_MS).messages) {
    if (channel !== 'quotes') continue
    const quote = data as Quote
    const price = middle(quote)
    const add = (map: Map<string, number[]>, value: number): void => {
      const series = map.get(symbol)
      if (series === undefined) map.set(symbol, [value])
      else series.push(value)
    }
    add(prices, price)
    add(spreads, (Number(quote.ask) - Number(quote.bid)) / price)
    add(depths, Number(quote.bid_size) * price)
  }
}
const returns = new Map(
  [...prices].map(([symbol, series]) => [
    symbol,
    series.slice(1).map((price, index) => Math.log(price / series[index]!))
  ])
)

test('clusters volatility: how far a price moved says how far it will move, but not where to', async t => {
  // Only where a tick is small against the moves: prices on a coarse grid tremble between two of its lines.
  const smooth = listings
    .filter(({ price, market }) => price > 10_000 && market !== 'KOSPI' && market !== 'KOSDAQ')
    .map(({ symbol }) => returns.get(symbol)!)
  const absolute = (lag: number): number =>
    mean(smooth.map(series => autocorrelation(series.map(Math.abs), lag)))
  for (const lag of [2, 6, 18]) {
    t.ok(absolute(lag) > 0.04, `${lag * STEP_MS / 1000} s: ${absolute(lag).toFixed(3)}`)
  }
  for (const lag of [1, 2, 6]) {
    const signed = mean(smooth.map(series => autocorrelation(series, lag)))
    t.ok(Math.abs(signed) < 0.02, `${lag * STEP_MS / 1000} s: ${signed.toFixed(3)}`)
  }
})

test('moves a sector and a market together, and others less', async t => {
  const minutes = new Map([...returns].map(([symbol, series]) => [symbol, summed(series, 30)]))
  const venueOf = (market: string): string => venueRules.find(({ markets }) => markets.includes(market))!.name
  // All pairs, because chance decides how one pair moves in a few hours.
  const groups = { peers: [] as number[], neighbours: [] as number[], strangers: [] as number[] }
  for (const [index, one] of listings.entries()) {
    for (const other of listings.slice(0, index)) {
      const near = venueOf(one.market) === venueOf(other.market)
      const alike = one.sector === other.sector
      if (!near && alike) continue
      groups[near ? (alike ? 'peers' : 'neighbours') : 'strangers'].push(
        correlation(minutes.get(one.symbol)!, minutes.get(other.symbol)!)
      )
    }
  }
  const [peers, neighbours, strangers] = [mean(groups.peers), mean(groups.neighbours), mean(groups.strangers)]
  t.ok(
    peers > neighbours + 0.1 && neighbours > Math.abs(strangers) + 0.1,
    `${peers.toFixed(2)} ${neighbours.toFixed(2)} ${strangers.toFixed(2)}`
  )
})

test('gives an instrument with many trades a narrow spread and a deep book', async t => {
  for (const [deep, thin] of [['AAPL', 'MRNA'], ['BTC-USD', 'BCH-USD'], ['000660', '196170']] as const) {
    t.ok(mean(spreads.get(deep)!) < mean(spreads.get(thin)!) / 1.5, `${deep} is narrower than ${thin}`)
    t.ok(mean(depths.get(deep)!) > 3 * mean(depths.get(thin)!), `${deep} is deeper than ${thin}`)
  }
})
