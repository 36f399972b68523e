import type { TickwireClient } from '@tickwire/client'
import type { Quote } from '@tickwire/protocol'
import { frozen } from '../../app/freeze.js'
import { createStore, type Store } from '../../app/store.js'

/**
 * How often all quotes come: by these the rows are sorted. The server sends each in a frame of its own, and
 * the browser runs a task for each frame (`npm run bench -- desk`).
 */
const THROTTLE_MS = 1000
/** How often those in view come: a person cannot read a cell that changes more often. */
const IN_VIEW_MS = 250
/**
 * How long the same rows must be in view before they are followed: with each change of a subscription the
 * server sends what waits for the connection.
 */
const STILL_MS = 1000
/** How often rows may change their places: a list that never stands still cannot be read. */
const ORDER_MS = 500

/** What a row shows. It is changed in place; its watcher is told once a frame. */
export interface QuoteRow {
  readonly symbol: string
  quote: Quote | undefined
  /** The price, its change in percent and the volume, as numbers to sort by; -Infinity: unknown. */
  last: number
  change: number
  volume: number
  /** The sign of the last change of the price. */
  direction: number
}

const newRow = (symbol: string): QuoteRow =>
  ({ symbol, quote: undefined, last: -Infinity, change: -Infinity, volume: -Infinity, direction: 0 })

const numberOf = (decimal: string | undefined): number =>
  decimal === undefined ? -Infinity : Number(decimal)

/**
 * The quotes of all symbols. Messages change rows in place, and once a frame the rows that somebody sees
 * write their own cells: React renders only when rows come, go or move.
 */
export class QuoteBoard {
  /** Grows when values have changed that an order may depend on. */
  readonly order: Store<number> = createStore(0)
  readonly #rows = new Map<string, QuoteRow>()
  readonly #watchers = new Map<string, (row: QuoteRow) => void>()
  readonly #changed = new Set<string>()
  #client: TickwireClient | undefined
  #inView: { readonly key: string, readonly close: () => void } | undefined
  #still: ReturnType<typeof setTimeout> | undefined
  #frame: number | undefined
  #isOrderOld = false

  /** Follows all quotes. @returns a function that ends it */
  follow (client: TickwireClient): () => void {
    this.#client = client
    const subscription = client.subscribe('quotes', ['*'], { throttleMs: THROTTLE_MS })
    // Also what comes for those in view: each subscription is given all messages of its topics.
    subscription.listen(event => {
      if (event.type === 'reset') this.#put(event.symbol ?? '', undefined)
      else this.#put(event.data.symbol, event.data)
    })
    this.#viewChanged()
    const timer = setInterval(() => {
      if (!this.#isOrderOld || frozen.get()) return
      this.#isOrderOld = false
      this.order.set(this.order.get() + 1)
    }, ORDER_MS)
    const stop = frozen.subscribe(() => { this.#soon() })
    return () => {
      this.#client = undefined
      subscription.close()
      clearTimeout(this.#still)
      this.#inView?.close()
      this.#inView = undefined
      clearInterval(timer)
      stop()
      for (const symbol of this.#rows.keys()) this.#put(symbol, undefined)
    }
  }

  row (symbol: string): QuoteRow {
    let row = this.#rows.get(symbol)
    if (row === undefined) this.#rows.set(symbol, row = newRow(symbol))
    return row
  }

  /** Calls `write` with the row of a symbol now, and after each change once a frame. */
  watch (symbol: string, write: (row: QuoteRow) => void): () => void {
    this.#watchers.set(symbol, write)
    this.#viewChanged()
    write(this.row(symbol))
    return () => {
      if (this.#watchers.get(symbol) !== write) return
      this.#watchers.delete(symbol)
      this.#viewChanged()
    }
  }

  #viewChanged (): void {
    clearTimeout(this.#still)
    this.#still = setTimeout(() => { this.#followView() }, STILL_MS)
  }

  #followView (): void {
    const symbols = [...this.#watchers.keys()].sort()
    const key = symbols.join(' ')
    if (this.#client === undefined || key === this.#inView?.key) return
    // The new one before the old one ends, so that what is in both goes on.
    const next = symbols.length === 0
      ? undefined
      : this.#client.subscribe('quotes', symbols, { throttleMs: IN_VIEW_MS })
    this.#inView?.close()
    this.#inView = next === undefined ? undefined : { key, close: () => { next.close() } }
  }

  #put (symbol: string, quote: Quote | undefined): void {
    const row = this.row(symbol)
    const before = row.last
    row.quote = quote
    row.last = numberOf(quote?.last ?? quote?.bid)
    row.change = numberOf(quote?.change_percent)
    row.volume = numberOf(quote?.volume)
    row.direction = Math.sign(row.last - before) || 0
    this.#isOrderOld = true
    this.#changed.add(symbol)
    this.#soon()
  }

  #soon (): void {
    this.#frame ??= requestAnimationFrame(() => { this.#write() })
  }

  #write (): void {
    this.#frame = undefined
    if (frozen.get()) return
    for (const symbol of this.#changed) this.#watchers.get(symbol)?.(this.row(symbol))
    this.#changed.clear()
  }
}
