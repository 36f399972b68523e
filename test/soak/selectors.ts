import { isSet } from '../fleet/ledger.js'
import type { Choices } from '../helpers/random.js'
import type { FeedOptions } from './server-process.js'

/** What a client subscribes to: a channel, one symbol or set of it, and how. */
export interface Choice {
  readonly channel: string
  readonly symbol: string
  readonly options: { readonly throttle_ms?: number, readonly depth?: number, readonly last?: number }
}

/** A choice that a client holds. */
export interface Held extends Choice {
  /** `covered`: its `subscribed` came before the cursor that is kept, which is good for it then. */
  state: 'asked' | 'confirmed' | 'covered'
}

const MARKETS = 10
const SECTORS = 5
const WHOLE = {}

export const keyOf = ({ channel, symbol }: Pick<Choice, 'channel' | 'symbol'>): string => `${channel}:${symbol}`

/** All that is large: who does not read it lags within seconds. */
export const BULK: Choice = { channel: 'bulk', symbol: '*', options: WHOLE }

/** Mostly single topics, as they are; some sets, throttled quotes and cut books. */
function choose (random: Choices, { trades, quotes, books }: FeedOptions): Choice {
  const one = (count: number): string => `S${random.integer(0, count - 1)}`
  const draw = random.next()
  if (draw < 0.45) return { channel: 'trades', symbol: one(trades), options: WHOLE }
  if (draw < 0.5) return { channel: 'trades', symbol: one(trades), options: { last: 5 } }
  if (draw < 0.65) return { channel: 'quotes', symbol: one(quotes), options: WHOLE }
  if (draw < 0.77) return { channel: 'quotes', symbol: one(quotes), options: { throttle_ms: random.pick([250, 1000]) } }
  if (draw < 0.86) return { channel: 'book', symbol: one(books), options: WHOLE }
  if (draw < 0.95) return { channel: 'book', symbol: one(books), options: { depth: random.pick([1, 5]) } }
  if (draw < 0.98) return { channel: 'trades', symbol: `@market/M${random.integer(0, MARKETS - 1)}`, options: WHOLE }
  return { channel: 'quotes', symbol: `@sector/X${random.integer(0, SECTORS - 1)}`, options: { throttle_ms: 1000 } }
}

/** One that overlaps with none of those in use; undefined where that is not found at once. */
export function chooseBeside (
  random: Choices, feed: FeedOptions, inUse: ReadonlyArray<Pick<Choice, 'channel' | 'symbol'>>
): Choice | undefined {
  const choice = choose(random, feed)
  const { channel, symbol } = choice
  const overlaps = (other: Pick<Choice, 'channel' | 'symbol'>): boolean =>
    other.channel === channel && (other.symbol === symbol || isSet(other.symbol) || isSet(symbol))
  return inUse.some(overlaps) ? undefined : choice
}

/** A choice as a `subscribe` of a query. @param fresh beside `after`: the cursor is not good for it */
export function subscribeParameter (choice: Choice, fresh: boolean): string {
  const options = Object.entries(choice.options).map(([name, value]) => `;${name}=${value}`).join('')
  return `subscribe=${keyOf(choice)}${options}${fresh ? ';fresh' : ''}`
}
