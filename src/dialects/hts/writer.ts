import {
  type Alert, alerts, type Book, book, type ControlMessage, type Order, orders, parseTopicKey, quotes,
  reduceBook, type ResetReason, type StrategyMessage, strategy
} from '@tickwire/protocol'
import type { MessageWriter, OutgoingMessage, Written } from '../../hub/format.js'
import type { KeptTexts } from '../kept-texts.js'
import { alertData, orderBook, orderUpdate, strategySignal } from './data.js'
import type { AskedTopics } from './topics.js'

/** What a writer needs of its connection. */
export interface HtsWriterOptions {
  readonly asked: AskedTopics
  /** What the client is called in its greeting. */
  readonly name: string
  /** The data of `price_update`. */
  readonly prices: KeptTexts
  /** Returns what goes out of a price now: what `write` returns, or nothing if it is too early for it. */
  pace (topic: string, write: () => Written): Written
  /** Called when a message of an acknowledged channel has been written. */
  onWritten (channel: string, sequence: number): void
}

/** Nothing is sent. */
const SILENT: Written = ''

/** The text of every message that is not JSON, as the original server had it. */
const INVALID_JSON = 'Invalid JSON format'

const json = (value: unknown): string => JSON.stringify(value)

export const subscribed = (topic: string): Written =>
  json({ type: 'subscribed', topic, message: `Successfully subscribed to ${topic}` })

export const unsubscribed = (topic: string): Written =>
  json({ type: 'unsubscribed', topic, message: `Successfully unsubscribed from ${topic}` })

const errorText = (message: string): Written => json({ type: 'error', message })

/** Writes what a client of `/api/ws` reads, of all that happens to its connection (docs/compat.md). */
export class HtsWriter implements MessageWriter {
  /** The order books that the client has, by topic, as deep as it is sent them. */
  private readonly books = new Map<string, Book>()

  constructor (private readonly options: HtsWriterOptions) {}

  data (message: OutgoingMessage): Written {
    const { channel, symbol = '' } = parseTopicKey(message.topic)
    switch (channel) {
      case quotes.name: return this.price(message, symbol)
      case orders.name: return this.order(message)
      case strategy.name: return this.signal(message)
      case book.name: return this.book(message, symbol)
      case alerts.name: return this.alert(message)
      default: return SILENT
    }
  }

  /** A state follows most resets. Of what has none, the client may have missed something: it is told so. */
  reset (topic: string, reason: ResetReason): Written {
    const { channel, symbol } = parseTopicKey(topic)
    if (channel === book.name) this.books.delete(topic)
    const kind = HISTORIES.get(channel)
    if (kind === undefined || reason === 'entered') return SILENT
    return errorText(`messages of ${kind}:${symbol ?? '*'} may be missing`)
  }

  control (message: ControlMessage): Written {
    switch (message.type) {
      case 'welcome':
        return json({
          type: 'connected', message: `Welcome ${this.options.name}!`, user_id: message.user_id ?? ''
        })
      // The session gives its subscriptions their topics for ids.
      case 'subscribed': return subscribed(String(message.id))
      case 'error': return errorText(message.code === 'invalid_json' ? INVALID_JSON : message.message)
      case 'closing': return errorText(message.reason)
      default: return SILENT
    }
  }

  /** Forgets what it keeps of topics that are not asked for any more. */
  forget (isLeft: (topic: string) => boolean): void {
    for (const topic of this.books.keys()) if (!isLeft(topic)) this.books.delete(topic)
  }

  private price ({ topic, payload, timestamp }: OutgoingMessage, symbol: string): Written {
    const { asked, prices, pace } = this.options
    const isWanted = asked.spelled(topic, symbol).length > 0
    const data = isWanted ? prices.of(topic, payload, timestamp) : undefined
    if (data === undefined) return SILENT
    return pace(topic, () => asked.spelled(topic, symbol)
      .map(name => `{"type":"price_update","symbol":${json(name)},"data":${data}}`).join('\n'))
  }

  private order ({ payload, sequence }: OutgoingMessage): Written {
    const { asked, onWritten } = this.options
    const order = JSON.parse(payload) as Order
    const isForAll = asked.has('order:*')
    if (!isForAll && !asked.has(`order:${order.order_id}`)) return SILENT
    // An acknowledgement covers all orders up to a message.
    if (isForAll) onWritten(orders.name, sequence)
    return `{"type":"order_update","data":${orderUpdate(order)}}`
  }

  private signal ({ payload, replaces }: OutgoingMessage): Written {
    // A state repeats a signal that was given before.
    const signal = JSON.parse(payload) as StrategyMessage
    const data = replaces ? undefined : strategySignal(signal)
    if (data === undefined) return SILENT
    return `{"type":"strategy_signal","strategy_id":${json(signal.strategy_id)},"data":${data}}`
  }

  private book ({ topic, payload, replaces, timestamp }: OutgoingMessage, symbol: string): Written {
    const known = this.books.get(topic)
    if (known === undefined && !replaces) return SILENT
    const state = reduceBook(known, JSON.parse(payload) as Book, replaces)
    this.books.set(topic, state)
    const data = orderBook(state, timestamp)
    const names = this.options.asked.spelled(topic, symbol)
    return names.map(name => `{"type":"orderbook_update","symbol":${json(name)},"data":${data}}`).join('\n')
  }

  private alert ({ payload, sequence }: OutgoingMessage): Written {
    this.options.onWritten(alerts.name, sequence)
    return `{"type":"alert","data":${alertData(JSON.parse(payload) as Alert)}}`
  }
}

/** What clients call the channels whose messages count one by one. */
const HISTORIES: ReadonlyMap<string, string> = new Map([
  [orders.name, 'order'], [alerts.name, 'alert'], [strategy.name, 'strategy']
])
