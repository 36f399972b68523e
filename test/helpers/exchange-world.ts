import { type Command, type Order, standardChannels, type SubmitCommand, topicKey } from '@tickwire/protocol'
import type { JournalProcessor } from '../../src/processors/processor.js'
import { ordersJournal, paperTrading } from '../../src/processors/paper-trading/paper-trading.js'
import { JournalWorld } from './journal-world.js'
import type { Choices } from './random.js'

/**
 * The paper exchange over a log in memory, while hosts take over from one another, and appends are taken only
 * in part.
 */
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

export class ExchangeWorld extends JournalWorld {
  readonly demand = new Demand()
  protected readonly processor: JournalProcessor

  constructor (random: Choices, shards: number, failures = 0.2) {
    super({ channels, shards, random, failures, start: START })
    const now = (): number => this.now
    this.processor = paperTrading({ channels, rules, demand: this.demand, now }) as JournalProcessor
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

  /** Returns the state of a user's topic. */
  async state<Data> (channel: string, user: string): Promise<Data | undefined> {
    const state = await this.log.snapshot(topicKey({ channel, user }))
    return state === undefined ? undefined : JSON.parse(state.payload) as Data
  }

  orders (user: string): Promise<Order[]> {
    return this.read<Order>(topicKey({ channel: 'orders', user }))
  }
}
