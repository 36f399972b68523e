import type { Book } from '@tickwire/protocol'
import { reduceBook } from '@tickwire/protocol/book-levels'
import { compareDecimals } from '@tickwire/protocol/decimal'
import type { KeyedChannels, Reset } from './channels.js'
import { crc32 } from './crc32.js'
import type { Client } from './client.js'
import { Listeners } from './listeners.js'
import type { Subscription } from './subscription.js'

export type Level = [price: string, size: string]

export interface BookOptions {
  /** The best so many levels of each side: 1–5000; default: all. */
  readonly depth?: number
  /** At most one change in so many milliseconds: 10–60000. */
  readonly throttleMs?: number
}

/** What a book holds at a moment. Each change makes another object; it is never changed in place. */
export interface BookSnapshot {
  readonly symbol: string
  /** Best first, without levels of size zero. */
  readonly bids: readonly Level[]
  readonly asks: readonly Level[]
  /** Nobody knows what the book holds: no snapshot came yet, or the server says so. */
  readonly stale: boolean
  /** The sequence of the last message in it; 0: none. */
  readonly sequence: number
  /** The best ask less the best bid; undefined if a side is empty. */
  readonly spread: string | undefined
  /** The venue's checksum, where the whole book comes without `depth` and `throttleMs`. */
  readonly checksum: string | number | undefined
}

/** One book, for as long as somebody looks at it. */
export interface BookView {
  /** The present book, cut to the view's depth. */
  readonly snapshot: () => BookSnapshot
  /** Calls a listener after each change. @returns a function that takes it away */
  readonly onChange: (listener: () => void) => () => void
  readonly subscription: Subscription<KeyedChannels['book']>
  readonly close: () => void
}

type BookMessage = KeyedChannels['book']

/** Nobody knows what a book holds until its first snapshot. */
const unknown = (symbol: string): Book => ({ symbol, bids: [], asks: [], stale: true })

/** One book, whatever views there are of it. */
class BookStore {
  book: Book
  /** The sequence of the last message in the book; 0: none. */
  sequence = 0
  /** Grows with each change. */
  version = 0
  views = 0
  readonly listeners = new Listeners()
  #last: BookMessage | Reset | undefined

  constructor (readonly symbol: string) {
    this.book = unknown(symbol)
  }

  /** Every view's subscription brings the same events; the first one counts. */
  take (event: BookMessage | Reset): void {
    if (event === this.#last) return
    this.#last = event
    const isReset = event.type === 'reset'
    this.book = isReset ? unknown(this.symbol) : reduceBook(this.book, event.data, event.snapshot === true)
    this.sequence = isReset ? 0 : event.sequence
    this.version++
    this.listeners.tell()
  }
}

/** By client and symbol. */
const stores = new WeakMap<Client, Map<string, BookStore>>()

function storesOf (client: Client): Map<string, BookStore> {
  const known = stores.get(client) ?? new Map<string, BookStore>()
  stores.set(client, known)
  return known
}

/**
 * Opens a view of a book. All views of a symbol share one subscription and one set of levels; the server
 * sends the greatest depth among them.
 */
export function openBook (client: Client, symbol: string, options: BookOptions = {}): BookView {
  const shared = storesOf(client)
  const store = shared.get(symbol) ?? new BookStore(symbol)
  shared.set(symbol, store)
  store.views++
  const subscription = client.subscribe('book', [symbol], options)
  const listeners = new Listeners()
  const stop = store.listeners.add(() => { listeners.tell() })
  subscription.listen(event => { store.take(event) })
  let seen: number | undefined
  let snapshot: BookSnapshot | undefined
  const { depth = Infinity } = options
  return {
    snapshot () {
      const { book: { bids, asks, stale = false, checksum }, sequence } = store
      if (snapshot === undefined || seen !== store.version) {
        seen = store.version
        const spread = spreadOf(bids[0]?.[0], asks[0]?.[0])
        const isWhole = depth === Infinity && options.throttleMs === undefined
        snapshot = {
          symbol,
          bids: bids.slice(0, depth),
          asks: asks.slice(0, depth),
          stale,
          sequence,
          spread,
          checksum: isWhole ? checksum : undefined
        }
      }
      return snapshot
    },
    onChange: listener => listeners.add(listener),
    subscription,
    close () {
      if (subscription.closed) return
      stop()
      subscription.close()
      if (--store.views === 0) shared.delete(symbol)
    }
  }
}

/** Returns the ask less the bid, exactly. */
function spreadOf (bid: string | undefined, ask: string | undefined): string | undefined {
  if (bid === undefined || ask === undefined) return undefined
  const scale = Math.max(...[bid, ask].map(price => (price.split('.')[1] ?? '').length))
  const units = (price: string): bigint => {
    const [whole = '', part = ''] = price.split('.')
    return BigInt(whole + part.padEnd(scale, '0'))
  }
  const difference = units(ask) - units(bid)
  const digits = String(difference < 0n ? -difference : difference).padStart(scale + 1, '0')
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
  return difference < 0n ? `-${text}` : text
}

/** Returns whether the best bid is below the best ask, as in every sound book. */
export const isCrossed = ({ bids, asks }: Pick<BookSnapshot, 'bids' | 'asks'>): boolean =>
  bids.length > 0 && asks.length > 0 && compareDecimals(bids[0]![0], asks[0]![0]) >= 0

/** How many of the best levels of each side Kraken's checksum covers. */
const KRAKEN_LEVELS = 10

/**
 * Returns the checksum that Kraken sends with its books: the CRC32 of the digits of the best ten asks, then
 * bids, without points and leading zeros.
 */
export function krakenChecksum ({ bids, asks }: Pick<BookSnapshot, 'bids' | 'asks'>): number {
  const digits = [asks, bids].flatMap(side => side.slice(0, KRAKEN_LEVELS)).flat()
  return crc32(digits.map(decimal => decimal.replace('.', '').replace(/^0+(?=.)/, '')).join(''))
}
