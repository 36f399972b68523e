import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { runCommand } from '../helpers/command.js'
import { ROOT } from '../helpers/root.js'
import { startOf } from '../helpers/strategy-runs.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

/** docs/command.md: `tickwire backtest`. */

const STRATEGIES = join(ROOT, 'test/helpers/strategies')

test('backtest prints a table, or JSON, and its progress on stderr', async t => {
  const table = await runCommand(['backtest', 'breakout', 'BTC-USD', '--days', '2', '--quantity', '0.1', '--fee', '0.001'])
  t.equal(table.code, 0, table.err)
  for (const row of [/^ {2}strategy +breakout lookback=20 interval=1m$/m, /trades +85: 43 buys, 42 sales/, /win rate +21\.43 % of sales/, /P&L +-776\.430548 after fees; -270\.225 realized/, /fees +541\.486548/, /position +0\.1/, /return +-0\.78 %/, /max drawdown +\d\.\d\d %/]) t.match(table.out, row)
  t.match(table.err, /tickwire: 2880 bars\n$/)
  const folder = temporaryFolder(t)
  const file = join(folder, 'a.csv')
  writeFileSync(file, `start,open,high,low,close\n${startOf(1)},10,10,1,1\n${startOf(2)},10,12,10,12\n`)
  const json = await runCommand(['backtest', 'told', 'A', '--bars', file, '--json', '--quiet', '-p', '{"reason":"x"}'], { STRATEGIES })
  t.equal(json.code, 0, json.err)
  t.match(JSON.parse(json.out), { strategy: 'told', symbol: 'A', parameters: { reason: 'x', interval: '1m' }, buys: 1, position: '1', pnl: '2', cash: '100000' })
  t.match(json.err, /^bar 1 2026-01-01T00:01:00Z 1 0\norder filled 1\nbar 2/, 'what the strategy logs')
})

test('backtest says what is wrong with its arguments', async t => {
  const folder = temporaryFolder(t)
  const file = join(folder, 'b.json')
  const other = { symbol: 'B', interval: '1m', start: startOf(1), open: '1', high: '1', low: '1', close: '666', volume: '1', vwap: '1', trades: 1, closed: true, through: 1 }
  writeFileSync(file, JSON.stringify([other]))
  for (const [args, code, words] of [
    [['breakout'], 2, /takes a strategy and a symbol/], [['breakout', 'A', 'B'], 2, /takes a strategy and a symbol/], [['breakout', '@x'], 2, /'@x' is not a symbol/],
    [['brekout', 'AAPL'], 1, /no strategy 'brekout'; did you mean 'breakout'\?/], [['breakout', 'NONE'], 1, /no NONE: name a file of bars with --bars, or one of 005930/],
    [['breakout', 'AAPL', '-p', '{'], 2, /--parameters is JSON/], [['breakout', 'AAPL', '-p', '[]'], 2, /a JSON object/], [['breakout', 'AAPL', '-p', '{"lookback":1}'], 2, /'lookback'/],
    [['breakout', 'AAPL', '--cash', '0'], 2, /--cash is a decimal above 0/], [['breakout', 'AAPL', '--fee', '1'], 2, /--fee is a fraction/], [['breakout', 'AAPL', '--quantity', 'x'], 2, /--quantity is a decimal/],
    [['breakout', 'AAPL', '--days', '5000'], 2, /--days is at most/], [['breakout', 'AAPL', '--bars', file, '--seed', '1'], 2, /use one/], [['breakout', 'AAPL', '--bars', file], 1, /has a bar of B and 1m, not of AAPL and 1m/],
    [['breakout', 'AAPL', '--bars', join(folder, 'none')], 1, /none cannot be read/], [['quoted', 'AAPL', '--strategies', STRATEGIES], 1, /quoted gets no bars/],
    [['throws', 'B', '--bars', file, '--strategies', STRATEGIES], 1, /throws has failed: Error: as it was told/], [['breakout', 'AAPL', '--strategies', join(folder, 'none')], 1, /cannot be read/]
  ] as ReadonlyArray<readonly [string[], number, RegExp]>) {
    const { code: exit, err } = await runCommand(['backtest', ...args])
    t.equal(exit, code, `${args.join(' ')}: ${err}`)
    t.match(err, words)
  }
})
