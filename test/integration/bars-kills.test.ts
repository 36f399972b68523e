import { setTimeout as delay } from 'node:timers/promises'
import { type Bar, BAR_INTERVALS, type BarInterval, standardChannels } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import type { Log } from '../../src/log/log.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { barsProcessor } from '../../src/processors/bars/bars.js'
import { ViewRunner } from '../../src/processors/view-runner.js'
import { type Publication, Publisher } from '../../src/publisher/publisher.js'
import { makeTrades, shuffled } from '../helpers/made-trades.js'
import { deploy, patiently } from '../helpers/node-processes.js'
import { type PlainBar, plainBars, plainPart } from '../helpers/plain-bars.js'
import { Choices } from '../helpers/random.js'
import { redisProgram } from '../helpers/redis-server.js'

/**
 * Trades and corrections in a random order, while the server that makes bars of them is killed again and
 * again. TRADES and KILLS say how many.
 */
const TRADES = Number(process.env['TRADES'] ?? 12_000)
const KILLS = Number(process.env['KILLS'] ?? 5)
const seed = Number(process.env['SEED'] ?? 45)
const SYMBOLS = ['A', 'B', 'C', 'D']
const INTERVALS = Object.keys(BAR_INTERVALS) as BarInterval[]
const LATE_MS = 13 * 60_000
const BATCH = 200
const PATIENCE_MS = 60_000 + TRADES / 10
const RETENTION = { messages: 10 * TRADES, seconds: 36_000, bytes: 2 ** 32 }
/** So that the servers have something to do at the time of each kill. */
const PAUSE_MS = 10

/** Closes all bars before it. */
const CLOSING = '2026-02-08T14:30:00Z'
const closing = (symbol: string): Publication => ({
  channel: 'trades',
  symbol,
  data: { symbol, price: '1', size: '1', timestamp: CLOSING },
  idempotencyKey: 'closing'
})

const made = SYMBOLS.map((symbol, index) => makeTrades(symbol, TRADES / SYMBOLS.length, 30, seed + index))

/** Publishes all trades, and kills `KILLS` times meanwhile. */
async function play (publisher: Publisher, kill: () => Promise<void>): Promise<void> {
  const random = new Choices(seed)
  const trades = made
    .flatMap((ofSymbol, index) => shuffled(ofSymbol, LATE_MS, seed + index))
    .sort((a, b) => a.at - b.at)
  const kills = new Set(Array.from({ length: KILLS }, (_, index) => {
    const every = trades.length / BATCH / KILLS
    return Math.floor(every * index + random.next() * every)
  }))
  for (let batch = 0; batch * BATCH < trades.length; batch++) {
    const items = trades.slice(batch * BATCH, (batch + 1) * BATCH).map(({ data }, index) => (
      { channel: 'trades', symbol: data.symbol, data, idempotencyKey: `${batch} ${index}` }))
    await untilTaken(publisher, items)
    await delay(PAUSE_MS)
    if (kills.has(batch)) await kill()
  }
}

/** Publishes items again until the log has them; their keys say what it has already. */
async function untilTaken (publisher: Publisher, items: readonly Publication[]): Promise<void> {
  for (;;) {
    const results = await patiently(() => publisher.publishOwn(items))
    const refused = results.filter(result => 'code' in result)
    if (refused.length === 0) return
    const other = refused.find(({ code }) => code !== 'log_unavailable')
    if (other !== undefined) throw new Error(JSON.stringify(other))
    await delay(PAUSE_MS)
  }
}

const bare = (bar: PlainBar): string => JSON.stringify(plainPart(bar))

/** Compares the last message about each bar with what the trades make. @returns what differs */
async function differences (log: Log): Promise<string[]> {
  const found: string[] = []
  for (const [index, symbol] of SYMBOLS.entries()) {
    for (const interval of INTERVALS) {
      const last = new Map<string, Bar>()
      const { entries } = await patiently(() => log.read(`bars.${interval}:${symbol}`, { sequence: 0 }, 10_000_000))
      for (const { payload } of entries) {
        const bar = JSON.parse(payload) as Bar
        if (bar.start === CLOSING) continue
        const before = last.get(bar.start)
        const expected = !bar.closed ? undefined : before?.closed === true ? before.revision! + 1 : 0
        if (bar.revision !== expected) found.push(`${symbol} ${interval} ${bar.start}: revision ${bar.revision} after ${before?.revision}`)
        last.set(bar.start, bar)
      }
      const expected = expectedBars(index, interval)
      for (const [start, bar] of last) {
        if (bar.trades === 0 && !expected.has(start)) continue
        if (!bar.closed || bare(bar) !== expected.get(start)) found.push(`${symbol} ${interval}: ${bare(bar)}, not ${expected.get(start)}`)
      }
      for (const start of expected.keys()) if (!last.has(start)) found.push(`${symbol} ${interval}: no ${start}`)
    }
  }
  return found
}

const worked = new Map<string, ReadonlyMap<string, string>>()

function expectedBars (index: number, interval: BarInterval): ReadonlyMap<string, string> {
  const key = `${index} ${interval}`
  let bars = worked.get(key)
  if (bars === undefined) {
    const plain = plainBars(made[index]!.map(({ data }) => data), BAR_INTERVALS[interval])
    worked.set(key, bars = new Map([...plain].map(([start, bar]) => [start, bare(bar)])))
  }
  return bars
}

async function judge (t: Test, log: Log): Promise<void> {
  let found = await differences(log)
  for (const deadline = Date.now() + PATIENCE_MS; found.length > 0 && Date.now() < deadline;) {
    await delay(500)
    found = await differences(log)
  }
  t.same(found.slice(0, 10), [], `${found.length} differ`)
  const counts = await Promise.all(INTERVALS.map(async interval => (await log.read(`bars.${interval}:A`, { sequence: 0 }, 1)).last!.sequence))
  t.comment(`${TRADES} trades, ${KILLS} kills; messages about the bars of A: ${counts.join(', ')}`)
}

test(`log in memory: ends at the bars that all trades make, whoever made them (SEED=${seed})`, async t => {
  const log = new MemoryLog({ channels: standardChannels, retention: RETENTION, maxTopics: 100 })
  const publisher = new Publisher({ log, channels: standardChannels })
  let stopping = new AbortController()
  const runs: Array<Promise<unknown>> = []
  const takeOver = async (): Promise<void> => {
    // The one before is not waited for: its appends may be under way.
    stopping.abort()
    const fence = await log.raise('bars')
    const { signal } = stopping = new AbortController()
    const run = new ViewRunner(barsProcessor(INTERVALS), log, 0).run({
      signal,
      publish: async (messages, options) => {
        const results = await publisher.publishOwn(messages, { fence, ...options })
        return results.map(result => 'sequence' in result ? result : undefined)
      }
    })
    runs.push(run.catch((error: unknown) => { if ((error as Error).name !== 'StaleFence') throw error }))
  }
  await takeOver()
  await play(publisher, takeOver)
  await untilTaken(publisher, SYMBOLS.map(closing))
  await judge(t, log)
  stopping.abort()
  await Promise.all(runs)
  await log.close()
})

const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

test(`Redis: ends at the bars that all trades make, whoever is killed (SEED=${seed})`, options, async t => {
  const { nodes, observer: { parts: { publisher, log } } } = await deploy(t, ['a', 'b'], 'none', undefined, {
    RETENTION_MESSAGES: RETENTION.messages,
    RETENTION_SECONDS: RETENTION.seconds,
    RETENTION_BYTES: RETENTION.bytes,
    BARS: INTERVALS.join()
  })
  const random = new Choices(seed)
  await play(publisher, async () => {
    const node = random.pick(nodes)
    await node.kill()
    await node.start()
  })
  await untilTaken(publisher, SYMBOLS.map(closing))
  await judge(t, log)
})
