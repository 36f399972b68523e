import type { BookLevel } from '@tickwire/protocol'
import { type BookEvent, type BookMessage, type Change, type Fault, staleBook } from './book-event.js'
import { OrderBook, type Sides } from './order-book.js'

/** What takes the events of one book. */
export interface EventTaker {
  /** @returns what is to be published; undefined if that is nothing */
  take (event: BookEvent): BookMessage | undefined
  /** Notes that the book is not what the venue has, by something that no event says. */
  fail (fault: Fault): BookMessage | undefined
}

export interface VenueBookOptions {
  /** The name in what is published. */
  readonly symbol: string
  /** How many levels of each side the venue keeps. */
  readonly depth?: number | undefined
  /** Returns the venue's checksum of a book. Absent: what the venue sends as a checksum is not looked at. */
  readonly checksumOf?: (book: Sides) => number
  /** Called for each fault: the book needs a new snapshot. */
  readonly onFault?: (fault: Fault) => void
}

/**
 * The book of one symbol as its venue has it, or stale. A `waiting` book has had no snapshot yet. A `sound`
 * book is what the venue has, as far as the venue lets us know. A `stale` book has published that it is not,
 * and publishes nothing more.
 *
 * | | snapshot | update | fault |
 * |---|---|---|---|
 * | waiting | sound | stale | stale |
 * | sound | sound | sound | stale |
 * | stale | sound | stale | stale |
 *
 * A snapshot or an update that shows a fault makes the book stale, whatever it was.
 */
export class VenueBook implements EventTaker {
  private current: 'waiting' | 'sound' | 'stale' = 'waiting'
  private readonly book: OrderBook

  constructor (private readonly options: VenueBookOptions) {
    this.book = new OrderBook(options.depth)
  }

  get state (): 'waiting' | 'sound' | 'stale' {
    return this.current
  }

  /** The best level of each side. */
  get best (): { readonly bid: BookLevel | undefined, readonly ask: BookLevel | undefined } {
    return { bid: this.book.bids[0], ask: this.book.asks[0] }
  }

  take (event: BookEvent): BookMessage | undefined {
    if (event.kind === 'malformed') return this.fail({ reason: 'malformed', detail: event.detail })
    return event.kind === 'snapshot' ? this.begin(event) : this.update(event)
  }

  fail (fault: Fault): BookMessage | undefined {
    this.options.onFault?.(fault)
    if (this.current === 'stale') return undefined
    this.current = 'stale'
    this.book.clear()
    return { ...staleBook(this.options.symbol), fault }
  }

  /**
   * Begins from a snapshot.
   * @param updates what has changed since; none of it is published by itself
   */
  begin (snapshot: Change, updates: readonly Change[] = []): BookMessage | undefined {
    this.book.replace(snapshot)
    let last = snapshot
    let fault = this.faultOf(snapshot)
    for (const update of updates) {
      if (fault !== undefined) break
      this.book.apply(update)
      last = update
      fault = this.faultOf(update)
    }
    if (fault !== undefined) return this.fail(fault)
    this.current = 'sound'
    return { ...this.message(last, this.book.copy()), snapshot: true }
  }

  private update (update: Change): BookMessage | undefined {
    if (this.current === 'stale') return undefined
    if (this.current === 'waiting') {
      return this.fail({ reason: 'gap', detail: 'an update came before a snapshot' })
    }
    const changes = this.book.apply(update)
    const fault = this.faultOf(update)
    return fault === undefined ? this.message(update, changes) : this.fail(fault)
  }

  private faultOf ({ checksum }: Change): Fault | undefined {
    const { book, options: { checksumOf } } = this
    if (book.isCrossed) {
      const [bid, ask] = [book.bids[0]?.[0], book.asks[0]?.[0]]
      return { reason: 'crossed', detail: `the best bid ${bid} is not below the best ask ${ask}` }
    }
    if (checksum === undefined || checksumOf === undefined) return undefined
    const own = checksumOf(book)
    if (own === Number(checksum)) return undefined
    return { reason: 'checksum', detail: `the checksum of the book is ${own}; the venue has ${checksum}` }
  }

  private message ({ checksum, last }: Change, { bids, asks }: Sides): BookMessage {
    const { symbol } = this.options
    return {
      channel: 'book',
      symbol,
      data: {
        symbol,
        bids: bids as BookMessage['data']['bids'],
        asks: asks as BookMessage['data']['asks'],
        ...(checksum === undefined ? {} : { checksum }),
        ...(last === undefined ? {} : { venue_sequence: last })
      }
    }
  }
}
