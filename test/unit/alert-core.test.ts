import fc from 'fast-check'
import { type AlertRule, alertRuleFault, compareDecimals, instantMs, type NewAlertRule } from '@tickwire/protocol'
import { test } from 'tap'
import { AlertBook } from '../../src/processors/alerts/alert-book.js'
import { add, decimalOf, subtract } from '../../src/processors/alerts/exact.js'
import { parseAmount } from '../../src/processors/amount.js'
import { Levels } from '../../src/processors/alerts/levels.js'
import type { Kept } from '../../src/processors/alerts/watch.js'
import type { Input } from '../../src/processors/processor.js'

/** Rules by themselves: what a value does to them, without a log. */

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 200)
const START = Date.UTC(2026, 0, 1)

const ruleOf = (rule: Partial<NewAlertRule>, id = 'r', version = 1, updatedAt = START): AlertRule => ({
  rule_id: id,
  type: 'price',
  symbol: 'A',
  ...rule,
  version,
  created_at: new Date(START).toISOString(),
  updated_at: new Date(updatedAt).toISOString()
})

/** Seconds after the start, and what a message has. */
type Step = readonly [seconds: number, data: object]

const inputOf = ([seconds, data]: Step, channel: string): Input => ({
  topic: { channel, symbol: 'A' }, data, sequence: 1, timestamp: START + seconds * 1000, replaces: false, missed: false, epoch: 1
})

/** Returns the alerts of some rules: the second and the value of each. */
function alertsOf (
  rules: readonly AlertRule[], steps: readonly Step[], channel = 'quotes', kept: Record<string, Kept> = {}
): string[] {
  const book = new AlertBook()
  book.learn('u', rules, kept)
  return steps.flatMap(step => {
    const outcome = book.observe(inputOf(step, channel))
    return (outcome?.alerted ?? []).map(({ watch, value }) => `${watch.rule.rule_id}@${step[0]} ${value}`)
  })
}

const lasts = (...values: readonly string[]): Step[] => values.map((last, index) => [index, { last }])

const table: ReadonlyArray<readonly [
  title: string,
  rule: Partial<NewAlertRule>,
  steps: readonly Step[],
  expected: readonly string[],
  channel?: string
]> = [
  ['alerts once when the price comes from below', { above: '10' }, lasts('9', '10', '11', '12'), ['r@1 10']],
  ['alerts again at the next crossing', { above: '10' }, lasts('9', '10.0', '9.99', '10.00'), ['r@1 10.0', 'r@3 10.00']],
  ['does not alert at a price that is beyond from the beginning', { above: '10' }, lasts('11', '12', '9', '10'), ['r@3 10']],
  ['alerts below', { below: '10' }, lasts('11', '10', '9', '10.1', '9.5'), ['r@1 10', 'r@4 9.5']],
  ['compares beyond what a float holds', { above: '0.1000000000000000000000001' }, lasts('0.1', '0.1000000000000000000000000', '0.1000000000000000000000001'), ['r@2 0.1000000000000000000000001']],
  ['compares numbers below zero', { above: '-1' }, lasts('-2', '-1.0', '-1.5', '0'), ['r@1 -1.0', 'r@3 0']],
  ['waits for the hysteresis', { above: '10', hysteresis: '0.5' }, lasts('9', '10', '9.6', '10', '9.5', '10', '9.49', '10'), ['r@1 10', 'r@7 10']],
  ['waits for the hysteresis above a level, too', { below: '10', hysteresis: '0.5' }, lasts('11', '10', '10.5', '10', '10.51', '10'), ['r@1 10', 'r@5 10']],
  ['rests for the cooldown', { above: '10', cooldown_seconds: 5 }, lasts('9', '10', '9', '10', '9', '10', '9', '10'), ['r@1 10', 'r@7 10']],
  ['rests for a second in any case', { above: '10' }, [[0, { last: '9' }], [0.1, { last: '10' }], [0.2, { last: '9' }], [1, { last: '10' }], [1.1, { last: '9' }], [1.2, { last: '10' }]], ['r@0.1 10', 'r@1.2 10']],
  ['is gone when it expires', { above: '10', expires_at: '2026-01-01T00:00:03Z' }, lasts('9', '10', '9', '10', '9', '10'), ['r@1 10']],
  ['reads bid', { of: 'bid', above: '10' }, [[0, { last: '10', bid: '9' }], [1, { last: '9', bid: '10' }]], ['r@1 10']],
  ['reads ask', { of: 'ask', below: '10' }, [[0, { ask: '11' }], [1, { bid: '9' }], [2, { ask: '10' }]], ['r@2 10']],
  ['reads trades', { of: 'trade', above: '10' }, [[0, { price: '9' }], [1, { price: '11', corrects: 't1' }], [2, { price: '10' }]], ['r@2 10'], 'trades'],
  ['watches the volume', { type: 'volume', above: '1000' }, [[0, { volume: '999.5' }], [1, { volume: '1000' }], [2, { volume: '0' }], [3, { volume: '2000' }]], ['r@1 1000', 'r@3 2000']],
  ['watches the spread', { type: 'spread', above: '0.02' }, [[0, { bid: '1.00', ask: '1.01' }], [1, { bid: '1.00' }], [2, { bid: '0.99', ask: '1.01' }]], ['r@2 0.02']],
  ['watches the close of a bar, and no revision of it', { type: 'close', interval: '1m', above: '10' }, [
    [0, { close: '9', closed: true, revision: 0 }], [1, { close: '11', closed: false }], [2, { close: '10', closed: true, revision: 1 }], [3, { close: '10', closed: true }]
  ], ['r@3 10'], 'bars.1m'],
  ['alerts of a rise within a time', { type: 'percent', within: '1m', above: '5' }, [[0, { last: '100' }], [30, { last: '104.99' }], [58, { last: '105' }], [59, { last: '106' }]], ['r@58 5.0000']],
  ['counts only from the lowest within the time', { type: 'percent', within: '1m', above: '5' }, [[0, { last: '100' }], [61, { last: '105' }], [62, { last: '103' }], [90, { last: '108.15' }]], ['r@90 5.0000']],
  ['alerts of a fall', { type: 'percent', within: '5m', below: '-2.5' }, [[0, { last: '100' }], [10, { last: '200' }], [20, { last: '195.01' }], [30, { last: '195' }]], ['r@30 -2.5000']],
  ['takes a hysteresis in percent', { type: 'percent', within: '1h', above: '5', hysteresis: '1' }, [
    [0, { last: '100' }], [1, { last: '105' }], [2, { last: '104' }], [3, { last: '105' }], [4, { last: '103.99' }], [5, { last: '105' }]
  ], ['r@1 5.0000', 'r@5 5.0000']],
  ['passes over a price of zero', { type: 'percent', within: '1m', above: '5' }, [[0, { last: '0' }], [1, { last: '100' }], [2, { last: '105' }]], ['r@2 5.0000']]
]
for (const [title, rule, steps, expected, channel] of table) {
  test(title, async t => {
    t.equal(alertRuleFault(ruleOf(rule)), undefined)
    t.same(alertsOf([ruleOf(rule)], steps, channel), expected)
  })
}

test('passes over messages from before the rule', async t => {
  t.same(alertsOf([ruleOf({ above: '10' }, 'r', 1, START + 2000)], lasts('9', '10', '11', '9', '10')), ['r@4 10'])
})

test('goes on where the journal has it, unless it was changed', async t => {
  const rule = ruleOf({ above: '10' }, 'r', 2)
  t.same(alertsOf([rule], lasts('11'), 'quotes', { r: [2, 1, 0, 7] }), ['r@0 11'], 'it was armed')
  t.same(alertsOf([rule], lasts('11', '9', '11'), 'quotes', { r: [2, 0, 0, 7] }), ['r@2 11'], 'it was waiting')
  t.same(alertsOf([rule], lasts('11', '9', '11'), 'quotes', { r: [1, 1, 0, 7] }), ['r@2 11'], 'it was another rule')
  t.same(alertsOf([rule], lasts('9', '11', '9', '9', '11'), 'quotes', { r: [2, 0, START + 3000, 7] }), ['r@4 11'], 'it was resting')
  const book = new AlertBook()
  book.learn('u', [rule], { r: [1, 0, 0, 7] })
  book.observe(inputOf([0, { last: '9' }], 'quotes'))
  t.equal(book.observe(inputOf([1, { last: '10' }], 'quotes'))!.alerted[0]!.watch.alerts, 8, 'alerts are counted on')
})

test('begins no later than the message that has the rule, whatever the clock of its server says', async t => {
  const book = new AlertBook()
  book.learn('u', [ruleOf({ above: '10' }, 'r', 1, START + 60_000)], {}, START)
  for (const last of ['9', '10']) book.observe(inputOf([1, { last }], 'quotes'))
  t.match(book.observe(inputOf([3, { last: '9' }], 'quotes')), { changed: [{ status: 'armed', alerts: 1 }] })
})

test('keeps the window of a rule that is changed', async t => {
  const book = new AlertBook()
  const rule = (above: string, version: number): AlertRule => ruleOf({ type: 'percent', within: '1m', above }, 'r', version)
  t.equal(book.learn('u', [rule('5', 1)], {}).pasts.length, 1)
  book.observe(inputOf([0, { last: '100' }], 'quotes'))
  t.same(book.learn('u', [rule('6', 2)], {}).pasts, [])
  book.observe(inputOf([1, { last: '101' }], 'quotes'))
  t.equal(book.observe(inputOf([2, { last: '106' }], 'quotes'))!.alerted[0]!.value, '6.0000')
})

test('forgets rules that are removed, and keeps the others as they are', async t => {
  const book = new AlertBook()
  const [one, two] = [ruleOf({ above: '10' }, 'one'), ruleOf({ above: '10' }, 'two')]
  book.learn('u', [one, two], {})
  book.learn('v', [ruleOf({ symbol: 'B', below: '1' }, 'three')], {})
  book.observe(inputOf([0, { last: '9' }], 'quotes'))
  t.same(book.learn('u', [two], {}).gone, ['one'])
  t.ok(book.concerns('quotes:A'))
  t.same(book.observe(inputOf([1, { last: '10' }], 'quotes'))!.alerted.map(({ watch }) => watch.rule.rule_id), ['two'])
  t.same([...book.ids()].sort(), ['three', 'two'])
  t.same(book.learn('u', [], {}).gone, ['two'])
  t.notOk(book.concerns('quotes:A'))
  t.ok(book.concerns('quotes:B'))
  t.equal(book.observe(inputOf([2, { last: '12' }], 'quotes')), undefined)
})

test('recalls the past of a window before a rule begins', async t => {
  const book = new AlertBook()
  const { pasts } = book.learn('u', [ruleOf({ type: 'percent', within: '1m', above: '5' }, 'one')], {})
  t.match(pasts, [{ topic: 'quotes:A', lengthMs: 60_000 }])
  for (const step of [[0, { last: '100' }], [10, { last: '102' }]] as Step[]) pasts[0]!.recall(inputOf(step, 'quotes'))
  t.equal(book.observe(inputOf([20, { last: '104' }], 'quotes'))!.alerted.length, 0)
  t.equal(book.observe(inputOf([30, { last: '105' }], 'quotes'))!.alerted.length, 1)
  const another = [ruleOf({ type: 'percent', within: '1m', above: '5' }, 'one'), ruleOf({ type: 'percent', within: '1m', above: '6' }, 'two')]
  t.same(book.learn('u', another, {}).pasts, [], 'the window is there already')
})

// ---- properties

const decimal = fc.record({ digits: fc.integer({ min: 0, max: 400 }), zeros: fc.nat(2) })
  .map(({ digits, zeros }) => `${Math.floor(digits / 10)}.${digits % 10}${'0'.repeat(zeros)}`)
const value = decimal

/** The rules of price as a reader would write them down, one by one. */
function naive (rule: AlertRule, steps: readonly Step[]): string[] {
  const alerts: string[] = []
  const sign = rule.above === undefined ? -1 : 1
  const level = rule.above ?? rule.below!
  const rearm = sign > 0 ? subtract(level, rule.hysteresis ?? '0') : add(level, rule.hysteresis ?? '0')
  let armed: boolean | undefined
  let restsUntil = 0
  for (const [seconds, data] of steps) {
    const { last } = data as { last: string }
    if (rule.expires_at !== undefined && START + seconds * 1000 >= Date.parse(rule.expires_at)) break
    const reached = compareDecimals(last, level) * sign >= 0
    if (armed === undefined) {
      armed = !reached
      continue
    }
    if (!armed && seconds >= restsUntil && compareDecimals(last, rearm) * sign < 0) armed = true
    if (!armed || !reached) continue
    alerts.push(`${rule.rule_id}@${seconds} ${last}`)
    armed = false
    restsUntil = seconds + Math.max(rule.cooldown_seconds ?? 0, 1)
  }
  return alerts
}

function same (found: readonly string[], expected: readonly string[]): void {
  const [is, should] = [JSON.stringify(found), JSON.stringify(expected)]
  if (is !== should) throw new Error(`${is} in place of ${should}`)
}

const anyRule = fc.record({
  isAbove: fc.boolean(),
  level: value,
  hysteresis: fc.option(decimal.map(text => subtract(text, '0')), { nil: undefined }),
  cooldown: fc.option(fc.nat(10), { nil: undefined }),
  end: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined })
})

/** Pauses in seconds, and prices. */
const anyWalk = fc.array(fc.tuple(fc.nat(3), value), { minLength: 2, maxLength: 60 })

test('many rules together do what each of them does by itself', async t => {
  const many = fc.tuple(fc.array(anyRule, { minLength: 1, maxLength: 30 }), anyWalk)
  fc.assert(fc.property(many, ([specs, walk]) => {
    const rules = specs.map(({ isAbove, level, hysteresis, cooldown, end }, index) => ruleOf({
      ...isAbove ? { above: level } : { below: level },
      ...hysteresis === undefined ? {} : { hysteresis },
      ...cooldown === undefined ? {} : { cooldown_seconds: cooldown },
      ...end === undefined ? {} : { expires_at: new Date(START + end * 1000).toISOString() }
    }, `r${index}`))
    let seconds = 0
    const steps = walk.map(([pause, last]): Step => {
      seconds += pause
      return [seconds, { last }]
    })
    const expected = rules.flatMap(rule => naive(rule, steps)).sort()
    const found = alertsOf(rules, steps).sort()
    same(found, expected)
  }), { numRuns: RUNS })
  t.pass(`${RUNS} runs`)
})

test('a takeover at any message changes no alert', async t => {
  const many = fc.tuple(fc.array(anyRule, { minLength: 1, maxLength: 10 }), anyWalk, fc.nat())
  fc.assert(fc.property(many, ([specs, walk, cut]) => {
    const rules = specs.map(({ isAbove, level, hysteresis = '0', cooldown = 0 }, index) => ruleOf({
      ...isAbove ? { above: level } : { below: level }, hysteresis, cooldown_seconds: cooldown
    }, `r${index}`))
    let seconds = 0
    const steps = walk.map(([pause, last]): Step => {
      seconds += pause
      return [seconds, { last }]
    })
    const at = cut % steps.length
    const kept: Record<string, Kept> = {}
    const first = new AlertBook()
    first.learn('u', rules, {})
    const before = steps.slice(0, at).flatMap(step => {
      const outcome = first.observe(inputOf(step, 'quotes'))
      for (const { rule, kept: now } of outcome?.changed ?? []) kept[rule.rule_id] = now
      return (outcome?.alerted ?? []).map(({ watch, value }) => `${watch.rule.rule_id}@${step[0]} ${value}`)
    })
    const after = alertsOf(rules, steps.slice(at), 'quotes', kept)
    const whole = alertsOf(rules, steps)
    same([...before, ...after].sort(), whole.sort())
  }), { numRuns: RUNS })
  t.pass(`${RUNS} runs`)
})

test('levels give out first what is reached first', async t => {
  fc.assert(fc.property(fc.array(fc.tuple(value, fc.boolean())), fc.boolean(), (all, rising) => {
    const levels = new Levels<object>(rising)
    const left = all.map(([level, stays]) => ({ level, stays }))
    for (const item of left) levels.add(item.level, item)
    for (const item of left) if (!item.stays) levels.remove(item.level, item)
    const expected = left.filter(({ stays }) => stays).map(({ level }) => level)
      .sort((a, b) => compareDecimals(a, b) * (rising ? 1 : -1))
    if (levels.size !== expected.length) throw new Error(`${levels.size} are left of ${expected.length}`)
    for (const level of expected) {
      if (compareDecimals(levels.nextLevel!, level) !== 0) throw new Error(`${levels.nextLevel} came before ${level}`)
      levels.takeNext()
    }
  }), { numRuns: RUNS })
  t.pass(`${RUNS} runs`)
})

test('adds and subtracts exactly', async t => {
  for (const [a, b, difference] of [
    ['1', '0.1', '0.9'], ['0', '0.05', '-0.05'], ['-1.5', '1.50', '-3.00'], ['100000000000000000000000.1', '0.1', '100000000000000000000000.0']
  ] as const) {
    t.equal(subtract(a, b), difference)
    t.equal(compareDecimals(add(difference, b), a), 0)
    t.equal(compareDecimals(add(a, `-${b}`.replace('--', '')), difference), 0)
  }
  t.equal(decimalOf(parseAmount('-0.05')), '-0.05')
})

test('counts a leap second as the start of the next', async t => {
  t.equal(instantMs('2016-12-31T23:59:60.9Z'), Date.UTC(2017, 0, 1))
  t.equal(instantMs('2017-01-01T08:59:60+09:00'), Date.UTC(2017, 0, 1))
  t.equal(instantMs('2017-01-01T09:00:00.5+09:00'), Date.UTC(2017, 0, 1) + 500)
})

test('says what does not go together in a rule', async t => {
  for (const [rule, fault] of [
    [{ above: '1', below: '2' }, /either 'above' or 'below'/], [{}, /either/],
    [{ above: '1', within: '1m' }, /a price rule has no 'within'/], [{ type: 'volume', of: 'bid', above: '1' }, /no 'of'/],
    [{ type: 'percent', above: '1' }, /needs 'within'/], [{ type: 'close', above: '1' }, /needs 'interval'/],
    [{ type: 'percent', within: '1m', above: '0' }, /over 0/], [{ type: 'percent', within: '1m', below: '1' }, /under 0/],
    [{ above: '1', hysteresis: '-1' }, /below 0/]
  ] as Array<[Partial<NewAlertRule>, RegExp]>) t.match(alertRuleFault(ruleOf(rule)), fault)
})
