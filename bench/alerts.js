/**
 * What it costs to evaluate alert rules: CPU time for each quote, with many rules over many symbols.
 *
 *   npm run bench -- alerts [--rules 100000] [--symbols 1000] [--quotes 50000] [--rounds 5] [--batch 100]
 *
 * Each symbol walks at random, by up to 0.02 % a quote, and its spread by a hundredth; the levels of its
 * rules lie within 5 % of its price.
 * Six of ten rules watch a price, two a percentage within some time, one the volume, one the spread. Rows add
 * one stage after another. Figures are CPU time of a process that does nothing else.
 */
import { alertRules, standardChannels, topicKey } from '@tickwire/protocol'
import { MemoryLog } from '../dist/src/log/memory/memory-log.js'
import { alertJournal, alertProcessor } from '../dist/src/processors/alerts/alert-processor.js'
import { JournalRunner } from '../dist/src/processors/journal-runner.js'
import { inputOf } from '../dist/src/processors/shard-inputs.js'
import { Publisher } from '../dist/src/publisher/publisher.js'
import { options, percentile, reportTable } from './report.js'

const settings = options({ rules: 100_000, symbols: 1000, quotes: 50_000, rounds: 5, batch: 100 })
const { rules, symbols, quotes, rounds, batch } = settings
const RULES_OF_A_USER = 200
const RETENTION = { messages: 10_000, seconds: 3600, bytes: 256 * 2 ** 20 }
const channels = new Map([...standardChannels, [alertJournal.name, alertJournal]])

let seed = 7
/** A generator of whole numbers below a bound, the same in each run. */
const below = (/** @type {number} */ bound) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
  return Math.floor(seed / 2 ** 32 * bound)
}
const nameOf = (/** @type {number} */ symbol) => `S${symbol}`
const money = (/** @type {number} */ cents) =>
  `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`

/** In hundredths. */
const prices = Array.from({ length: symbols }, () => 100_000 + below(900_000))
const volumes = Array.from({ length: symbols }, () => 0)
const spreads = Array.from({ length: symbols }, () => 20)
const CREATED = '2026-01-01T00:00:00.000Z'

/** @param {number} number */
function makeRule (number) {
  const symbol = number % symbols
  const near = Math.round(prices[symbol] * (0.95 + below(1000) / 10_000))
  const side = below(2) === 0 ? 'above' : 'below'
  const kind = below(10)
  const own = kind < 6
    ? { type: 'price', of: ['last', 'bid', 'ask'][kind % 3], [side]: money(near) }
    : kind < 8
      ? {
          type: 'percent',
          within: ['1m', '5m', '15m', '1h'][below(4)],
          [side]: `${side === 'above' ? '' : '-'}0.${1 + below(9)}`
        }
      : kind === 8
        ? { type: 'volume', above: String(1000 * (1 + below(1000))) }
        : { type: 'spread', above: money(1 + below(100)) }
  const times = { version: 1, created_at: CREATED, updated_at: CREATED }
  return { rule_id: `r${number}`, symbol: nameOf(symbol), ...own, ...times }
}

/** The rules of each user, as the log has them. */
const users = Array.from({ length: Math.ceil(rules / RULES_OF_A_USER) }, (_, user) => ({
  topic: topicKey({ channel: alertRules.name, user: `u${user}` }),
  rules: Array.from({ length: Math.min(RULES_OF_A_USER, rules - user * RULES_OF_A_USER) }, (_, number) =>
    makeRule(user * RULES_OF_A_USER + number))
}))

function nextQuote () {
  const symbol = below(symbols)
  const price = prices[symbol] += Math.round(prices[symbol] * (below(1001) - 500) / 2_500_000)
  volumes[symbol] += below(100)
  const spread = spreads[symbol] = Math.min(40, Math.max(1, spreads[symbol] + below(3) - 1))
  return {
    symbol: nameOf(symbol),
    last: money(price),
    bid: money(price - spread),
    ask: money(price + spread),
    bid_size: String(below(1000)),
    ask_size: String(below(1000)),
    volume: String(volumes[symbol])
  }
}

let time = Date.parse(CREATED)
const entryOf = (/** @type {ReturnType<typeof nextQuote>} */ data) => ({
  topic: `quotes:${data.symbol}`,
  shard: 0,
  offset: 1,
  sequence: 1,
  previous: 0,
  timestamp: ++time,
  payload: JSON.stringify(data),
  replaces: false
})

const cpu = () => {
  const { user, system } = process.cpuUsage()
  return user + system
}
/** @type {Array<[stage: string, figures: number[], alerts: number]>} */
const rows = []

// ---- the rules by themselves
const processor = alertProcessor(channels)
const state = processor.initial()
const memory = /** @type {NonNullable<typeof processor.rules>} */ (processor.rules).begin(state)
for (const [user, { rules }] of users.entries()) memory.learn(`u${user}`, { rules }, Date.now())
memory.learned()
let alerts = 0
const HEAD = { epoch: 1, offset: 0, epochs: [{ epoch: 1, start: 1 }] }
const evaluate = (/** @type {ReturnType<typeof entryOf>} */ entry) => {
  if (!memory.concerns(entry.topic)) return
  const decision = processor.decide(state, inputOf(entry, false, HEAD))
  if (decision === undefined) return
  processor.apply(state, decision)
  alerts += processor.project(decision).length
}
// Each rule sees a first value, which is no part of what is measured.
for (let count = 0; count < 10 * symbols; count++) evaluate(entryOf(nextQuote()))

for (const [stage, work] of /** @type {Array<[string, (entry: ReturnType<typeof entryOf>) => unknown]>} */ ([
  ['read the quote', entry => inputOf(entry, false, HEAD)],
  ['and evaluate the rules', evaluate]
])) {
  /** @type {number[]} */
  const figures = []
  alerts = 0
  for (let round = 0; round < rounds; round++) {
    const entries = Array.from({ length: quotes }, () => entryOf(nextQuote()))
    const before = cpu()
    for (const entry of entries) work(entry)
    figures.push((cpu() - before) / quotes)
  }
  rows.push([stage, figures, alerts])
}

// ---- with the log, the journal and the alerts
for (const runs of [false, true]) {
  const log = new MemoryLog({ channels, retention: RETENTION, maxTopics: 1_000_000 })
  const publisher = new Publisher({ log, channels })
  await publisher.publishOwn(users.map(({ topic, rules }) =>
    ({ channel: alertRules.name, user: topic.slice(topic.indexOf('@') + 1), data: { rules } })))
  const ending = new AbortController()
  let published = 0
  const run = runs
    ? new JournalRunner(alertProcessor(channels), log).run({
      signal: ending.signal,
      publish: async (messages, options) => {
        const results = await publisher.publishOwn(messages, options)
        published += messages.filter(({ channel }) => channel === 'alerts').length
        return results.map(result => 'sequence' in result ? result : undefined)
      }
    })
    : Promise.resolve()
  /** @type {number[]} */
  const figures = []
  const publish = async (/** @type {number} */ count) => {
    for (let made = 0; made < count; made += batch) {
      await publisher.publishOwn(Array.from({ length: batch }, () => {
        const data = nextQuote()
        return { channel: 'quotes', symbol: data.symbol, data }
      }))
      await new Promise(resolve => { setImmediate(resolve) })
    }
    // Until the processor has nothing more to do.
    for (let turn = 0; turn < 100; turn++) await new Promise(resolve => { setImmediate(resolve) })
  }
  await publish(10 * symbols)
  published = 0
  for (let round = 0; round < rounds; round++) {
    const before = cpu()
    await publish(quotes)
    figures.push((cpu() - before) / quotes)
  }
  ending.abort()
  await run
  await log.close()
  const stage = runs ? 'publish, evaluate, journal and publish alerts' : 'publish the quote'
  rows.push([stage, figures, published])
}

reportTable('alerts', settings, rows.map(([stage, figures, alerts]) => ({
  stage,
  'µs/quote, best': Math.min(...figures).toFixed(2),
  'µs/quote, median': percentile(figures, 50).toFixed(2),
  'alerts/1000 quotes': (1000 * alerts / quotes / rounds).toFixed(1)
})))
