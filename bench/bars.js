/**
 * What a trade costs on its way into bars: in the core alone, for one, two and three intervals, as trades
 * come in order, late, and corrected; and in the whole processor, from the payload in the log to the messages
 * about bars.
 *
 * npm run bench -- bars [--symbols 100] [--rate 50] [--trades 200000] [--rounds 3]
 *
 * `rate` is the number of trades of each symbol in a second. Figures are medians of the rounds. The lines
 * below the table say what bars keep in memory, and what they add to the log (docs/deployment/sizing.md).
 */
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { standardChannels } from '@tickwire/protocol'
import { ENTRY_OVERHEAD_BYTES } from '../dist/src/log/memory/drop-order.js'
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

setFlagsFromString('--expose-gc')
/** @type {() => void} */
const collect = runInNewContext('gc')
const heap = () => {
  collect()
  return process.memoryUsage().heapUsed
}
/** @typedef {import('@tickwire/protocol').BarInterval} Interval */
/** @type {Interval[]} */
const ALL = ['1s', '1m', '5m']
const fresh = () => new TopicBars('S', ALL, 1, { used: 0, most: Infinity })
/** @param {number} ms @param {number} id @returns {import('@tickwire/protocol').Trade} */
const tradeAt = (ms, id) => JSON.parse(JSON.stringify({
  symbol: 'S0',
  price: '97000.00',
  size: '0.12',
  timestamp: new Date(ms).toISOString(),
  exchange: 'X',
  side: 'buy',
  trade_id: String(1e9 + id)
}))

/** Returns bytes of heap for each of many trades of ten minutes, all of which are kept. */
function bytesOfTrade () {
  const before = heap()
  const topics = Array.from({ length: 40 }, fresh)
  for (let index = 0; index < count; index++) {
    const ms = START + Math.floor(index * 600_000 / count)
    topics[index % topics.length]?.apply({ data: tradeAt(ms, index), sequence: index + 1, timestamp: ms })
  }
  const bytes = (heap() - before) / count
  return topics.length > 0 ? Math.round(bytes) : 0
}

/** Returns bytes of heap for each topic that had a trade long ago. */
function bytesOfTopic () {
  const before = heap()
  const topics = Array.from({ length: 10_000 }, fresh)
  for (const topic of topics) {
    topic.apply({ data: tradeAt(START, 0), sequence: 1, timestamp: START })
    for (const later of [1e6, 1e8, 2e8]) topic.due(START + later)
  }
  const bytes = (heap() - before) / topics.length
  return Math.round(bytes)
}

/** Returns what bars of all intervals add to the log in a minute. @param {number} perSecond trades */
function added (perSecond) {
  const topic = fresh()
  const sum = { trades: 0, messages: 0, bars: 0 }
  for (let ms = 0, id = 0; ms < 60_000; ms += 50) {
    if (ms % (1000 / perSecond) === 0) {
      const data = tradeAt(START + ms, id++)
      sum.trades += JSON.stringify(data).length + ENTRY_OVERHEAD_BYTES
      topic.apply({ data, sequence: id, timestamp: START + ms })
    }
    for (const bar of topic.due(START + ms).bars) {
      sum.messages++
      sum.bars += JSON.stringify(bar).length + ENTRY_OVERHEAD_BYTES
    }
  }
  const [trades, bars] = [sum.trades, sum.bars].map(bytes => (bytes / 60_000).toFixed(2))
  return `${perSecond} trades a second of a symbol: ${trades} KB/s; ` +
    `${(sum.messages / 60).toFixed(1)} messages about bars, ${bars} KB/s`
}

reportTable('bars', settings, rows, [
  `${bytesOfTrade()} bytes of memory a kept trade, ${bytesOfTopic()} bytes a topic without trades`,
  ...[1, 5, 20].map(added)
])
process.exit()
