import fc from 'fast-check'
import { test } from 'tap'
import { LiquidationModel, type ModelTrade } from '../../src/heatmap/liquidations.js'
import { stepNear, stepSize, withoutZeros, writeFigure, writeSteps } from '../../src/heatmap/numbers.js'
import { RestingSizes } from '../../src/heatmap/resting.js'

const HOUR_MS = 3_600_000
const trade = (price: number, side: ModelTrade['side'], time = 0, size = 1): ModelTrade => (
  { price, size, side, time })
const levels = (model: LiquidationModel): Array<[number, number, number]> =>
  model.map()!.levels.map(([price, long, short]) => [Number(price), Number(long), Number(short)])
const sum = (model: LiquidationModel, place: 1 | 2): number =>
  levels(model).reduce((total, level) => total + level[place], 0)

test('writes steps and figures as decimals, exactly and without e-notation', t => {
  t.equal(writeSteps(3204, { mantissa: 2, exponent: 1 }), '64080')
  t.equal(writeSteps(37141, { mantissa: 5, exponent: -2 }), '1857.05')
  t.equal(writeSteps(3, { mantissa: 1, exponent: -9 }), '0.000000003')
  t.equal(writeSteps(0, { mantissa: 5, exponent: 2 }), '0')
  t.equal(writeFigure(123456789), '123457000')
  t.equal(writeFigure(0.000000012345678), '0.0000000123457')
  t.equal(writeFigure(3e22), '30000000000000000000000')
  t.equal(withoutZeros('100'), '100')
  t.equal(withoutZeros('1.500'), '1.5')
  const decimal = /^(0|[1-9]\d*)(\.\d*[1-9])?$/
  fc.assert(fc.property(fc.double({ min: 1e-15, max: 1e25, noNaN: true }), value => {
    const text = writeFigure(value)
    return decimal.test(text) && Math.abs(Number(text) / value - 1) < 1e-3
  }), { numRuns: 500 })
  fc.assert(fc.property(fc.double({ min: 1e-8, max: 1e9, noNaN: true }), fc.nat(100_000), (price, count) => {
    const step = stepNear(price, 0.0005)
    const text = writeSteps(count, step)
    const isNear = Math.abs(Number(text) - count * stepSize(step)) <= 1e-9 * count * stepSize(step)
    return decimal.test(text) && isNear && stepSize(step) <= price * 0.00050001
  }), { numRuns: 500 })
  t.end()
})

test('opens positions of each leverage on the side of the taker, at the prices of the documents', t => {
  const model = new LiquidationModel()
  model.trade(trade(100, 'buy'))
  // 30 % of 100; 1 - 1/leverage + 0.004, on a grid of 0.05 rounded away from the price.
  t.same(levels(model), [[90.4, 12, 0], [96.4, 9, 0], [98.4, 6, 0], [99.4, 3, 0]])
  const short = new LiquidationModel()
  short.trade(trade(100, 'sell'))
  t.same(short.map()!.levels.map(([, long, value]) => [long, value]), [['0', '3'], ['0', '6'], ['0', '9'], ['0', '12']])
  const both = new LiquidationModel()
  both.trade(trade(100, undefined))
  t.equal(sum(both, 1), 15)
  t.equal(sum(both, 2), 15)
  t.equal(both.created, 8)
  t.equal(both.map()!.priceStep, '0.05')
  t.equal(new LiquidationModel().map(), undefined)
  t.end()
})

test('liquidates what a trade reaches, and nothing else', t => {
  const model = new LiquidationModel()
  model.trade(trade(100, 'buy'))
  t.same(model.trade(trade(99.41, 'sell', 0, 1e-9)), { long: 0, short: 0 }, 'just above')
  const { long, short } = model.trade(trade(98, 'sell', 0, 1e-9))
  t.ok(Math.abs(long - 9) < 1e-6 && short < 1e-6, `${long} ${short}`)
  t.equal(model.consumed, 2)
  t.same(levels(model).filter(([, value]) => value > 0).map(([price]) => price), [90.4, 96.4])
  t.ok(Math.abs(model.trade(trade(1e-3, 'buy')).long - 21) < 1e-6, 'a price that leaps far')
  t.end()
})

test('closes half of all positions within four hours of the clock of trades', t => {
  const model = new LiquidationModel()
  model.trade(trade(100, 'buy', 0))
  model.trade(trade(100, 'sell', 4 * HOUR_MS, 1e-9))
  t.equal(sum(model, 1), 15)
  for (let hour = 5; hour < 4000; hour++) model.trade(trade(100, 'buy', hour * HOUR_MS))
  const steady = sum(model, 1)
  // A trade an hour: 30 times 1 + 2^(-1/4) + 2^(-2/4) + …
  t.ok(Math.abs(steady / (30 / (1 - 2 ** -0.25)) - 1) < 1e-3, String(steady))
  t.end()
})

test('keeps longs below the last price and shorts above, and bounded levels, whatever the trades', t => {
  const walk = fc.array(fc.record({
    move: fc.oneof(fc.double({ min: -0.02, max: 0.02, noNaN: true }), fc.constantFrom(-3, 3, 0)),
    side: fc.constantFrom<ModelTrade['side']>('buy', 'sell', undefined),
    wait: fc.nat(HOUR_MS)
  }), { minLength: 1, maxLength: 200 })
  fc.assert(fc.property(walk, steps => {
    const model = new LiquidationModel()
    let [price, time] = [100, 0]
    for (const { move, side, wait } of steps) {
      price *= Math.exp(move)
      time += wait
      model.trade(trade(price, side, time))
    }
    const found = levels(model)
    const isSound = found.every(([at, long, short]) =>
      (long === 0 || at < price) && (short === 0 || at > price) && long >= 0 && short >= 0)
    return isSound && found.length < 20_000 && model.consumed <= model.created
  }), { numRuns: 100 })
  t.end()
})

test('ignores what is no trade', t => {
  const model = new LiquidationModel()
  for (const bad of [trade(0, 'buy'), trade(-1, 'buy'), trade(NaN, 'buy'), trade(1e308, 'buy', 0, 1e308), trade(1e-60, 'buy'), trade(1, 'buy', 0, 1e60)]) {
    t.same(model.trade(bad), { long: 0, short: 0 })
  }
  t.equal(model.map(), undefined)
  t.end()
})

const book = (bids: [string, string][], asks: [string, string][], stale?: true) => (
  { symbol: 'A', bids, asks, ...(stale === undefined ? {} : { stale }) })

test('means the size that rested by price over the time since the last map', t => {
  const resting = new RestingSizes()
  t.equal(resting.map(0), undefined, 'nothing is known yet')
  resting.take(book([['99.99', '4'], ['99.98', '1.5']], [['100.01', '2']]), true, 1000)
  resting.take(book([['99.99', '0']], [['100.02', '6']]), false, 1500)
  t.same(resting.map(2000), {
    priceStep: '0.005',
    currentPrice: '99.995',
    levels: [['99.98', '1.5', '0'], ['99.99', '2', '0'], ['100.01', '0', '2'], ['100.02', '0', '3']]
  })
  const present = [['99.98', '1.5', '0'], ['100.01', '0', '2'], ['100.02', '0', '6']]
  t.same(resting.map(5000)!.levels, present)
  t.same(resting.map(5001)!.levels, present, 'a book that does not change has the same mean over any time')
  t.same(resting.map(5001)!.levels, present, 'also over none')
  t.end()
})

test('has no map of a stale book until its next snapshot', t => {
  const resting = new RestingSizes()
  resting.take(book([['10', '1']], []), true, 0)
  t.equal(resting.map(1)!.currentPrice, '10')
  resting.take(book([], [], true), true, 2)
  resting.take(book([['10', '1']], [], true), false, 3)
  t.equal(resting.map(4), undefined)
  resting.take(book([], [['20', '3']]), true, 5)
  t.same(resting.map(10)!.levels, [['20', '0', '3']])
  t.end()
})

test('has no map of prices that no market has, and bounds sizes', t => {
  const resting = new RestingSizes()
  resting.take(book([['9'.repeat(60), '1']], []), true, 0)
  t.equal(resting.map(1), undefined)
  resting.take(book([[`0.${'0'.repeat(60)}1`, '1']], []), true, 2)
  t.equal(resting.map(3), undefined)
  resting.take(book([['5', '9'.repeat(64)]], [['6', '1'], ['9'.repeat(64), '1']]), true, 4)
  t.same(resting.map(4)!.levels.map(([price]) => price), [])
  resting.take(book([['5.9', '9'.repeat(64)]], [['6', '1'], ['9'.repeat(64), '1']]), true, 5)
  t.same(resting.map(5)!.levels.map(level => level.map(Number)), [[5.9, 1e30, 0], [6, 0, 1]])
  t.end()
})

test('means what a straightforward computation does, whatever the updates', t => {
  const update = fc.record({
    wait: fc.integer({ min: 0, max: 500 }),
    side: fc.constantFrom<'bids' | 'asks'>('bids', 'asks'),
    at: fc.nat(5),
    size: fc.nat(4)
  })
  fc.assert(fc.property(fc.array(update, { minLength: 1, maxLength: 60 }), updates => {
    const resting = new RestingSizes()
    resting.take(book([['99', '1']], [['101', '1']]), true, 0)
    const sizes = new Map([['bids 99', 1], ['asks 101', 1]])
    const sums = new Map<string, number>()
    let time = 0
    const pass = (wait: number): void => {
      time += wait
      for (const [key, size] of sizes) sums.set(key, (sums.get(key) ?? 0) + size * wait)
    }
    for (const { wait, side, at, size } of updates) {
      pass(wait)
      const price = side === 'bids' ? 99 - at * 0.1 : 101 + at * 0.1
      const level: [string, string] = [price.toFixed(1), `${size}.0`]
      resting.take(side === 'bids' ? book([level], []) : book([], [level]), false, time)
      sizes.set(`${side} ${Number(level[0])}`, size)
    }
    pass(100)
    const found = resting.map(time)
    const isKnown = [...sizes.values()].some(size => size > 0)
    if (!isKnown || found === undefined) return found === undefined
    return found.levels.every(([price, bids, asks]) =>
      Math.abs(Number(bids) - (sums.get(`bids ${Number(price)}`) ?? 0) / time) < 1e-4 &&
      Math.abs(Number(asks) - (sums.get(`asks ${Number(price)}`) ?? 0) / time) < 1e-4)
  }), { numRuns: 200 })
  t.end()
})

test('a book that begins with what is no price of a market has levels once it has a price', t => {
  const resting = new RestingSizes()
  resting.take({ symbol: 'A', bids: [['0', '1'], ['0.0000000000000001', '1']], asks: [] }, true, 0)
  t.equal(resting.map(1000), undefined)
  resting.take({ symbol: 'A', bids: [['100', '2']], asks: [['101', '3'], ['1e999', '1']] }, false, 1000)
  t.same(resting.map(2000)?.levels, [['100', '2', '0'], ['101', '0', '3']])
  t.end()
})
