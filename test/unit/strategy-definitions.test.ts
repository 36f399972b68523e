import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bar } from '@tickwire/protocol'
import { test } from 'tap'
import { defineStrategy, type StrategyDefinition, Type } from '../../src/index.js'
import { isStrategy } from '../../src/strategies/define-strategy.js'
import { intervalOf, readParameters, StrategyRegistry } from '../../src/strategies/registry.js'
import { StrategyInstance } from '../../src/strategies/strategy-instance.js'
import { ROOT } from '../helpers/root.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

/** How strategies are defined, found and given their parameters; and what a call of one gives. */

const UNRULY = join(ROOT, 'test/helpers/strategies/unruly.js')
const none = Type.Object({})
const define = (given: object): unknown => defineStrategy(given as StrategyDefinition)
const good = { name: 'mine', description: 'Mine.', parameters: none, onBar () {} }

test('says what is wrong with a definition', async t => {
  t.ok(isStrategy(define(good)))
  t.notOk(isStrategy(good))
  for (const [change, words] of [
    [{ name: 'Mine' }, /"Mine": it must be lower case/], [{ name: undefined }, /has the name undefined/], [{ onbar () {} }, /option 'onbar'; there are: name, title/],
    [{ description: '' }, /mine has no description/], [{ title: 5 }, /title that is not a text/], [{ onQuote: 'x' }, /has onQuote, but that is not a function/],
    [{ onBar: undefined }, /neither onBar nor onQuote/], [{ parameters: {} }, /not made with Type.Object/], [{ parameters: Type.String() }, /not made with Type.Object/],
    [{ parameters: Type.Object({ interval: Type.String() }) }, /'interval', which the server adds/]
  ] as Array<[object, RegExp]>) t.throws(() => define({ ...good, ...change }), { name: 'TypeError', message: words })
})

const bar = (close: string, more: Partial<Bar> = {}): Bar => ({
  symbol: 'A', interval: '1m', start: '2026-01-01T00:00:00Z', open: close, high: close, low: close, close, volume: '1', vwap: close, trades: 1, closed: true, revision: 0, through: 1, ...more
})

test('a call has one signal, and a bad one is an error', async t => {
  const moment = { time: 5, position: 2 }
  const seen: unknown[] = []
  const lines: string[] = []
  const strategy = defineStrategy({
    name: 'mine',
    description: 'Mine.',
    parameters: Type.Object({ quantity: Type.Unsafe<string | number>({}) }),
    onStart: ({ symbol }) => ({ symbol }),
    onBar ({ close }, { state, position, time, parameters: { quantity }, signal, log }) {
      seen.push([state, position, time])
      log(`close ${close}`)
      if (close === 'none') return
      signal('sell')
      signal('buy', { quantity, reason: 'r'.repeat(300) })
    }
  })
  const hear = (quantity: string | number): unknown => {
    const instance = new StrategyInstance(strategy, 'A', { quantity }, line => { lines.push(line) })
    instance.start()
    return instance.hear('bar', bar('1'), moment)
  }
  t.same(hear(0.1), { signal: 'buy', quantity: '0.1', reason: 'r'.repeat(256) })
  t.same(hear('2.50'), { signal: 'buy', quantity: '2.5', reason: 'r'.repeat(256) })
  t.same(hear(1e-7), { signal: 'buy', quantity: '0.0000001', reason: 'r'.repeat(256) })
  for (const quantity of [0, -1, NaN, Infinity, '', 'x', '1e5', '0', '-1', '1'.repeat(65)]) t.throws(() => hear(quantity), { name: 'TypeError', message: /must be above 0/ }, String(quantity))
  t.same(seen[0], [{ symbol: 'A' }, 2, 5])
  t.equal(lines[0], 'close 1')
  const instance = new StrategyInstance(strategy, 'A', { quantity: 1 }, () => {})
  instance.start()
  t.match(instance.hear('bar', bar('1'), moment), { signal: 'buy' })
  t.equal(instance.hear('bar', bar('none'), moment), undefined, 'the signal of a call before is gone')
  t.equal(instance.hear('quote', { symbol: 'A' }, moment), undefined, 'it has no onQuote')
})

test('knows the strategies that are built in, of modules and of a folder', async t => {
  const folder = temporaryFolder(t)
  writeFileSync(join(folder, 'a.mjs'), `import { defineStrategy, Type } from ${JSON.stringify(join(ROOT, 'dist/src/index.js'))}
export default defineStrategy({ name: 'of_a_folder', description: 'x', parameters: Type.Object({}), onQuote () {} })`)
  writeFileSync(join(folder, 'notes.txt'), 'nothing')
  const registry = await StrategyRegistry.load([UNRULY], folder)
  const names = Array.from(registry.all(), ({ strategy: { name } }) => name)
  for (const name of ['moving_average_crossover', 'breakout', 'told', 'loops', 'of_a_folder']) t.ok(names.includes(name), name)
  t.equal(intervalOf(registry.require('of_a_folder'), {}), undefined)
  t.throws(() => registry.require('brekout'), { code: 'not_found', message: /did you mean 'breakout'/ })
  writeFileSync(join(folder, 'b.js'), 'export const nothing = 1')
  await t.rejects(StrategyRegistry.load([], folder), { name: 'ConfigError', message: /b\.js exports no strategy/ })
  writeFileSync(join(folder, 'b.js'), 'throw new Error("broken")')
  await t.rejects(StrategyRegistry.load([join(folder, 'b.js?2')]), { name: 'ConfigError', message: /b\.js.*cannot be loaded/ })
  await t.rejects(StrategyRegistry.load([], join(folder, 'none')), { name: 'ConfigError', message: /STRATEGIES=.*none cannot be read/ })
  const other = temporaryFolder(t)
  writeFileSync(join(other, 'a.mjs'), `import { defineStrategy, Type } from ${JSON.stringify(join(ROOT, 'dist/src/index.js'))}
export default defineStrategy({ name: 'breakout', description: 'x', parameters: Type.Object({}), onQuote () {} })`)
  await t.rejects(StrategyRegistry.load([], other), { name: 'ConfigError', message: /a\.mjs has a strategy breakout, and so has .*: rename one/ })
})

test('adds the defaults of parameters, and says which is wrong', async t => {
  const registry = await StrategyRegistry.load([UNRULY])
  const crossover = registry.require('moving_average_crossover')
  t.same(readParameters(crossover, { fast: 5 }), { fast: 5, slow: 30, interval: '1m' })
  t.equal(intervalOf(crossover, readParameters(crossover, { interval: '5m' })), '5m')
  t.same(readParameters(registry.require('told'), {}), { reason: 'because', interval: '1m' })
  t.same(readParameters(registry.require('quoted'), {}), {})
  for (const [given, message] of [
    [{ fast: 0 }, /'fast': .*1/], [{ slow: 401 }, /'slow': .*400/], [{ fast: 1.5 }, /'fast'/], [{ fast: '5' }, /'fast'/],
    [{ interval: '2m' }, /'interval': must be one of 1s, 1m, 5m/], [{ quick: 1 }, /no such parameter; there are: fast, slow, interval/]
  ] as Array<[Record<string, string | number>, RegExp]>) {
    t.throws(() => readParameters(crossover, given), { code: 'invalid_message', message }, JSON.stringify(given))
  }
})

test('the example of the documentation is the one in examples, and can be loaded', async t => {
  const example = readFileSync(join(ROOT, 'examples/strategies/momentum.js'), 'utf8')
  const code = example.slice(example.indexOf('import'))
  t.ok(readFileSync(join(ROOT, 'docs/strategies.md'), 'utf8').includes(`\`\`\`js\n${code}\`\`\``))
  const registry = await StrategyRegistry.load([], join(ROOT, 'examples/strategies'))
  t.same(readParameters(registry.require('momentum'), {}), { bars: 5, percent: 0.2, interval: '1m' })
})

/** Runs a strategy over closes; returns after which of them it gave which signal. */
async function signalsOf (
  name: string, parameters: Record<string, number>, closes: readonly number[]
): Promise<string[]> {
  const registered = (await StrategyRegistry.load([])).require(name)
  const instance = new StrategyInstance(registered.strategy, 'A', readParameters(registered, parameters), () => {})
  instance.start()
  let position = 0
  return closes.flatMap((close, index) => {
    const given = instance.hear('bar', bar(String(close)), { time: 0, position })
    if (given === undefined) return []
    position = given.signal === 'buy' ? 1 : 0
    return [`${given.signal} at ${index}`]
  })
}

test('moving_average_crossover buys and sells where the averages cross', async t => {
  const parameters = { fast: 2, slow: 4 }
  // Averages of 2 and 4: (10, 10) at 3, (9.5, 9.75) at 4: below, for the first time; (11, 10.25) at 5: above.
  t.same(await signalsOf('moving_average_crossover', parameters, [10, 10, 10, 10, 9, 13, 13, 13, 13, 12, 11]), ['buy at 5', 'flat at 9'])
  t.same(await signalsOf('moving_average_crossover', parameters, [1, 2, 3, 4, 5, 6, 7, 8]), [], 'an average that was always above has not crossed')
  await t.rejects(signalsOf('moving_average_crossover', { fast: 4, slow: 4 }, []), /fast \(4\) must be below slow \(4\)/)
})

test('breakout buys above the highest high and sells below the lowest low', async t => {
  t.same(await signalsOf('breakout', { lookback: 3 }, [10, 12, 11, 12, 12.5, 13, 12, 12.5, 12, 11.9, 9, 8]), ['buy at 4', 'flat at 9'])
  t.same(await signalsOf('breakout', { lookback: 3 }, [9.5, 9.25, 9.75, 10.5]), ['buy at 3'], 'prices compare as numbers, not as texts')
})
