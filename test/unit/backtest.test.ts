import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Value } from '@sinclair/typebox/value'
import { Bar, compareDecimals } from '@tickwire/protocol'
import { test } from 'tap'
import { generateBars } from '../../src/sources/simulated/generated-bars.js'
import { backtest, type BacktestReport } from '../../src/strategies/backtest/backtest.js'
import { readBarsFile } from '../../src/strategies/backtest/bars-file.js'
import { readParameters, StrategyRegistry } from '../../src/strategies/registry.js'
import { ROOT } from '../helpers/root.js'
import { startOf } from '../helpers/strategy-runs.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

/** A strategy over past bars: what is filled, at which price, and what comes of it. */

const UNRULY = join(ROOT, 'test/helpers/strategies/unruly.js')

const bar = (number: number, open: string, close: string, more: Partial<Bar> = {}): Bar => ({
  symbol: 'A', interval: '1m', start: startOf(number), open, high: open, low: open, close, volume: '1', vwap: close, trades: 1, closed: true, revision: 0, through: 1, ...more
})

interface Run { readonly report: BacktestReport, readonly lines: string[] }

interface Settings {
  readonly quantity?: string
  readonly cash?: string
  readonly fee?: string
  readonly parameters?: Record<string, string | number>
}

async function run (name: string, bars: Iterable<Bar>, more: Settings = {}): Promise<Run> {
  const registered = (await StrategyRegistry.load([UNRULY])).require(name)
  const { quantity = '1', cash = '100', fee = '0', parameters = {} } = more
  const lines: string[] = []
  const report = backtest({
    strategy: registered.strategy, symbol: 'A', parameters: readParameters(registered, parameters), bars, quantity, cash, fee, log: line => { lines.push(line) }
  })
  return { report, lines }
}

test('fills a signal at the open of the next bar, with fees', async t => {
  const bars = [bar(1, '10', '1'), bar(2, '10', '12'), bar(3, '11', '2'), bar(4, '13', '0'), bar(5, '5', '1')]
  const { report, lines } = await run('told', bars, { quantity: '2', fee: '0.01' })
  t.match(report, {
    bars: 5, from: startOf(1), to: startOf(5), trades: 3, buys: 1, sales: 2, unaffordable: 0, win_rate: 0.5, pnl: '-2.38', realized_pnl: '-2', fees: '0.38', position: '0', final_value: '97.62'
  })
  t.ok(Math.abs(report.return + 0.0238) < 1e-12)
  t.ok(Math.abs(report.max_drawdown - 20 / 103.8) < 1e-12)
  t.same(lines, [
    `bar 1 ${startOf(1)} 1 0`, 'order filled 2', `bar 2 ${startOf(2)} 12 2`, `bar 3 ${startOf(3)} 2 2`, 'order filled 1', `bar 4 ${startOf(4)} 0 1`, 'order filled 0', `bar 5 ${startOf(5)} 1 0`
  ])
})

test('buys nothing that there is no cash for, and values what is left at the last close', async t => {
  const bars = [bar(1, '10', '1'), bar(2, '10', '1'), bar(3, '4', '7')]
  t.match((await run('told', bars, { quantity: '20' })).report, { trades: 1, buys: 1, unaffordable: 1, pnl: '60', position: '20', final_value: '160', win_rate: undefined })
  t.match((await run('told', bars, { quantity: '10' })).report, { buys: 1, unaffordable: 1, position: '10', pnl: '-30' }, 'all of the cash, and no more')
  t.match((await run('told', bars, { quantity: '10', fee: '0.001' })).report, { buys: 1, unaffordable: 1, position: '10', fees: '0.04', pnl: '29.96' }, 'the fee must be affordable, too')
  t.match((await run('told', [])).report, { bars: 0, trades: 0, final_value: '100', return: 0, max_drawdown: 0 })
})

test('makes the same bars, and so the same trades, for a seed', async t => {
  for (const [name, symbol, interval, seed, expected] of [
    ['breakout', 'BTC-USD', '1m', 1, { bars: 2880, buys: 43, sales: 42, pnl: '-776.430548', fees: '541.486548', position: '0.1' }],
    ['breakout', 'BTC-USD', '1m', 2, { bars: 2880, buys: 41, sales: 40, pnl: '-581.150077', fees: '519.069077', position: '0.1' }],
    ['moving_average_crossover', '005930', '5m', 3, { bars: 576, buys: 10, sales: 9, realized_pnl: '800' }]
  ] as const) {
    const bars = [...generateBars({ symbol, interval, seed, days: 2 })]
    for (const bar of bars) {
      if (!Value.Check(Bar, bar)) t.fail(JSON.stringify(bar))
      const isInside = [bar.open, bar.close, bar.vwap].every(price =>
        compareDecimals(price, bar.low) >= 0 && compareDecimals(price, bar.high) <= 0)
      if (!isInside) t.fail(`outside: ${JSON.stringify(bar)}`)
    }
    const quantity = symbol === 'BTC-USD' ? '0.1' : '1'
    const fee = symbol === 'BTC-USD' ? '0.001' : '0'
    const { report } = await run(name, bars, { parameters: { interval }, quantity, fee, cash: '100000' })
    t.match(report, expected, `${name} ${seed}`)
  }
  const [one, same, other] = [5, 5, 6].map(seed => JSON.stringify([...generateBars({ symbol: 'AAPL', interval: '5m', seed, days: 1 })]))
  t.equal(one, same)
  t.not(one, other)
  t.throws(() => [...generateBars({ symbol: 'NONE', interval: '5m', seed: 1, days: 1 })], /no NONE/)
})

test('reads bars of a table, of GET /v1/bars and of an exported history', async t => {
  const folder = temporaryFolder(t)
  const read = async (name: string, content: string): ReturnType<typeof readBarsFile> => {
    writeFileSync(join(folder, name), content)
    return await readBarsFile(join(folder, name), { symbol: 'A', interval: '1m' })
  }
  const two = [bar(1, '1', '2'), bar(2, '3', '4')]
  t.strictSame(await read('a.json', JSON.stringify({ epoch: 'e', sequence: 5, bars: [two[1], two[0]] })), two)
  const forming = bar(1, '9', '9', { closed: false })
  const { revision: _revision, ...unrevised } = forming
  const revised = bar(1, '8', '8', { revision: 1 })
  t.strictSame(await read('b.json', JSON.stringify([unrevised, ...two, revised].map(data => ({ type: 'bar', sequence: 1, data })))), two, 'each as it was when it closed')
  const short = await read('c.csv', '\uFEFFstart, open,high,low,close\r\n2026-01-01T00:00:00Z,1,3,0.5,2\r\n')
  t.strictSame(short, [{ symbol: 'A', interval: '1m', start: '2026-01-01T00:00:00Z', open: '1', high: '3', low: '0.5', close: '2', volume: '0', vwap: '0', trades: 0, closed: true, through: 1 }])
  const exported = 'sequence,log_timestamp,symbol,interval,start,open,high,low,close,volume,vwap,trades,closed,revision,partial,through\r\n' +
    '1,2026-01-01T00:00:30.000Z,A,1m,2026-01-01T00:00:00Z,9,9,9,9,1,9,1,false,,,1\r\n2,2026-01-01T00:01:00.200Z,A,1m,2026-01-01T00:00:00Z,1,3,0.5,2,5,1.5,2,true,0,true,7\r\n'
  t.strictSame(await read('d.csv', exported), [{ symbol: 'A', interval: '1m', start: '2026-01-01T00:00:00Z', open: '1', high: '3', low: '0.5', close: '2', volume: '5', vwap: '1.5', trades: 2, closed: true, revision: 0, partial: true, through: 7 }])
  for (const [name, content, words] of [
    ['e.csv', 'start,open,high,low\r\n2026-01-01T00:00:00Z,1,2,3', /no column close/], ['f.csv', 'start,open,high,low,close\r\n2026-01-01T00:00:00Z,1,2,3,x', /bar 1: close/],
    ['g.csv', 'start,open,high,low,close\r\n2026-13-01T00:00:00Z,1,2,3,4', /bar 1: start/], ['h.json', '{"bars":5}', /neither an array/], ['i.json', '{', /not JSON/], ['j.json', '[]', /no closed bar/], ['k.csv', 'a,b\r\n"', /no table/]
  ] as const) await t.rejects(read(name, content), { name: 'BarsFileError', message: words }, name)
  await t.rejects(readBarsFile(join(folder, 'none.csv'), { symbol: 'A', interval: '1m' }), { message: /none\.csv cannot be read/ })
})
