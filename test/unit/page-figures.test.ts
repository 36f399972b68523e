import Big from 'big.js'
import fc from 'fast-check'
import { test } from 'tap'
import { pageModule } from '../helpers/page-module.js'

interface Decimals {
  subtract (a: string, b: string): string
  multiply (a: string, b: string): string
  isMultiple (decimal: string, step: string): boolean
  stepped (decimal: string, step: string, times: number): string
  readDecimal (typed: string): string | undefined
}

const decimal = fc.tuple(fc.bigInt(-(10n ** 18n), 10n ** 18n), fc.integer({ min: 0, max: 12 }))
  .map(([units, scale]) => Big(units.toString()).div(Big(10).pow(scale)).toFixed())
const step = fc.tuple(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 0, max: 8 }))
  .map(([units, scale]) => Big(units).div(Big(10).pow(scale)).toFixed())

test('calculates with decimals of any size exactly', async t => {
  Big.DP = 40
  const { subtract, multiply, isMultiple, stepped, readDecimal } = await pageModule<Decimals>('app/decimals.ts')
  fc.assert(fc.property(decimal, decimal, (a, b) => {
    if (!Big(subtract(a, b)).eq(Big(a).minus(b))) throw new Error(`${a} - ${b} is not ${subtract(a, b)}`)
    if (!Big(multiply(a, b)).eq(Big(a).times(b))) throw new Error(`${a} × ${b} is not ${multiply(a, b)}`)
  }))
  fc.assert(fc.property(decimal, step, fc.integer({ min: -50, max: 50 }), (value, size, times) => {
    const moved = stepped(value, size, times)
    if (!isMultiple(moved, size) || !Big(moved).mod(size).eq(0)) throw new Error(`${moved} is on no step of ${size}`)
    const off = Big(moved).minus(Big(value).plus(Big(size).times(times))).abs()
    if (off.gte(size)) throw new Error(`${moved} is too far from ${value}`)
  }))
  t.same(['1,234.50', '007', '.5', '-.5', '', '1e3', '1.2.3', '−1'].map(readDecimal),
    ['1234.50', '7', '0.5', '-0.5', undefined, undefined, undefined, undefined])
})

type Line = ReadonlyArray<number | undefined>
interface Indicators {
  readonly overlays: Record<'sma' | 'ema' | 'bollinger' | 'vwap', (bars: readonly object[]) => readonly Line[]>
  readonly below: Record<'rsi', (bars: readonly object[]) => readonly Line[]>
}

const barsOf = (closes: readonly number[]): object[] =>
  closes.map((close, at) => ({ close: String(close), vwap: String(close), volume: String(at + 1) }))
const last = (line: Line | undefined): number => Number(line?.at(-1)?.toFixed(6))

test('draws the indicators that their definitions say', async t => {
  const { overlays, below } = await pageModule<Indicators>('desk/chart/indicators.ts')
  const closes = Array.from({ length: 60 }, (_, at) => 100 + at % 7 * 3 - at % 3)
  const bars = barsOf(closes)
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
  const mean = (values: readonly number[]): number => sum(values) / values.length
  const twenty = closes.slice(-20)
  const deviation = Math.sqrt(mean(twenty.map(value => (value - mean(twenty)) ** 2)))
  t.equal(last(overlays.sma(bars)[0]), Number(mean(twenty).toFixed(6)))
  t.equal(overlays.sma(bars)[0]!.findIndex(value => value !== undefined), 19, 'it begins when there are enough bars')
  const bands = [2, 0, -2].map(by => Number((mean(twenty) + by * deviation).toFixed(6)))
  t.same(overlays.bollinger(bars).map(last), bands)
  let average = mean(closes.slice(0, 50))
  for (const close of closes.slice(50)) average += 2 / 51 * (close - average)
  t.equal(last(overlays.ema(bars)[0]), Number(average.toFixed(6)))
  const volumes = closes.map((_, at) => at + 1)
  const weighted = sum(closes.map((close, at) => close * volumes[at]!)) / sum(volumes)
  t.equal(last(overlays.vwap(bars)[0]), Number(weighted.toFixed(6)))

  // Wilder's own example, as it is printed in most books about it.
  const wilder = [
    44.34, 44.09, 44.15, 43.61, 44.33, 44.83, 45.10, 45.42, 45.84, 46.08, 45.89, 46.03, 45.61, 46.28, 46.28,
    46.00
  ]
  const strength = below.rsi(barsOf(wilder))[0]!
  t.equal(strength.findIndex(value => value !== undefined), 14)
  t.equal(strength[14]?.toFixed(2), '70.46')
  t.equal(strength[15]?.toFixed(2), '66.25')
  t.equal(last(below.rsi(barsOf(closes.map((_, at) => at)))[0]), 100)
  t.equal(last(below.rsi(barsOf(closes.map(() => 5)))[0]), 50, 'nothing rose and nothing fell')
})
