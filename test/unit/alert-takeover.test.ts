import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { type AlertRule, alertRules, compareDecimals, standardChannels } from '@tickwire/protocol'
import { test } from 'tap'
import { alertJournal, alertProcessor } from '../../src/processors/alerts/alert-processor.js'
import type { JournalMessage } from '../../src/processors/journal.js'
import type { JournalProcessor } from '../../src/processors/processor.js'
import { Choices } from '../helpers/random.js'
import { keptRules } from '../helpers/alert-journal.js'
import { JournalWorld, LOOK_MS } from '../helpers/journal-world.js'

/**
 * The processor of alerts over a log in memory, while hosts take over from one another, appends are taken
 * only in part, and the log loses its last messages.
 */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 25)
const USERS = ['u', 'v']
const SYMBOLS = ['A', 'B', 'C']
const LEVELS = ['2', '4.5', '7']
const channels = new Map([...standardChannels, [alertJournal.name, alertJournal]])
const CREATED = '2026-01-01T00:00:00Z'

const rulesOf = (user: string): AlertRule[] => SYMBOLS.flatMap(symbol => LEVELS.flatMap(level => (['above', 'below'] as const).map(side => ({
  rule_id: `${user}${symbol}${side}${level}`, type: 'price' as const, symbol, [side]: level, version: 1, created_at: CREATED, updated_at: CREATED
}))))

class World extends JournalWorld {
  constructor (
    random: Choices, shards: number,
    protected readonly processor: JournalProcessor = alertProcessor(channels) as JournalProcessor
  ) {
    super({ channels, shards, random, failures: 0.2, start: Date.parse(CREATED) })
  }

  /** @param afterMs how much later than all before it; by default no rule rests any more */
  async quote (symbol: string, last: string, afterMs?: number): Promise<void> {
    await this.quotesAfter(afterMs, [symbol, { last }])
  }

  /** Publishes quotes in one append, when no rule rests. */
  async quotes (...quotes: ReadonlyArray<readonly [symbol: string, quote: object]>): Promise<void> {
    await this.quotesAfter(1000, ...quotes)
  }

  private async quotesAfter (
    afterMs = 1000, ...quotes: ReadonlyArray<readonly [symbol: string, quote: object]>
  ): Promise<void> {
    this.now += afterMs
    await this.publisher.publishOwn(quotes.map(([symbol, quote]) => (
      { channel: 'quotes', symbol, data: { symbol, ...quote } })))
  }
}

type Alerted = Record<'alert_id' | 'rule_id' | 'value', string>
interface Decision { readonly alerted: ReadonlyArray<{ readonly user: string, readonly alert: Alerted }> }

/** What the alerts of a user must be, by a plain reading of all quotes. */
async function expectedOf (world: World, user: string): Promise<string[]> {
  const expected: string[] = []
  for (const symbol of SYMBOLS) {
    const { entries } = await world.log.read(`quotes:${symbol}`, { sequence: 0 }, 1_000_000)
    const values = entries.map(({ payload }) => (JSON.parse(payload) as { last: string }).last)
    for (const rule of rulesOf(user)) {
      if (rule.symbol !== symbol) continue
      const [level, sign] = [rule.above ?? rule.below!, rule.above === undefined ? -1 : 1]
      const isOver = values.map(value => compareDecimals(value, level) * sign >= 0)
      let [count, restsUntil, isArmed] = [0, 0, isOver[0] === false]
      for (const [at, { timestamp }] of entries.entries()) {
        if (!isOver[at]! && timestamp >= restsUntil) isArmed = true
        if (!isOver[at]! || !isArmed) continue
        expected.push(`${rule.rule_id}.${++count}.${timestamp.toString(36)} ${values[at]}`)
        isArmed = false
        restsUntil = timestamp + 1000
      }
    }
  }
  return expected.sort()
}

async function alertsOf (world: World, user: string): Promise<string[]> {
  return (await world.read<Alerted>(`alerts@${user}`)).map(({ alert_id: id, value }) => `${id} ${value}`).sort()
}

/** Waits until something is as it should be, and returns what is wrong if that does not come about. */
async function settled (faults: () => Promise<string | undefined>): Promise<string | undefined> {
  let fault = await faults()
  for (const deadline = Date.now() + 20_000; fault !== undefined && Date.now() < deadline;) {
    await delay(LOOK_MS)
    fault = await faults()
  }
  return fault
}

async function begin (world: World): Promise<void> {
  for (const user of USERS) {
    const data = { rules: rulesOf(user) }
    await world.publisher.publishOwn([{ channel: alertRules.name, user, data }])
  }
  await world.takeOver(true)
}

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('quote' as const), symbol: fc.constantFrom(...SYMBOLS), tenths: fc.nat(90), afterMs: fc.nat(1500) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('take over' as const), inOrder: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const) }) }
)
const steps = fc.array(step, { minLength: 5, maxLength: 60 })
const seed = Number(process.env['SEED'] ?? 11)

for (const shards of [1, 3]) {
  test(`${shards} shards: alerts once for each crossing, whoever judges (SEED=${seed})`, async t => {
    await fc.assert(fc.asyncProperty(steps, async list => {
      const world = new World(new Choices(list.length), shards)
      await begin(world)
      try {
        for (const one of list) {
          if (one.do === 'quote') await world.quote(one.symbol, `${Math.floor(one.tenths / 10)}.${one.tenths % 10}`, one.afterMs)
          else if (one.do === 'wait') await delay(LOOK_MS)
          else await world.takeOver(one.inOrder)
        }
        for (const user of USERS) {
          const fault = await settled(async () => {
            const expected = JSON.stringify(await expectedOf(world, user))
            const found = JSON.stringify(await alertsOf(world, user))
            return expected === found ? undefined : `${user} has ${found} in place of ${expected}`
          })
          if (fault !== undefined) throw new Error(fault)
        }
      } finally {
        await world.end()
      }
    }), { numRuns: RUNS, seed, endOnFailure: true })
    t.pass(`${RUNS} runs`)
  })
}

test(`sends every alert of the journal, whatever the log loses (SEED=${seed})`, async t => {
  const losses = fc.array(fc.array(fc.nat(6), { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 3 })
  await fc.assert(fc.asyncProperty(steps, losses, async (list, lost) => {
    const world = new World(new Choices(list.length), 3)
    await begin(world)
    try {
      for (const some of lost) {
        for (const one of list) {
          if (one.do === 'quote') await world.quote(one.symbol, `${Math.floor(one.tenths / 10)}.${one.tenths % 10}`, one.afterMs)
          else await delay(LOOK_MS)
        }
        const heads = await world.log.head()
        world.log.restart(heads.map(({ offset }, shard) => Math.max(0, offset - some[shard]!)))
      }
      const fault = await settled(async () => {
        const journal = await world.read<JournalMessage<Decision>>(alertJournal.name)
        const told = new Map<string, Set<string>>()
        for (const user of USERS) told.set(user, new Set(await alertsOf(world, user)))
        const missing = journal.flatMap(({ decision }) => decision?.alerted ?? [])
          .filter(({ user, alert }) => told.get(user)?.has(`${alert.alert_id} ${alert.value}`) !== true)
        return missing.length === 0 ? undefined : `missing: ${JSON.stringify(missing)}`
      })
      if (fault !== undefined) throw new Error(fault)
    } finally {
      await world.end()
    }
  }), { numRuns: RUNS, seed, endOnFailure: true })
  t.pass(`${RUNS} runs`)
})

/** The alerts of a user without their times. */
const idsOf = async (world: World): Promise<string> =>
  (await alertsOf(world, 'u')).map(text => text.replace(/\.[^. ]+ /, ' ')).join()

test('recalls windows that a rule needs, whenever it is made', async t => {
  const world = new World(new Choices(1), 3)
  t.teardown(() => world.end())
  for (const last of ['100', '102']) await world.quote('A', last)
  await world.takeOver(true)
  const rule = { rule_id: 'p', type: 'percent', symbol: 'A', within: '1h', version: 1, created_at: CREATED, updated_at: CREATED }
  const says = async (above: string, version: number): Promise<void> => {
    await world.publisher.publishOwn([{ channel: alertRules.name, user: 'u', data: { rules: [{ ...rule, above, version }] } }])
  }
  const begun = async (version: number): Promise<void> => {
    const fault = await settled(async () => {
      await world.quote('A', '103')
      const kept = (await keptRules(world.log))['p']
      return kept?.[0] === version ? undefined : JSON.stringify(kept)
    })
    if (fault !== undefined) throw new Error(fault)
  }
  await says('5', 1)
  await begun(1)
  await world.takeOver(true)
  await world.quote('A', '105')
  t.equal(await settled(async () => await idsOf(world) === 'p.1 5.0000' ? undefined : await idsOf(world)), undefined)
  await says('6', 2)
  await begun(2)
  await world.quote('A', '106')
  t.equal(await settled(async () => await idsOf(world) === 'p.1 5.0000,p.2 6.0000' ? undefined : await idsOf(world)), undefined)
})

/** Says a rule of the user `u` for each symbol, and waits until it is armed. */
async function arm (world: World, rules: readonly AlertRule[], quote: object): Promise<void> {
  await world.publisher.publishOwn([{ channel: alertRules.name, user: 'u', data: { rules } }])
  await world.takeOver(true)
  await world.quotes(...rules.map(({ symbol }) => [symbol, quote] as const))
  const fault = await settled(async () => {
    const kept = await keptRules(world.log)
    return Object.keys(kept).length === rules.length ? undefined : `armed: ${Object.keys(kept).join()}`
  })
  if (fault !== undefined) throw new Error(fault)
}

const valuesOf = async (world: World): Promise<string> =>
  (await world.read<Partial<Alerted>>('alerts@u')).map(({ rule_id: id, value }) => `${id} ${value}`).join()

test('alerts of a value that is longer than a decimal may be', async t => {
  const world = new World(new Choices(1), 1)
  t.teardown(() => world.end())
  await arm(world, [
    { rule_id: 's', type: 'spread', symbol: 'A', above: '1', version: 1, created_at: CREATED, updated_at: CREATED },
    { rule_id: 'p', type: 'price', symbol: 'B', above: '1', version: 1, created_at: CREATED, updated_at: CREATED }
  ], { bid: '0.1', ask: '0.2', last: '0' })
  await world.quotes(['A', { bid: `0.${'0'.repeat(61)}1`, ask: '1000' }], ['B', { last: '2' }])
  t.equal(await settled(async () => {
    const found = await valuesOf(world)
    return found === 's undefined,p 2' ? undefined : found
  }), undefined)
  const [{ message } = { message: '' }] = await world.read<{ message: string }>('alerts@u')
  t.equal(message, `A: spread 999.${'9'.repeat(62)}, at or above 1`)
})

test('leaves out a decision that the journal refuses, and makes those around it', async t => {
  const whole = alertProcessor(channels)
  const unfit: typeof whole = {
    ...whole,
    decide (state, message) {
      const decision = whole.decide(state, message)
      if (decision === undefined || message.topic.symbol !== 'B') return decision
      return { ...decision, alerted: decision.alerted.map(one => ({ ...one, alert: { ...one.alert, value: 'much' } })) }
    }
  }
  const world = new World(new Choices(1), 1, unfit as JournalProcessor)
  t.teardown(() => world.end())
  await arm(world, SYMBOLS.map(symbol => (
    { rule_id: symbol, type: 'price', symbol, above: '2', version: 1, created_at: CREATED, updated_at: CREATED }
  )), { last: '1' })
  await world.quotes(...SYMBOLS.map(symbol => [symbol, { last: '2' }] as const))
  t.equal(await settled(async () => await valuesOf(world) === 'A 2,C 2' ? undefined : await valuesOf(world)), undefined)
  await world.quotes(['A', { last: '1' }], ['B', { last: '1' }])
  await world.quotes(['A', { last: '3' }], ['B', { last: '3' }])
  t.equal(await settled(async () => await valuesOf(world) === 'A 2,C 2,A 3' ? undefined : await valuesOf(world)), undefined)
  const { entries } = await world.log.read(alertJournal.name, { sequence: 0 }, 1000)
  t.same(entries.map(({ origin }) => origin?.offset), entries.map(({ sequence }) => sequence), 'decisions have the numbers of their messages')
})

test('begins rules anew if the log has forgotten the state of the journal', async t => {
  const world = new World(new Choices(1), 1)
  t.teardown(() => world.end())
  const rule = { type: 'price' as const, above: '2', version: 1, created_at: CREATED, updated_at: CREATED }
  await arm(world, [{ ...rule, rule_id: 'old', symbol: 'A' }], { last: '1' })
  await world.quote('A', '2')
  t.equal(await settled(async () => await valuesOf(world) === 'old 2' ? undefined : await valuesOf(world)), undefined)
  await world.rest()
  const { snapshot } = world.log
  world.log.snapshot = async topic => {
    if (topic !== alertJournal.name) return await snapshot.call(world.log, topic)
    world.log.snapshot = snapshot
    return undefined
  }
  const data = { rules: [{ ...rule, rule_id: 'new', symbol: 'B' }] }
  await world.publisher.publishOwn([{ channel: alertRules.name, user: 'u', data }])
  await world.takeOver(true)
  for (const last of ['1', '2']) await world.quote('B', last)
  t.equal(await settled(async () => await valuesOf(world) === 'old 2,new 2' ? undefined : await valuesOf(world)), undefined)
})
