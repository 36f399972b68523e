import { isSymbolSet } from '@tickwire/protocol'
import fc from 'fast-check'
import { test } from 'tap'
import { listings, newcomers } from '../../src/sources/simulated/instruments.js'
import {
  ceilToTick,
  floorToTick,
  formatUnits,
  krxTick,
  tickAbove,
  tickBelow
} from '../../src/sources/simulated/prices.js'

test('writes units as decimals', async t => {
  fc.assert(
    fc.property(fc.integer({ min: -1e12, max: 1e12 }), fc.integer({ min: 0, max: 8 }), (units, scale) => {
      const text = formatUnits(units, scale)
      const digits = BigInt(text.replace('.', ''))
      const hasScale = scale === 0 ? !text.includes('.') : text.split('.')[1]!.length === scale
      return digits === BigInt(units) && hasScale && /^-?(0|[1-9]\d*)(\.\d+)?$/.test(text)
    })
  )
  t.equal(formatUnits(-0, 2), '0.00', 'zero has no sign')
})

test('uses the price steps of the Korea Exchange, also at the edges of their bands', async t => {
  t.same(
    [1_999, 2_000, 4_995, 5_000, 19_990, 20_000, 49_950, 50_000, 199_900, 200_000, 499_500, 500_000].map(
      krxTick
    ),
    [1, 5, 5, 10, 10, 50, 50, 100, 100, 500, 500, 1_000]
  )
  t.same(
    [
      tickBelow(200_000, krxTick),
      tickAbove(199_900, krxTick),
      tickAbove(200_000, krxTick),
      tickBelow(2_000, krxTick)
    ],
    [199_900, 200_000, 200_500, 1_999]
  )
  t.same(
    [
      floorToTick(200_499, krxTick),
      ceilToTick(200_001, krxTick),
      ceilToTick(199_901, krxTick),
      ceilToTick(71_500, krxTick)
    ],
    [200_000, 200_500, 200_000, 71_500]
  )
  fc.assert(fc.property(fc.integer({ min: 1_000, max: 2_000_000 }), price => {
    const lower = floorToTick(price, krxTick)
    const upper = tickAbove(lower, krxTick)
    return lower <= price && price < upper && tickBelow(upper, krxTick) === lower
  }))
})

test('lists enough instruments of each market, each once, in sectors that can be selected', async t => {
  const of = (...markets: string[]): number =>
    listings.filter(({ market }) => markets.includes(market)).length
  t.ok(of('KOSPI') >= 8 && of('KOSDAQ') >= 8 && of('KOSPI', 'KOSDAQ') >= 20)
  t.ok(of('NASDAQ') >= 8 && of('NYSE') >= 8 && of('NASDAQ', 'NYSE') >= 20)
  t.ok(of('CRYPTO') >= 10)
  const all = [...listings, ...newcomers]
  t.equal(new Set(all.map(({ symbol }) => symbol)).size, all.length)
  for (const symbol of ['005930', 'AAPL', 'BTC-USD']) {
    t.ok(listings.some(listing => listing.symbol === symbol), symbol)
  }
  for (const { symbol, sector, market, price, tick, levelSize } of all) {
    const isSelectable = isSymbolSet(`@sector/${sector}`) && isSymbolSet(`@market/${market}`)
    const isPriced =
      price % tick(price) === 0 && Number.isSafeInteger(price) && Number.isSafeInteger(levelSize)
    const good = isSelectable && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(sector) && isPriced
    if (!good) t.fail(symbol)
  }
})
