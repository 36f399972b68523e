import {
  type Bar, type BarInterval, compareDecimals, DECIMAL_PATTERN, isSymbol, ProtocolError
} from '@tickwire/protocol'
import { ConfigError } from '../../config.js'
import {
  countOfBars, generateBars, type GeneratedBars, generatedSymbols
} from '../../sources/simulated/generated-bars.js'
import { backtest, type BacktestReport } from '../../strategies/backtest/backtest.js'
import { BarsFileError, readBarsFile } from '../../strategies/backtest/bars-file.js'
import { intervalOf, readParameters, type Registered, StrategyRegistry } from '../../strategies/registry.js'
import {
  columns, type Command, CommandError, text, UsageError, type Values, wholeNumber
} from '../command.js'

const DEFAULT_CASH = '100000'
const DEFAULT_QUANTITY = '1'
const DEFAULT_FEE = '0'
const DEFAULT_DAYS = 30
const MAX_DAYS = 3660
/** How often the progress line changes: on a terminal, and where lines are kept. */
const TERMINAL_MS = 250
const FILE_MS = 10_000

export const backtestCommand: Command = {
  name: 'backtest',
  summary: 'Runs a strategy over past or made-up bars, and says what it would have earned. Asks no server.',
  usage: '<strategy> <symbol> [--bars file | --seed n --days n] [flags]',
  options: {
    bars: { type: 'string', value: 'file', description: 'the bars: .csv, or JSON as GET /v1/bars answers' },
    seed: { type: 'string', value: 'number', description: 'makes bars of the simulated market; default 1' },
    days: { type: 'string', value: 'number', description: `of made bars; default ${DEFAULT_DAYS}` },
    parameters: {
      type: 'string', short: 'p', value: 'json', description: 'of the strategy, such as {"fast":5}'
    },
    strategies: { type: 'string', value: 'folder', description: 'strategies beside those that are built in' },
    quantity: {
      type: 'string',
      value: 'decimal',
      description: `of a signal that names none; default ${DEFAULT_QUANTITY}`
    },
    cash: { type: 'string', value: 'decimal', description: `to begin with; default ${DEFAULT_CASH}` },
    fee: {
      type: 'string', value: 'fraction', description: 'of what is bought or sold, such as 0.001; default 0'
    },
    json: { type: 'boolean', description: 'prints JSON, for programs' },
    quiet: { type: 'boolean', short: 'q', description: 'shows no progress' }
  },
  examples: [
    'tickwire backtest breakout BTC-USD --seed 7 --days 90 --quantity 0.5 --fee 0.001',
    'tickwire backtest moving_average_crossover AAPL --bars aapl.csv -p \'{"fast":5,"slow":20}\'',
    'tickwire backtest mine AAPL --strategies ./strategies --json'
  ],

  async run ({ values, positionals, env }) {
    const [name, symbol, ...others] = positionals
    if (name === undefined || symbol === undefined || others.length > 0) {
      throw new UsageError('backtest takes a strategy and a symbol: backtest breakout AAPL')
    }
    if (!isSymbol(symbol)) throw new UsageError(`'${symbol}' is not a symbol`)
    const registered = await strategyOf(name, text(values, 'strategies') ?? env['STRATEGIES'])
    const parameters = parametersOf(registered, text(values, 'parameters'))
    const interval = intervalOf(registered, parameters)
    if (interval === undefined) {
      throw new CommandError(`${name} gets no bars: only a strategy with onBar can be tried on them`)
    }
    const { bars, count } = await barsOf(values, symbol, interval)
    const amounts = {
      quantity: amount(values, 'quantity', DEFAULT_QUANTITY),
      cash: amount(values, 'cash', DEFAULT_CASH),
      fee: fraction(values, 'fee', DEFAULT_FEE)
    }
    const progress = new Progress(count, values['quiet'] !== true)
    const report = runIt(name, () => backtest({
      strategy: registered.strategy,
      symbol,
      parameters,
      bars,
      ...amounts,
      log: line => { progress.say(line) },
      onBar: bar => { progress.count(bar) }
    }))
    progress.end()
    const isJson = values['json'] === true
    console.log(isJson
      ? JSON.stringify({ strategy: name, symbol, parameters, ...amounts, ...report }, null, 2)
      : describe(name, symbol, parameters, report))
    return 0
  }
}

async function strategyOf (name: string, folder: string | undefined): Promise<Registered> {
  try {
    return (await StrategyRegistry.load([], folder === '' ? undefined : folder)).require(name)
  } catch (error) {
    if (error instanceof ProtocolError || error instanceof ConfigError) throw new CommandError(error.message)
    throw error
  }
}

function parametersOf (registered: Registered, json = '{}'): ReturnType<typeof readParameters> {
  let given: unknown
  try {
    given = JSON.parse(json)
  } catch {
    throw new UsageError(`--parameters is JSON, such as '{"fast":5}', not '${json}'`)
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new UsageError('--parameters is a JSON object, such as {"fast":5}')
  }
  try {
    return readParameters(registered, given as Parameters<typeof readParameters>[1])
  } catch (error) {
    if (error instanceof ProtocolError) throw new UsageError(error.message)
    throw error
  }
}

interface Bars {
  readonly bars: Iterable<Bar>
  readonly count: number
}

async function barsOf (values: Values, symbol: string, interval: BarInterval): Promise<Bars> {
  const file = text(values, 'bars')
  if (file === undefined) return generated(values, symbol, interval)
  for (const flag of ['seed', 'days']) {
    if (values[flag] === undefined) continue
    throw new UsageError(`--${flag} makes bars, and --bars reads them: use one`)
  }
  try {
    const bars = await readBarsFile(file, { symbol, interval })
    const other = bars.find(bar => bar.symbol !== symbol || bar.interval !== interval)
    if (other === undefined) return { bars, count: bars.length }
    throw new CommandError(`${file} has a bar of ${other.symbol} and ${other.interval}, ` +
      `not of ${symbol} and ${interval}, which the strategy gets (parameter interval)`)
  } catch (error) {
    if (error instanceof BarsFileError) throw new CommandError(error.message)
    throw error
  }
}

/** Makes bars. @throws UsageError, CommandError */
function generated (values: Values, symbol: string, interval: BarInterval): Bars {
  const days = wholeNumber(values, 'days') ?? DEFAULT_DAYS
  if (days > MAX_DAYS) throw new UsageError(`--days is at most ${MAX_DAYS}`)
  if (!generatedSymbols().includes(symbol)) {
    throw new CommandError(`the simulated market has no ${symbol}: name a file of bars with --bars, ` +
      `or one of ${generatedSymbols().join(', ')}`)
  }
  const wanted: GeneratedBars = { symbol, interval, seed: wholeNumber(values, 'seed') ?? 1, days }
  return { bars: generateBars(wanted), count: countOfBars(wanted) }
}

const decimal = new RegExp(DECIMAL_PATTERN)

function amount (values: Values, flag: string, otherwise: string): string {
  const value = text(values, flag) ?? otherwise
  if (decimal.test(value) && compareDecimals(value, '0') > 0) return value
  throw new UsageError(`--${flag} is a decimal above 0, not '${value}'`)
}

function fraction (values: Values, flag: string, otherwise: string): string {
  const value = text(values, flag) ?? otherwise
  const isDecimal = decimal.test(value)
  if (isDecimal && compareDecimals(value, '0') >= 0 && compareDecimals(value, '1') < 0) return value
  throw new UsageError(`--${flag} is a fraction from 0 to below 1, such as 0.001, not '${value}'`)
}

/** A strategy that throws is the user's to mend. */
function runIt (name: string, run: () => BacktestReport): BacktestReport {
  try {
    return run()
  } catch (error) {
    throw new CommandError(`${name} has failed: ${String(error)}`)
  }
}

const percent = (fraction: number): string => `${(100 * fraction).toFixed(2)} %`

function describe (name: string, symbol: string, parameters: object, report: BacktestReport): string {
  const { bars, from, to, trades, buys, sales, unaffordable, win_rate: wins } = report
  const given = Object.entries(parameters).map(([key, value]) => `${key}=${String(value)}`).join(' ')
  return columns([
    ['strategy', `${name} ${given}`],
    ['bars', `${bars} of ${symbol}, ${from ?? ''} to ${to ?? ''}`],
    ['trades', `${trades}: ${buys} buys, ${sales} sales`],
    ...unaffordable === 0 ? [] : [['not bought for want of cash', String(unaffordable)] as const],
    ['win rate', wins === undefined ? 'no sales' : `${percent(wins)} of sales`],
    ['P&L', `${report.pnl} after fees; ${report.realized_pnl} realized before them`],
    ['fees', report.fees],
    ['position', report.position],
    ['final value', report.final_value],
    ['return', percent(report.return)],
    ['max drawdown', percent(report.max_drawdown)]
  ])
}

/** A line on stderr: how many bars the strategy has got. */
class Progress {
  private done = 0
  private shownAt = performance.now()
  private readonly isTerminal = process.stderr.isTTY

  constructor (private readonly bars: number, private readonly shows: boolean) {}

  say (line: string): void {
    this.clear()
    console.error(line)
  }

  count ({ start }: Bar): void {
    this.done++
    const now = performance.now()
    if (!this.shows || now - this.shownAt < (this.isTerminal ? TERMINAL_MS : FILE_MS)) return
    this.shownAt = now
    const share = percent(this.done / this.bars)
    const words = `tickwire: ${this.done} of ${this.bars} bars, ${share}, at ${start}`
    if (this.isTerminal) process.stderr.write(`\r\x1b[K${words}`)
    else console.error(words)
  }

  end (): void {
    this.clear()
    if (this.shows) console.error(`tickwire: ${this.done} bars`)
  }

  private clear (): void {
    if (this.shows && this.isTerminal) process.stderr.write('\r\x1b[K')
  }
}
