/**
 * What a trade costs on its way into bars: in the core alone, for one, two and three intervals, as trades
 * come in order, late, and corrected; and in the whole processor, from the payload in the log to the messages
 * about bars.
 *
 * npm run bench -- bars [--symbols 100] [--rate 50] [--trades 200000] [--rounds 3]
 *
 * `rate` is the number of trades of each symbol in a second. Figures are medians of the rounds.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { standardChannels } from '@tickwire/protocol'
import { MemoryLog } from '../dist/src/log/memory/memory-log.js'
import { barsProcessor } from '../dist/src/processors/bars/bars.js'
import { TopicBars } from '../dist/src/processors/bars/topic-bars.js'
import { ViewRunner } from '../dist/src/processors/view-runner.js'
import { Publisher } from '../dist/src/publisher/publisher.js'
import { options, percentile, reportTable } from './report.js'

const settings = options({ symbols: 100, rate: 50, trades: 200_000, rounds: 3 })
const { symbols, rate, trades: count, rounds } = settings
const START = Date.parse('2026-02-07T14:30:00Z')
/** Trades between two looks at what is due. */
const BATCH = 100
const RETENTION = { messages: 10_000, seconds: 3600, bytes: 2 ** 28 }

let state = 1
function random () {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return state / 2 ** 32
}

/** @typedef {{ data: import('@tickwire/protocol').Trade, now: number }} Made */

/**
 * @param {number} late share of trades that come up to a minute late
 * @param {number} corrected share of trades that correct one of the hundred before
 * @returns {Made[]}
 */
function make (late, corrected) {
  return Array.from({ length: count }, (_, index) => {
    const now = START + Math.floor(index * 1000 / rate / symbols)
    const at = now - (random() < late ? Math.floor(random() * 60_000) : 0)
    const own = Math.floor(index / symbols)
    const corrects = random() < corrected && own > 100
      ? { corrects: String(own - 1 - Math.floor(random() * 100)) }
      : {}
    const data = {
      symbol: `S${index % symbols}`,
      price: (97_000 + random() * 100).toFixed(2),
      size: random().toFixed(8),
      timestamp: `${new Date(at).toISOString().slice(0, -1)}${String(index % 1000).padStart(3, '0')}Z`,
      trade_id: String(own),
      ...corrects
    }
    return { data, now }
  })
}

/**
 * @param {() => Promise<number> | number} run
 * @returns {Promise<[number, number]>} µs and messages a trade
 */
async function measure (run) {
  const figures = []
  let messages = 0
  for (let round = 0; round <= rounds; round++) {
    const before = process.cpuUsage()
    messages = await run()
    const { user, system } = process.cpuUsage(before)
    if (round > 0) figures.push((user + system) / count)
  }
  return [percentile(figures, 50), messages / count]
}

/** @param {Made[]} made @param {import('@tickwire/protocol').BarInterval[]} intervals */
function core (made, intervals) {
  const budget = { used: 0, most: Infinity }
  const topics = Array.from({ length: symbols }, (_, index) => (
    new TopicBars(`S${index}`, intervals, 1, budget)))
  let messages = 0
  for (let index = 0; index < count; index++) {
    const { data, now } = /** @type {Made} */ (made[index])
    topics[index % symbols]?.apply({ data, sequence: Math.floor(index / symbols) + 1, timestamp: now })
    if (index % BATCH === BATCH - 1) for (const topic of topics) messages += topic.due(now).bars.length
  }
  return messages
}

/** Publishes all, with or without bars. @param {Made[]} made @param {boolean} hasBars */
async function whole (made, hasBars) {
  let now = START
  const clock = { now: () => now, randomEpoch: () => 1 }
  const log = new MemoryLog({ channels: standardChannels, retention: RETENTION, maxTopics: 10_000, clock })
  const publisher = new Publisher({ log, channels: standardChannels })
  const stopping = new AbortController()
  let messages = 0
  const running = hasBars
    ? new ViewRunner(barsProcessor(['1s', '1m', '5m']), log, 0, { now: () => now }).run({
      signal: stopping.signal,
      async publish (batch, run) {
        messages += batch.length
        const results = await publisher.publishOwn(batch, run)
        return results.map(result => 'sequence' in result ? result : undefined)
      }
    })
    : Promise.resolve()
  for (let from = 0; from < count; from += BATCH) {
    const batch = made.slice(from, from + BATCH)
    now = batch[0]?.now ?? now
    await publisher.publishOwn(batch.map(({ data }) => ({ channel: 'trades', symbol: data.symbol, data })))
    // One turn of the loop, so that the processor keeps up.
    await new Promise(resolve => { setImmediate(resolve) })
  }
  await delay(20)
  stopping.abort()
  await running
  await log.close()
  return messages
}

const rows = []
/** @param {string} what @param {() => Promise<number> | number} run */
async function row (what, run) {
  const [cost, messages] = await measure(run)
  rows.push({ what, 'µs/trade': Number(cost.toFixed(2)), 'messages/trade': Number(messages.toFixed(3)) })
}
const inOrder = make(0, 0)
await row('core, 1m', () => core(inOrder, ['1m']))
await row('core, 1s 1m', () => core(inOrder, ['1s', '1m']))
await row('core, 1s 1m 5m', () => core(inOrder, ['1s', '1m', '5m']))
const late = make(0.05, 0)
await row('the same, 5 % late', () => core(late, ['1s', '1m', '5m']))
const corrected = make(0.05, 0.02)
await row('the same, 2 % corrections', () => core(corrected, ['1s', '1m', '5m']))
await row('publish without bars', () => whole(inOrder, false))
await row('publish with bars', () => whole(inOrder, true))
reportTable('bars', settings, rows)
process.exit()
