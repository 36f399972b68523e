import type { Static, TSchema } from '@sinclair/typebox'
import type {
  Alert, Bar, Book, ChannelDefinition, Heatmap, MarketStatus, MonitorFigures, News, Order, Portfolio, Quote,
  ResetReason, StrategyMessage, SystemNotice, Trade
} from '@tickwire/protocol'

/** The channels whose topics have a symbol, and their messages (PROTOCOL.md, Data). */
export interface KeyedChannels {
  quotes: Message<Quote, 'quote'>
  trades: Message<Trade, 'trade'>
  'bars.1s': Message<Bar, 'bar'>
  'bars.1m': Message<Bar, 'bar'>
  'bars.5m': Message<Bar, 'bar'>
  book: Message<Book, 'book'>
  heatmap: Message<Heatmap, 'heatmap'>
  'heatmap.book': Message<Heatmap, 'heatmap'>
  market: Message<MarketStatus, 'market_status'>
  strategy: Message<StrategyMessage, 'strategy'>
}

/** The channels without symbols, and their messages. */
export interface PlainChannels {
  news: Message<News, 'news'>
  system: Message<SystemNotice, 'system'>
  orders: Message<Order, 'order'>
  portfolio: Message<Portfolio, 'portfolio'>
  alerts: Message<Alert, 'alert'>
  monitor: Message<MonitorFigures, 'monitor'>
}

export type Channels = KeyedChannels & PlainChannels
export type ChannelName = keyof Channels
/** The channels whose messages the server can conflate. */
export type ThrottledChannel = 'quotes' | 'book' | 'heatmap' | 'heatmap.book' | 'portfolio'

/** A message of a topic, as the server sends it. */
export interface Message<Data = unknown, Type extends string = string> {
  readonly type: Type
  readonly channel: string
  /** Absent in a channel without symbols. */
  readonly symbol?: string
  /** Grows by 1 with each message of the topic; of a snapshot: that of the last message folded into it. */
  readonly sequence: number
  /** When the log took the message: ISO 8601 UTC. */
  readonly timestamp: string
  /** The message replaces what is held of the topic. */
  readonly snapshot?: true
  /** The sequence of the message before, where the server conflated several into this one. */
  readonly prev?: number
  readonly data: Data
}

/**
 * Messages of a topic are lost, or may be. The topic's state follows as a snapshot, if it has one; else what
 * the server still has of it.
 */
export interface Reset {
  readonly type: 'reset'
  readonly channel: string
  readonly symbol?: string
  /**
   * The server's reason; or the client's own: `slow_reader` (a loop over messages was too slow, and the
   * client dropped what waited), `user_changed` (the token is another user's).
   */
  readonly reason: ResetReason | 'slow_reader' | 'user_changed'
  /** Messages up to this sequence stay valid, and only those above it may be lost; absent: none stay. */
  readonly sequence?: number
}

/** A channel of an application's own, as `defineChannel` returns it. */
export type OwnChannel<Schema extends TSchema = TSchema> = ChannelDefinition<Schema>
/** The messages of such a channel. */
export type OwnMessage<Definition> =
  Definition extends ChannelDefinition<infer Schema> ? Message<Static<Schema>> : never

/**
 * - `history`: each message counts, and there is no state;
 * - `last`: the last message is the state;
 * - `folded`: the state follows from several messages, so that it takes a snapshot to know it.
 */
export type ChannelKind = 'history' | 'last' | 'folded'

const HISTORIES = /^(trades|news|system|orders|alerts)$/
const FOLDED = /^(book|bars\..+)$/

/** Returns the kind of a channel of the protocol. */
export const kindOf = (channel: string): ChannelKind =>
  HISTORIES.test(channel) ? 'history' : FOLDED.test(channel) ? 'folded' : 'last'

/** Returns the kind of an application's own channel. */
export const kindOfOwn = ({ reduce }: Pick<OwnChannel, 'reduce'>): ChannelKind =>
  reduce === undefined ? 'history' : reduce === 'last' ? 'last' : 'folded'

/** Returns whether a selector is a set, such as `*` and `@market/KOSPI`. */
export const isSet = (selector: string | undefined): selector is string =>
  selector === '*' || selector?.startsWith('@') === true

/** Returns the field that names a symbol; a channel without symbols has none. */
export const named = (symbol: string | undefined): { readonly symbol?: string } =>
  symbol === undefined ? {} : { symbol }

/** Returns the channel and the symbol of a topic, as {@link topicOf} writes it. */
export function splitTopic (topic: string): [channel: string, symbol: string | undefined] {
  const colon = topic.indexOf(':')
  return colon < 0 ? [topic, undefined] : [topic.slice(0, colon), topic.slice(colon + 1)]
}

/** Returns the topic of a message, as it is written: `quotes:AAPL`, `news`. */
export const topicOf = ({ channel, symbol }: {
  readonly channel: string
  readonly symbol?: string | undefined
}): string => symbol === undefined ? channel : `${channel}:${symbol}`
