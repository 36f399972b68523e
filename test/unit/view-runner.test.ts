import { setTimeout as delay } from 'node:timers/promises'
import { type Bar, standardChannels, type Trade } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import { type Fence, randomEpoch } from '../../src/log/log.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { barsProcessor } from '../../src/processors/bars/bars.js'
import type { ProcessorMessage } from '../../src/processors/processor.js'
import { ViewRunner } from '../../src/processors/view-runner.js'
import { Publisher } from '../../src/publisher/publisher.js'
import { plainBars } from '../helpers/plain-bars.js'

/** Bars while servers take over from one another, and while the log drops what they follow from. */

const START = Date.parse('2026-02-07T14:30:00Z')
const LOOK_MS = 5
const PATIENCE_MS = 20_000

/** The log's time runs faster, so that bars come and close soon. */
const STARTED = Date.now()
const now = (): number => Math.floor(STARTED + (Date.now() - STARTED) * 5)

/** A log, and servers that make bars from it one after another. */
class Deployment {
  readonly log: MemoryLog
  readonly trades: Trade[] = []
  /** Refuses messages, as the log does for one topic too many. */
  refuses: (message: ProcessorMessage) => boolean = () => false
  private readonly publisher: Publisher
  private stopping = new AbortController()
  private running: Promise<void> = Promise.resolve()

  constructor (t: Test, messages: number) {
    this.log = new MemoryLog({
      channels: standardChannels,
      retention: { messages, seconds: 3600, bytes: 1 << 26 },
      maxTopics: 100,
      clock: { now, randomEpoch }
    })
    this.publisher = new Publisher({ log: this.log, channels: standardChannels })
    t.teardown(async () => {
      this.stopping.abort()
      await this.running
      await this.log.close()
    })
  }

  /** Has another server take over. */
  async takeOver (): Promise<void> {
    this.stopping.abort()
    await this.running
    const fence: Fence = await this.log.raise('bars')
    const { signal } = this.stopping = new AbortController()
    this.running = new ViewRunner(barsProcessor(['1s', '5m']), this.log, 0, { lookMs: LOOK_MS, now }).run({
      signal,
      publish: async (messages, options) => {
        const taken = messages.filter(message => !this.refuses(message))
        const results = await this.publisher.publishOwn(taken, { fence, ...options })
        const answers = new Map(taken.map((message, index) => [message, results[index]!]))
        return messages.map(message => {
          const result = answers.get(message)
          return result !== undefined && 'sequence' in result ? result : undefined
        })
      }
    })
    // What it does with a new topic it does when it has restored all others.
    const probe = `P${fence.token}`
    await this.publish('trades', { symbol: probe, price: '1', size: '1', timestamp: '2026-02-07T14:30:00Z' })
    await this.until(async () => (await this.said('1s', probe)).length > 0)
  }

  async publish (channel: string, data: Trade | Bar): Promise<void> {
    const [result] = await this.publisher.publishOwn([{ channel, symbol: data.symbol, data }])
    if (result === undefined || 'code' in result) throw new Error(JSON.stringify(result))
  }

  /** @param at seconds of event time */
  async trade (at: number, price: number, more: Partial<Trade> = {}): Promise<void> {
    const timestamp = new Date(START + at * 1000).toISOString()
    const trade = { symbol: 'A', price: String(price), size: '2', timestamp, ...more }
    this.trades.push(trade)
    await this.publish('trades', trade)
  }

  /** What the log has of bars. */
  async said (interval: string, symbol = 'A'): Promise<Bar[]> {
    const { entries } = await this.log.read(`bars.${interval}:${symbol}`, { sequence: 0 }, 100_000)
    return entries.map(({ payload }) => JSON.parse(payload) as Bar)
  }

  async last (interval: string, start: string): Promise<Bar | undefined> {
    return (await this.said(interval)).findLast(bar => bar.start === start)
  }

  async until (holds: () => Promise<boolean>): Promise<void> {
    for (const deadline = Date.now() + PATIENCE_MS; !await holds(); await delay(LOOK_MS)) {
      if (Date.now() > deadline) throw new Error('the bars do not become what they must be')
    }
  }

  async untilLast (interval: string, start: string, holds: (bar: Bar) => boolean): Promise<void> {
    await this.until(async () => {
      const bar = await this.last(interval, start)
      return bar !== undefined && holds(bar)
    })
  }
}

const FIRST = '2026-02-07T14:30:00Z'

test('goes on with a bar of which the log has dropped trades', async t => {
  const deployment = new Deployment(t, 40)
  await deployment.takeOver()
  for (let at = 0; at < 300; at++) {
    const isCancel = at === 215
    await deployment.trade(at / 2, 100 + at * 37 % 50, { trade_id: `t${at}`, ...isCancel ? { corrects: 't210', size: '0' } : {} })
    if (at % 30 === 29) {
      const count = at + 1 - (at >= 215 ? 2 : 0)
      await deployment.untilLast('5m', FIRST, ({ trades }) => trades === count)
    }
    if (at % 100 === 70) await deployment.takeOver()
  }
  await deployment.takeOver()
  await deployment.trade(310, 1, { trade_id: 'later' })
  await deployment.untilLast('5m', FIRST, ({ closed }) => closed)
  const bar = (await deployment.last('5m', FIRST))!
  const { vwap, ...expected } = plainBars(deployment.trades, 300_000).get(FIRST)!
  t.match(bar, { ...expected, revision: 0 })
  t.ok(Math.abs(Number(bar.vwap) - Number(vwap)) < 1e-7, `${bar.vwap} and ${vwap}`)
})

test('leaves a bar as it is whose trades the log has dropped', async t => {
  const deployment = new Deployment(t, 20)
  await deployment.takeOver()
  for (let at = 0; at < 60; at++) {
    await deployment.trade(at, at)
    await deployment.untilLast('1s', new Date(START + at * 1000).toISOString().replace('.000', ''), () => true)
  }
  await deployment.takeOver()
  const { first, last } = await deployment.log.read('bars.1s:A', { sequence: 0 }, 1)
  t.ok(first! > 60, 'the log has dropped what was said of bars whose trades it has')
  await deployment.trade(5, 1000)
  await deployment.trade(61, 1)
  await deployment.untilLast('1s', '2026-02-07T14:31:01Z', () => true)
  const { entries } = await deployment.log.read('bars.1s:A', { sequence: last!.sequence }, 1000)
  const starts = entries.map(({ payload }) => (JSON.parse(payload) as Bar).start)
  t.same(starts.filter(start => start < '2026-02-07T14:30:59Z'), [])
})

test('says nothing when a server takes over and nothing has changed', async t => {
  const deployment = new Deployment(t, 10_000)
  await deployment.takeOver()
  for (let at = 0; at < 50; at++) await deployment.trade(at / 10, at)
  await deployment.untilLast('1s', '2026-02-07T14:30:04Z', ({ closed }) => closed)
  const before = await deployment.said('1s')
  for (let times = 0; times < 5; times++) await deployment.takeOver()
  t.same(await deployment.said('1s'), before)
})

test('revises what somebody else has said of a bar', async t => {
  const deployment = new Deployment(t, 10_000)
  await deployment.takeOver()
  await deployment.trade(0, 10)
  await deployment.trade(2, 10)
  await deployment.untilLast('1s', FIRST, ({ closed }) => closed)
  const bar = (await deployment.last('1s', FIRST))!
  await deployment.publish('bars.1s', { ...bar, open: '7', trades: 99, revision: 3 } as Bar)
  await deployment.publish('bars.1s', { ...bar, start: '2026-02-07T14:30:01Z' } as Bar)
  await deployment.trade(3, 11)
  await deployment.untilLast('1s', FIRST, ({ trades, open, revision }) => trades === 1 && open === '10' && revision === 4)
  await deployment.untilLast('1s', '2026-02-07T14:30:01Z', ({ trades, volume }) => trades === 0 && volume === '0')
  t.pass('both are what the trades make')
})

test('says again what the log has refused, also without another trade', async t => {
  const deployment = new Deployment(t, 10_000)
  await deployment.takeOver()
  let refused = 0
  deployment.refuses = ({ channel, symbol }) => channel === 'bars.1s' && symbol === 'A' && ++refused < 3
  await deployment.trade(0, 10)
  await deployment.untilLast('1s', FIRST, ({ closed }) => closed)
  t.match(await deployment.last('1s', FIRST), { trades: 1, close: '10', revision: 0 })
  await deployment.trade(0.5, 11)
  await deployment.untilLast('1s', FIRST, ({ trades, revision }) => trades === 2 && revision === 1)
  t.ok(refused >= 3)
})

test('goes back to the trades that are left if the log loses the newest', async t => {
  const deployment = new Deployment(t, 10_000)
  await deployment.takeOver()
  await deployment.trade(0, 10)
  await deployment.trade(1, 10)
  await deployment.untilLast('1s', FIRST, ({ closed }) => closed)
  const [head] = await deployment.log.head()
  await deployment.trade(0.5, 99)
  await deployment.untilLast('1s', FIRST, ({ trades }) => trades === 2)
  await deployment.trade(5, 10)
  await deployment.untilLast('1s', '2026-02-07T14:30:05Z', () => true)
  const { entries } = await deployment.log.read('trades:A', { sequence: 0 }, 10)
  // The outputs outlive the loss: they are published again in its place.
  deployment.log.restart([head!.offset])
  t.equal((await deployment.log.read('trades:A', { sequence: 0 }, 10)).entries.length, entries.length - 2)
  await deployment.trade(6, 10)
  await deployment.untilLast('1s', '2026-02-07T14:30:06Z', () => true)
  await deployment.untilLast('1s', FIRST, ({ trades, closed }) => trades === 1 && closed)
  t.equal(await deployment.last('1s', '2026-02-07T14:30:05Z'), undefined)
})
