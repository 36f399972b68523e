import { type Command, type Order, ProtocolError, standardChannels, type SubmitCommand, topicKey } from '@tickwire/protocol'
import { randomEpoch } from '../../src/log/log.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { JournalRunner } from '../../src/processors/journal-runner.js'
import type { JournalProcessor } from '../../src/processors/processor.js'
import { ordersJournal, paperTrading } from '../../src/processors/paper-trading/paper-trading.js'
import { Publisher } from '../../src/publisher/publisher.js'
import { type Choices } from './random.js'

/**
 * The paper exchange over a log in memory, while hosts take over from one another, and appends are taken only
 * in part.
 */
const LOOK_MS = 5
const START = Date.parse('2026-01-05T10:00:00Z')
export const BALANCE = '100000'
export const FEE = '0.001'
const channels = new Map([...standardChannels, [ordersJournal.name, ordersJournal]])
const rules = {
  balances: new Map([['USD', BALANCE]]), fees: { others: FEE, markets: new Map() }, base: 'USD', bounds: { openOrders: 50, positions: 50 }
}

/** Selectors that the exchange counts as subscribed to, by channel and symbol. */
class Demand {
  readonly wanted = new Map<string, number>()
  add = (channel: string, symbol: string): void => { this.change(channel, symbol, 1) }
  remove = (channel: string, symbol: string): void => { this.change(channel, symbol, -1) }

  private change (channel: string, symbol: string, by: number): void {
    const key = `${channel}:${symbol}`
    const count = (this.wanted.get(key) ?? 0) + by
    if (count === 0) this.wanted.delete(key)
    else this.wanted.set(key, count)
  }
}

export class ExchangeWorld {
  readonly log: MemoryLog
  readonly publisher: Publisher
  readonly demand = new Demand()
  private now = START
  private host = new AbortController()
  private readonly runs: Array<Promise<void>> = []
  private readonly processor: JournalProcessor

  constructor (private readonly random: Choices, shards: number, private readonly failures = 0.2) {
    const retention = { messages: 10_000, seconds: 1e6, bytes: 1 << 26 }
    const clock = { now: () => this.now, randomEpoch }
    this.log = new MemoryLog({ channels, shards, retention, maxTopics: 100, clock })
    this.publisher = new Publisher({ log: this.log, channels })
    const now = (): number => this.now
    this.processor = paperTrading({ channels, rules, demand: this.demand, now }) as JournalProcessor
  }

  async takeOver (inOrder = true): Promise<void> {
    const before = this.host
    if (inOrder) {
      before.abort()
      await Promise.all(this.runs)
    } else setTimeout(() => { before.abort() }, 5)
    const { signal } = this.host = new AbortController()
    const fence = await this.log.raise('paper-trading')
    this.runs.push(this.run(signal, fence))
  }

  async end (): Promise<void> {
    this.host.abort()
    await Promise.all(this.runs)
    await this.log.close()
  }

  pass (ms: number): void {
    this.now += ms
  }

  async publish (channel: string, symbol: string, data: object, snapshot = false): Promise<void> {
    this.now += 10
    await this.publisher.publishOne({ channel, symbol, data: { symbol, ...data }, snapshot })
  }

  async book (symbol: string, bids: string[][], asks: string[][]): Promise<void> {
    await this.publish('book', symbol, { bids, asks }, true)
  }

  async trade (symbol: string, price: string, size: string): Promise<void> {
    await this.publish('trades', symbol, { price, size, timestamp: new Date(this.now).toISOString() })
  }

  async command (user: string, command: Command): Promise<void> {
    this.now += 10
    await this.publisher.publishOne({ channel: 'commands', user, data: command })
  }

  async submit (user: string, id: string, order: Partial<SubmitCommand> & Pick<SubmitCommand, 'symbol' | 'side' | 'quantity'>): Promise<void> {
    const { order_type: type = order.limit_price === undefined ? 'market' : 'limit' } = order
    await this.command(user, {
      action: 'submit_order', order_id: id, client_order_id: id, order_type: type, time_in_force: 'gtc', currency: 'USD', ...order
    })
  }

  async read<Data> (topic: string): Promise<Data[]> {
    const { entries } = await this.log.read(topic, { sequence: 0 }, 1_000_000)
    return entries.map(({ payload }) => JSON.parse(payload) as Data)
  }

  /** Returns the state of a user's topic. */
  async state<Data> (channel: string, user: string): Promise<Data | undefined> {
    const state = await this.log.snapshot(topicKey({ channel, user }))
    return state === undefined ? undefined : JSON.parse(state.payload) as Data
  }

  orders (user: string): Promise<Order[]> {
    return this.read<Order>(topicKey({ channel: 'orders', user }))
  }

  private async run (signal: AbortSignal, fence: Awaited<ReturnType<MemoryLog['raise']>>): Promise<void> {
    while (!signal.aborted) {
      try {
        await new JournalRunner(this.processor, this.log, LOOK_MS, 2 * LOOK_MS, () => this.now).run({
          signal,
          publish: async (messages, options) => {
            signal.throwIfAborted()
            const fails = this.random.next() < this.failures
            const first = fails ? this.random.integer(0, messages.length - 1) : undefined
            const results = await this.publisher.publishOwn(messages.slice(0, first), { fence, ...options })
            if (first !== undefined) throw new ProtocolError('log_unavailable')
            return results.map(result => 'sequence' in result ? result : undefined)
          }
        })
      } catch (error) {
        if (signal.aborted || (error as Error).name === 'StaleFence') return
        if ((error as { code?: string }).code !== 'log_unavailable') throw error
      }
    }
  }
}
