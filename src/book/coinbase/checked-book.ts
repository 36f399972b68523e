import type { BookLevel } from '@tickwire/protocol'
import { compareDecimals } from '@tickwire/protocol'
import type { BookEvent, BookMessage, Fault } from '../book-event.js'
import { type EventTaker, VenueBook, type VenueBookOptions } from '../venue-book.js'

/** The best prices that the venue says beside the book. */
export interface BestPrices {
  readonly bid: string
  readonly ask: string
}

/** For how long the book may differ from what the venue says beside it. */
const MAX_DIFFERING_MS = 1000

/**
 * A book without numbers or checksums, held against best prices that the venue sends beside it. Both describe
 * the same book at slightly different times. So a price is confirmed once the book has it as its best, before
 * or after the price was sent; if none of a second's prices is, the book is not what the venue has.
 */
export class CheckedBook implements EventTaker {
  private readonly book: VenueBook
  private readonly bid = new Confirmation()
  private readonly ask = new Confirmation()

  constructor (options: VenueBookOptions) {
    this.book = new VenueBook(options)
  }

  take (event: BookEvent): BookMessage | undefined {
    const message = this.book.take(event)
    if (event.kind === 'snapshot' || this.book.state !== 'sound') this.forget()
    this.compare()
    return message
  }

  fail (fault: Fault): BookMessage | undefined {
    this.forget()
    return this.book.fail(fault)
  }

  /** Notes the best prices that the venue says. @param now in milliseconds */
  expect ({ bid, ask }: BestPrices, now: number): void {
    if (this.book.state !== 'sound') return
    this.bid.expect(bid, now)
    this.ask.expect(ask, now)
    this.compare()
  }

  /** Makes the book stale if it has differed for too long. @param now in milliseconds */
  judge (now: number): BookMessage | undefined {
    const since = Math.min(this.bid.since, this.ask.since)
    if (now - since < MAX_DIFFERING_MS) return undefined
    const [side, price, best] = this.bid.since === since
      ? ['bid', this.bid.price, this.book.best.bid] as const
      : ['ask', this.ask.price, this.book.best.ask] as const
    return this.fail({
      reason: 'differs',
      detail: `the best ${side} is ${best?.[0] ?? 'absent'}; the venue says ${price} for a second`
    })
  }

  private compare (): void {
    const { bid, ask } = this.book.best
    this.bid.see(bid)
    this.ask.see(ask)
  }

  private forget (): void {
    this.bid.forget()
    this.ask.forget()
  }
}

/** One side's best price as the venue says it, until the book has had it. */
class Confirmation {
  /** Since when no price was confirmed; Infinity if the last one was. */
  since = Infinity
  price = ''
  private seen: readonly [string | undefined, string | undefined] = [undefined, undefined]

  expect (price: string, now: number): void {
    this.price = price
    if (this.since === Infinity) this.since = now
    // The book may have moved on just before.
    const wasBest = this.seen.some(best => best !== undefined && compareDecimals(best, price) === 0)
    if (wasBest) this.since = Infinity
  }

  see (best: BookLevel | undefined): void {
    const price = best?.[0]
    if (price !== this.seen[0]) this.seen = [price, this.seen[0]]
    if (this.since === Infinity || price === undefined) return
    if (compareDecimals(price, this.price) === 0) this.since = Infinity
  }

  forget (): void {
    this.since = Infinity
    this.seen = [undefined, undefined]
  }
}
