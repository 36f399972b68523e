import type { Subscription } from './events.js'
import type { Choices } from '../helpers/random.js'

/** The symbols of the runs: one of them is not ASCII, as it stands in URLs too. */
const SYMBOLS = ['AAPL', '삼성전자'] as const
const BOOK = 'BTC-USDT'

/** What a run publishes and subscribes to: histories, and states. */
export const topics = [
  ...SYMBOLS.map(symbol => `trades:${symbol}`), 'news',
  ...SYMBOLS.map(symbol => `quotes:${symbol}`), `book:${BOOK}`
]

const STATES = new Set(['quotes', 'book'])
export const channelOf = (topic: string): string => topic.split(':')[0]!
export const symbolOf = (topic: string): string | undefined => topic.split(':')[1]
export const hasState = (topic: string): boolean => STATES.has(channelOf(topic))

/** @param throttleMs of the quotes; undefined: every one of them */
export const subscriptions = (throttleMs: number | undefined): Subscription[] => [
  { channel: 'trades', symbols: SYMBOLS },
  { channel: 'news' },
  { channel: 'quotes', symbols: SYMBOLS, ...throttleMs === undefined ? {} : { throttle_ms: throttleMs } },
  { channel: 'book', symbols: [BOOK] }
]

interface Numbered {
  readonly headline?: string
  readonly trade_id?: string
  readonly volume?: string
  readonly venue_sequence?: number
}

/** Every message carries its number in a field of its channel. */
export function numberOf (topic: string, data: unknown): string {
  const { headline, trade_id: trade, volume, venue_sequence: venue } = (data ?? {}) as Numbered
  switch (channelOf(topic)) {
    case 'news': return String(headline)
    case 'trades': return String(trade)
    case 'quotes': return String(volume)
    default: return String(venue)
  }
}

const LEVELS = 6
const TIME = '2026-01-05T03:00:00Z'

/** Message number `number` of a topic. @param replaces whether a book's levels are all that it has */
export function dataOf (topic: string, number: number, replaces: boolean, choices: Choices): object {
  const symbol = symbolOf(topic)
  const price = (whole: number): string => `${whole}.${choices.integer(0, 9)}0`
  const size = (): string => String(choices.integer(replaces ? 1 : 0, 9))
  switch (channelOf(topic)) {
    case 'news': return { headline: String(number), source: 'chaos', symbols: [], timestamp: TIME }
    case 'trades': return { symbol, price: price(100), size: '1', timestamp: TIME, trade_id: String(number) }
    case 'quotes': return { symbol, bid: price(99), ask: price(101), volume: String(number) }
    default: {
      const level = (first: number): [string, string] =>
        [String(first + choices.integer(0, LEVELS - 1)), size()]
      const some = (first: number): Array<[string, string]> =>
        replaces ? Array.from({ length: LEVELS }, (_, at) => [String(first + at), size()]) : [level(first)]
      return { symbol, bids: some(100 - LEVELS), asks: some(101), venue_sequence: number }
    }
  }
}
