import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type Bar, type Order, standardChannels, strategy as strategyChannel, type StrategyMessage,
  type StrategyRecord, topicKey
} from '@tickwire/protocol'
import type { Test } from 'tap'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { Publisher } from '../../src/publisher/publisher.js'
import type { SourceContext } from '../../src/sources/source.js'
import { StrategyRegistry } from '../../src/strategies/registry.js'
import { StrategiesSource } from '../../src/strategies/strategies-source.js'
import { StrategyRecords } from '../../src/strategies/strategy-records.js'
import type { StrategyOrder } from '../../src/strategies/strategy-orders.js'
import { eventually } from './eventually.js'
import { ROOT } from './root.js'

export interface RunOptions {
  readonly callMs?: number
  readonly most?: number
}

/** A log with strategies, and runs of them: what a server has, without a server. */
export class StrategyGround {
  readonly lines: string[] = []
  readonly submitted: Array<StrategyOrder & { readonly user: string }> = []
  /** Called for each order; default: it is taken, and nothing happens. */
  onOrder: (user: string, order: StrategyOrder) => Promise<void> = async () => {}
  readonly publisher: Publisher
  readonly records: StrategyRecords

  private constructor (
    private readonly t: Test,
    readonly log: MemoryLog,
    readonly registry: StrategyRegistry,
    private readonly options: RunOptions
  ) {
    this.publisher = new Publisher({ log, channels: standardChannels })
    this.records = new StrategyRecords(log, this.publisher)
  }

  static async make (t: Test, options: RunOptions = {}): Promise<StrategyGround> {
    const retention = { messages: 10_000, seconds: 3600, bytes: 1 << 26 }
    const log = new MemoryLog({ channels: standardChannels, shards: 3, maxTopics: 1000, retention })
    t.teardown(() => log.close())
    const registry = await StrategyRegistry.load([join(ROOT, 'test/helpers/strategies/unruly.js')])
    return new StrategyGround(t, log, registry, options)
  }

  /** Starts a run, as the server that has the lease does. */
  run (): { stop (): Promise<void> } {
    const { log, registry, records, options: { callMs = 30_000, most = 100 } } = this
    const source = new StrategiesSource({
      log,
      registry,
      records,
      callMs,
      most,
      submit: async (user, order) => {
        this.submitted.push({ user, ...order })
        await this.onOrder(user, order)
      }
    })
    const end = new AbortController()
    const fail = (error: unknown): void => {
      if (!end.signal.aborted) this.t.fail(String((error as Error).stack))
    }
    const note = (fields: object): void => {
      const { line } = fields as { line?: string }
      if (line !== undefined) this.lines.push(line)
    }
    const context: SourceContext = {
      signal: end.signal,
      logger: { info: note, warn: () => {}, error: (fields, message) => { fail(new Error(`${message}: ${JSON.stringify(fields)}`)) } },
      publish: async messages => {
        const results = await this.publisher.publishOwn(messages)
        for (const result of results) if ('code' in result) fail(new Error(JSON.stringify(result)))
        return results
      },
      declare: async () => [],
      instrument: () => undefined,
      guard: work => (...given) => { Promise.resolve(work(...given)).catch(fail) }
    }
    const running = source.run(context).catch(fail)
    const stop = async (): Promise<void> => {
      end.abort()
      await running
    }
    this.t.teardown(stop)
    return { stop }
  }

  async add (name: string, more: Partial<StrategyRecord> = {}, user = 'u'): Promise<StrategyRecord> {
    const at = new Date().toISOString()
    const record: StrategyRecord = {
      strategy_id: name, name, symbol: 'A', parameters: { reason: 'why', interval: '1m' }, mode: 'signal', quantity: '1', status: 'running', version: 1, created_at: at, updated_at: at, ...more
    }
    await this.records.add(user, record, 100)
    return record
  }

  /** Publishes a bar that has closed, a minute after the one with the number before. */
  async bar (number: number, close: string, more: Partial<Bar> = {}): Promise<void> {
    const start = startOf(number)
    const data: Bar = {
      symbol: 'A', interval: '1m', start, open: close, high: close, low: close, close, volume: '1', vwap: close, trades: 1, closed: true, revision: 0, through: 1, ...more
    }
    await this.publisher.publishOne({ channel: 'bars.1m', symbol: data.symbol, data })
  }

  async quote (last: string): Promise<void> {
    await this.publisher.publishOne({ channel: 'quotes', symbol: 'A', data: { symbol: 'A', last } })
  }

  async order (user: string, data: Order): Promise<void> {
    await this.publisher.publishOne({ channel: 'orders', user, data })
  }

  /** Returns what a strategy has said. */
  async said (id: string, user = 'u'): Promise<StrategyMessage[]> {
    const topic = topicKey({ channel: strategyChannel.name, symbol: id, user })
    const { entries } = await this.log.read(topic, { sequence: 0 }, 10_000)
    return entries.map(({ payload }) => JSON.parse(payload) as StrategyMessage)
  }

  async signals (id: string): Promise<StrategyMessage[]> {
    return (await this.said(id)).filter(({ signal }) => signal !== undefined)
  }

  /** Waits until a strategy has said something. */
  async untilSaid (
    id: string, wanted: (said: readonly StrategyMessage[]) => boolean, user = 'u'
  ): Promise<StrategyMessage[]> {
    let said = await this.said(id, user)
    for (const deadline = Date.now() + 60_000; !wanted(said); said = await this.said(id, user)) {
      if (Date.now() > deadline) throw new Error(`the strategy ${id} has only said ${JSON.stringify(said)}`)
      await delay(10)
    }
    return said
  }

  async untilStatus (id: string, status: string, user = 'u'): Promise<StrategyMessage> {
    return (await this.untilSaid(id, said => said.at(-1)?.status === status, user)).at(-1)!
  }

  async untilLine (line: string): Promise<void> {
    await eventually(`the line ${line}`, () => this.lines.includes(line))
  }

  async record (id: string, user = 'u'): Promise<StrategyRecord> {
    return (await this.records.list(user)).find(({ strategy_id: known }) => known === id)!
  }
}

export const startOf = (number: number): string => new Date(Date.UTC(2026, 0, 1) + number * 60_000).toISOString().replace('.000Z', 'Z')
