import type { Heatmap } from '@tickwire/protocol'
import fc from 'fast-check'
import { test } from 'tap'
import { cutHeatmap } from '../../src/heatmap/cut.js'
import type { QueryRow } from '../../src/heatmap/heat-row.js'
import { Pace } from '../../src/heatmap/pace.js'
import { heatmapOf } from '../../src/heatmap/rows.js'

const NOW = new Date('2026-02-07T14:30:00.000Z')
const row = (fields: Record<string, string | number | null> = {}): QueryRow => (
  { price: '100', a: 1, b: 0, current_price: 101.5, ...fields })
const made = (...rows: QueryRow[]): Heatmap | undefined => heatmapOf('A', 'liquidation', rows, NOW)

test('makes a heatmap of rows in any order, with the defaults of what they leave out', t => {
  t.same(made(row({ price: '100.50', b: '2.50' }), row({ price: 99, a: 1e-7 }), row({ price: '99.25', a: 0 })), {
    symbol: 'A',
    kind: 'liquidation',
    as_of: '2026-02-07T14:30:00.000Z',
    price_step: '0.25',
    current_price: '101.5',
    levels: [['99', '0.0000001', '0'], ['100.5', '1', '2.5']]
  })
  t.match(made(row({
    as_of: '2026-02-07 14:00:00', price_step: 5, positions_created: '12', positions_consumed: 0, extra: 'x'
  })), { as_of: '2026-02-07T14:00:00.000Z', price_step: '5', positions_created: 12, positions_consumed: 0 })
  t.match(made(row({ as_of: '2026-02-07T14:00:00+09:00' })), { as_of: '2026-02-07T05:00:00.000Z' })
  t.equal(made(), undefined, 'no rows: nothing is known')
  t.end()
})

test('says what is wrong with rows that are no heatmap', t => {
  const { b: _, ...withoutB } = row()
  const cases: ReadonlyArray<readonly [QueryRow[], RegExp]> = [
    [[withoutB], /no column 'b', which a heatmap needs, but price, a, current_price/],
    [[row(), row({ price: 'high' })], /'price' of row 2 is "high"; it must be a number above 0/],
    [[row({ price: 0 })], /'price' of row 1 is 0; it must be a number above 0/],
    [[row({ a: -1 })], /'a' of row 1 is -1; it must be a number of 0 or more/],
    [[row({ a: null })], /'a' of row 1 is null/],
    [[row({ b: NaN })], /'b' of row 1 is NaN/],
    [[row({ b: Infinity })], /'b' of row 1 is Infinity/],
    [[row({ current_price: null })], /'current_price' of row 1 is null/],
    [[row({ price: '100' }), row({ price: '100.0' })], /the price 100 twice/],
    [[row({ price_step: 0 })], /'price_step' of row 1 is 0/],
    [[row({ as_of: 'yesterday' })], /'as_of' is "yesterday"; it must be a timestamp/],
    [[row({ as_of: '2026-13-45 99:00:00' })], /'as_of' is/],
    [[row({ positions_created: 1.5 })], /'positions_created' is 1.5; it must be a whole number/],
    [[row({ positions_consumed: -1 })], /'positions_consumed' is -1/]
  ]
  for (const [rows, reason] of cases) t.throws(() => made(...rows), { name: 'NonsenseRows', message: reason })
  t.end()
})

const bytesOf = (data: unknown): number => Buffer.byteLength(JSON.stringify(data))

test('cuts the lowest densities so that a heatmap fits, and no more than needed', t => {
  const heatmaps = fc.record({
    levels: fc.uniqueArray(
      fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.nat(50), fc.nat(50)),
      { selector: ([price]) => price, maxLength: 300 }
    ),
    maxBytes: fc.integer({ min: 300, max: 8000 })
  })
  fc.assert(fc.property(heatmaps, ({ levels, maxBytes }) => {
    const sorted = levels
      .sort(([a], [b]) => a - b)
      .map(level => level.map(String) as [string, string, string])
    const whole: Heatmap = {
      symbol: 'BTC-USDT',
      kind: 'book',
      as_of: NOW.toISOString(),
      price_step: '1',
      current_price: '2500',
      levels: sorted
    }
    const { data, cutBytes } = cutHeatmap(whole, maxBytes)
    const weight = ([, a, b]: readonly string[]): number => Math.max(Number(a), Number(b))
    const kept = new Set(data.levels.map(([price]) => price))
    const cut: readonly string[][] = sorted.filter(([price]) => !kept.has(price))
    const lowest = Math.min(Infinity, ...data.levels.map(weight))
    const isOrdered = data.levels.every(([price], index) =>
      index === 0 || Number(price) > Number(data.levels[index - 1]![0]))
    const longest = Math.max(0, ...cut.map(level => bytesOf(level) + 1))
    const isFull = cut.length === 0 || bytesOf(data) + longest + 20 > maxBytes
    return isOrdered && isFull && bytesOf(data) <= maxBytes &&
      cutBytes === bytesOf(whole) - bytesOf(data) && cut.every(level => weight(level) <= lowest)
  }), { numRuns: 300 })
  t.end()
})

test('lets no more than its bytes out in any second', t => {
  const messages = fc.array(fc.tuple(fc.integer({ min: 1, max: 16_000 }), fc.nat(700)), { maxLength: 120 })
  fc.assert(fc.property(messages, given => {
    let now = 0
    const sent: Array<{ time: number, bytes: number }> = []
    const pace = new Pace(48_000, () => now)
    for (const [bytes, idle] of given) {
      now += idle
      now += pace.waitMs(bytes)
      if (pace.waitMs(bytes) !== 0) return false
      pace.note(bytes)
      sent.push({ time: now, bytes })
    }
    return sent.every(({ time }) => {
      const before = sent.filter(other => other.time > time - 1000 && other.time <= time)
      return before.reduce((total, { bytes }) => total + bytes, 0) <= 48_000
    })
  }), { numRuns: 200 })
  t.end()
})
