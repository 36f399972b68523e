import { bookHeatmap, heatmap, type Heatmap, standardChannels, trades } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import { MemoryCoordination } from '../../src/coordination/memory/memory-coordination.js'
import type { HeatDatabase, QueryRow } from '../../src/heatmap/heat-row.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { HeatmapCounters } from '../../src/metrics/heatmap-counters.js'
import { HeatmapSource } from '../../src/processors/heatmap/heatmap-source.js'
import { heatmapFlows, heatmapOptions } from '../../src/processors/heatmap/settings.js'
import { Wanted } from '../../src/processors/heatmap/wanted.js'
import type { PublishResult } from '../../src/publisher/publisher.js'
import type { SourceMessage, WantedTopic } from '../../src/sources/source.js'
import { eventually } from '../helpers/eventually.js'

const INTERVAL_MS = 100
const row = (price: string, a = 1): QueryRow => ({ price, a, b: 0, current_price: 10 })
const want = (channel: string, symbol: string): WantedTopic => ({ channel, symbol, isNamed: true })
const btc = want(heatmap.name, 'BTC-USDT')

/** A source whose query is the test's own, and what it does. */
class Stage {
  readonly counters = new HeatmapCounters()
  readonly published: SourceMessage[] = []
  readonly logged: Array<{ level: string, reason?: unknown }> = []
  readonly queried: string[] = []
  readonly log = new MemoryLog({
    channels: standardChannels, retention: { messages: 1000, seconds: 3600, bytes: 1e8 }, maxTopics: 100
  })

  wanted: WantedTopic[] = []
  answer: (symbol: string) => readonly QueryRow[] = () => []
  /** Queries that run at the same time. */
  running = 0
  mostRunning = 0
  rests = 0
  isMissing = false
  /** Whether a query runs until it is interrupted. */
  hangs = false
  private interrupt = (): void => {}
  /** What the log answers instead of taking a message. */
  refusal: PublishResult | undefined
  private readonly ending = new AbortController()
  private readonly run: Promise<void>

  constructor (t: Test, own = false) {
    const coordination = new MemoryCoordination()
    const filled = new Map<string, readonly QueryRow[]>()
    const database: HeatDatabase = {
      isOwn: own,
      fill: async (symbol, kind, rows) => { filled.set(`${kind} ${symbol}`, rows as never) },
      query: async (symbol, kind) => {
        this.queried.push(`${kind} ${symbol}`)
        this.mostRunning = Math.max(this.mostRunning, ++this.running)
        await (this.hangs
          ? new Promise((_resolve, reject) => { this.interrupt = () => { reject(new Error('interrupted')) } })
          : new Promise(resolve => { setTimeout(resolve, 1) }))
        this.running--
        return own ? filled.get(`${kind} ${symbol}`)! : this.answer(symbol)
      },
      interrupt: () => { this.interrupt() },
      rest: () => { this.rests++ },
      close: () => {}
    }
    const logger = {
      error: (details: object) => { this.logged.push({ level: 'error', ...details }) },
      warn: (details: object) => { this.logged.push({ level: 'warn', ...details }) },
      info: (details: object) => { this.logged.push({ level: 'info', ...details }) }
    }
    const source = new HeatmapSource({
      log: this.log,
      coordination,
      counters: this.counters,
      intervalMs: INTERVAL_MS,
      open: async () => {
        if (this.isMissing) throw new Error('heatmaps need DuckDB')
        return database
      }
    })
    source.lazy.attach!(() => this.wanted)
    this.run = source.run({
      logger,
      signal: this.ending.signal,
      guard: work => work,
      instrument: () => undefined,
      declare: async () => [],
      publish: async messages => {
        const { refusal } = this
        if (refusal !== undefined) return messages.map(() => refusal)
        this.published.push(...messages)
        return messages.map(() => ({ sequence: this.published.length }))
      }
    })
    t.teardown(async () => {
      await this.end()
      await this.log.close()
      await coordination.close()
    })
  }

  async end (): Promise<void> {
    this.ending.abort()
    await this.run
  }

  /** Waits until a topic was queried so many more times. */
  async rounds (count: number): Promise<void> {
    const until = this.queried.length + count
    await eventually(`${count} queries`, () => this.queried.length >= until)
  }
}

test('queries nothing until somebody subscribes, and nothing after', async t => {
  const stage = new Stage(t)
  stage.answer = () => [row('9')]
  await new Promise(resolve => { setTimeout(resolve, 5 * INTERVAL_MS) })
  t.equal(stage.counters.queries, 0)
  stage.wanted = [btc, btc]
  await stage.rounds(2)
  t.same(new Set(stage.queried), new Set(['liquidation BTC-USDT']), 'only what is wanted')
  stage.wanted = []
  await eventually('the round under way has ended', () => stage.running === 0)
  await new Promise(resolve => { setTimeout(resolve, 3 * INTERVAL_MS) })
  const { queries } = stage.counters
  await new Promise(resolve => { setTimeout(resolve, 5 * INTERVAL_MS) })
  t.equal(stage.counters.queries, queries)
  t.equal(stage.queried.length, queries, 'each query is counted')
})

test('sends only what has changed, whatever its age, and runs one query at a time', async t => {
  const stage = new Stage(t)
  let price = '9'
  stage.answer = symbol => [row(symbol === 'BTC-USDT' ? price : '5')]
  stage.wanted = [btc, want(bookHeatmap.name, 'ETH-USDT')]
  await stage.rounds(10)
  t.same(stage.published.map(({ channel, symbol }) => `${channel}:${symbol}`), ['heatmap:BTC-USDT', 'heatmap.book:ETH-USDT'])
  price = '8'
  await stage.rounds(6)
  t.same(stage.published.slice(2).map(({ data }) => (data as Heatmap).levels), [[['8', '1', '0']]])
  t.equal(stage.mostRunning, 1)
  t.ok(stage.rests > 3, 'a file is closed between rounds')
  const { sent, unchanged, queries } = stage.counters
  t.equal(sent, 3)
  t.ok(unchanged >= queries - sent - 1 && unchanged > 8)
})

test('topics of which nothing is known take nothing from a heatmap that is made', async t => {
  const stage = new Stage(t)
  const levels = Array.from({ length: 1000 }, (_, index) => row(String(100 + index)))
  stage.answer = symbol => symbol === 'BTC-USDT' ? levels : []
  const unknown = Array.from({ length: 40 }, (_, index) => want(heatmap.name, `UNKNOWN-${index}`))
  stage.wanted = [...unknown, btc]
  await eventually('it is made', () => stage.published.length === 1)
  // It may have the bytes of an interval alone: 4800 at 48,000 a second.
  const { length } = JSON.stringify(stage.published[0]!.data)
  t.ok(length > 4000, `${length} bytes`)
  await stage.rounds(2 * stage.wanted.length)
  t.equal(stage.published.length, 1, 'the next round cuts it the same')
})

test('publishes again in the next round what the log has refused', async t => {
  const stage = new Stage(t)
  stage.refusal = { code: 'overloaded', message: 'the log has too many topics' }
  stage.answer = () => [row('9')]
  stage.wanted = [btc]
  await stage.rounds(3)
  t.equal(stage.counters.sent, 0)
  t.equal(stage.counters.unchanged, 0)
  stage.refusal = undefined
  await eventually('it is published', () => stage.counters.sent === 1)
  t.match(stage.published, [{ symbol: 'BTC-USDT' }])
})

test('a client of all symbols takes no heatmap from clients that name theirs, on any node', async t => {
  const all = Array.from({ length: 1500 }, (_, index) => ({ ...want(heatmap.name, `S-${index}`), isNamed: false }))
  const coordination = new MemoryCoordination()
  t.teardown(() => coordination.close())
  const [here, there] = [new Wanted(coordination), new Wanted(coordination)]
  const named = [btc, want(bookHeatmap.name, 'S-1499')]
  here.attach(() => all)
  there.attach(() => [...named, ...all])
  for (const wanted of [here, there]) {
    const topics = await wanted.everywhere()
    t.equal(topics.length, 1000)
    t.same(topics.slice(0, 2), named)
  }
})

test('a failing query, and one that returns nonsense, stop nothing: both are logged once and counted', async t => {
  const stage = new Stage(t)
  stage.wanted = [btc, want(heatmap.name, 'ETH-USDT')]
  stage.answer = symbol => {
    if (symbol === 'BTC-USDT') throw new Error('Catalog Error: no such table\nLINE 1: …')
    return [row('5', -1)]
  }
  await stage.rounds(8)
  t.equal(stage.published.length, 0)
  t.ok(stage.counters.failures.query >= 3 && stage.counters.failures.nonsense >= 3)
  const reasons = stage.logged.map(({ reason }) => reason)
  const nonsense = "'a' of row 1 is -1; it must be a number of 0 or more"
  t.same(reasons, ['Catalog Error: no such table', nonsense], 'each failure once')
  stage.answer = () => [row('5')]
  await eventually('both are made', () => stage.published.length === 2)
  t.match(stage.logged.slice(2).map(({ level }) => level), ['info'])
})

test('says that its database is missing, and works when it is there', async t => {
  const stage = new Stage(t)
  stage.isMissing = true
  stage.answer = () => [row('9')]
  stage.wanted = [btc]
  await eventually('it was tried twice', () => stage.counters.failures.query > 1)
  t.same(stage.logged.map(({ reason }) => reason), ['heatmaps need DuckDB'])
  stage.isMissing = false
  await eventually('it is made', () => stage.published.length === 1)
})

test('makes a heatmap of the trades in the log, and of those that come', async t => {
  const stage = new Stage(t, true)
  const publish = async (price: string, extra: object = {}): Promise<void> => {
    const data = { symbol: 'BTC-USDT', price, size: '2', side: 'buy', timestamp: '2026-02-07T14:30:00Z', ...extra }
    await stage.log.append([{ topic: `${trades.name}:BTC-USDT`, payload: JSON.stringify(data) }])
  }
  await publish('64000')
  stage.wanted = [btc, want(heatmap.name, 'NONE'), want(bookHeatmap.name, 'BTC-USDT')]
  await eventually('it is made', () => stage.published.length === 1)
  t.match(stage.published[0]!.data, {
    symbol: 'BTC-USDT', kind: 'liquidation', current_price: '64000', as_of: '2026-02-07T14:30:00.000Z', price_step: '20', positions_created: 4
  })
  await publish('64100.50', { corrects: '1' })
  await publish('64200.50')
  await eventually('it has changed', () => stage.published.length === 2)
  t.match(stage.published[1]!.data, { current_price: '64200.5', positions_created: 8, positions_consumed: 0 })
  await publish('10000')
  await eventually('it has changed again', () => stage.published.length === 3)
  t.match(stage.published[2]!.data, { current_price: '10000', positions_created: 12, positions_consumed: 8 })
  t.ok(stage.queried.every(query => query === 'liquidation BTC-USDT'), 'nothing is queried of what has no inputs')
})

test('a trade from a far future leaves the positions of others as they are', async t => {
  const stage = new Stage(t, true)
  const publish = async (timestamp: string, size: string): Promise<void> => {
    const data = { symbol: 'BTC-USDT', price: '100', size, side: 'buy', timestamp }
    await stage.log.append([{ topic: `${trades.name}:BTC-USDT`, payload: JSON.stringify(data) }])
  }
  const began = Date.now()
  await publish(new Date(began).toISOString(), '1000')
  await publish('2999-01-01T00:00:00Z', '1')
  stage.wanted = [btc]
  await eventually('it is made', () => stage.published.length === 1)
  const { levels, as_of: asOf } = stage.published[0]!.data as Heatmap
  const longs = levels.reduce((sum, [, long]) => sum + Number(long), 0)
  // 30 % of 100,000; a minute of the half-life of four hours takes a few parts in a thousand.
  t.ok(longs > 29_000, String(longs))
  t.ok(Date.parse(asOf!) <= Date.now() + 60_000, asOf)
})

test('ends although a query runs, which is no failure', async t => {
  const stage = new Stage(t)
  stage.hangs = true
  stage.wanted = [btc]
  await eventually('a query runs', () => stage.running === 1)
  await stage.end()
  t.equal(stage.queried.length, 1)
  t.same(stage.counters.failures, { query: 0, nonsense: 0 })
  t.same(stage.logged, [])
})

test('takes its interval from either setting, and lets a query without $kind make one kind', t => {
  t.equal(heatmapOptions({}).intervalMs, 5000)
  t.equal(heatmapOptions({ WS_UPDATE_INTERVAL: 2 }).intervalMs, 2000)
  t.equal(heatmapOptions({ WS_UPDATE_INTERVAL: 2, HEATMAP_INTERVAL_MS: 300 }).intervalMs, 300)
  const own = { DUCKDB_PATH: 'a.duckdb', HEATMAP_QUERY: 'select $symbol, $kind' }
  const one = { ...own, HEATMAP_QUERY: 'select $symbol' }
  const there = { path: 'a.duckdb', query: own.HEATMAP_QUERY }
  t.same(heatmapOptions(own).databaseOf('book'), there)
  t.same(heatmapOptions(one).databaseOf('liquidation'), { ...there, query: one.HEATMAP_QUERY })
  t.same(heatmapOptions(one).databaseOf('book'), {})
  t.same(heatmapFlows({}).map(({ inputs }) => inputs), [['trades'], ['book']])
  t.same(heatmapFlows(own), [])
  t.same(heatmapFlows(one).map(({ inputs }) => inputs), [['book']])
  t.end()
})
