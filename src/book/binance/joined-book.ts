import type { BookEvent, BookMessage, Change, Fault } from '../book-event.js'
import { type EventTaker, VenueBook, type VenueBookOptions } from '../venue-book.js'

/**
 * The most updates that wait for a snapshot: more than a minute's, at ten a second. Beyond that the book
 * drops the oldest, and refuses a snapshot that would need them.
 */
const MAX_WAITING = 1000

/** A change whose numbers the venue gave. */
type Numbered = Change & { readonly first: number, readonly last: number }

const isNumbered = (change: Change): change is Numbered =>
  change.first !== undefined && change.last !== undefined

/**
 * A book that joins the updates of a stream with a snapshot that was asked for meanwhile. Updates that the
 * book has are dropped. Each other must begin at most one beyond it: otherwise one is missing. One that
 * begins earlier came on another connection, which cuts the same changes into other updates; since sizes are
 * whole and not differences, it may be applied over what the book has of it.
 */
export class JoinedBook implements EventTaker {
  /** The number of the last change in the book; undefined while updates wait for a snapshot. */
  private last: number | undefined
  /** The greatest number that the book has had. */
  private newest = 0
  private waiting: Numbered[] = []
  private readonly book: VenueBook

  constructor (options: VenueBookOptions) {
    this.book = new VenueBook(options)
  }

  take (event: BookEvent): BookMessage | undefined {
    if (event.kind === 'malformed') return this.fail({ reason: 'malformed', detail: event.detail })
    if (event.kind === 'snapshot') return this.begin(event)
    if (!isNumbered(event)) return this.fail({ reason: 'malformed', detail: 'an update without numbers' })
    return this.last === undefined ? this.wait(event) : this.update(event, this.last)
  }

  /** Drops the waiting updates, too: they came before the missing one. */
  fail (fault: Fault): BookMessage | undefined {
    this.restart([])
    return this.book.fail(fault)
  }

  private wait (update: Numbered): undefined {
    this.waiting.push(update)
    if (this.waiting.length > MAX_WAITING) this.waiting.shift()
  }

  private update (update: Numbered, last: number): BookMessage | undefined {
    // It was sent twice, or the snapshot has it.
    if (update.last <= last) return undefined
    const gap = this.gapBefore(update, last)
    if (gap !== undefined) {
      this.restart([update])
      return this.book.fail(gap)
    }
    this.note(update)
    const message = this.book.take(update)
    if (this.book.state !== 'sound') this.restart([])
    return message
  }

  private begin (snapshot: Change): BookMessage | undefined {
    const { last } = snapshot
    if (last === undefined) return this.fail({ reason: 'malformed', detail: 'a snapshot without a number' })
    // The book has more than an old snapshot.
    if (this.last !== undefined && last < this.last) return undefined
    // A cache of the venue may answer with what was there before: the book would go back in time.
    if (last < this.newest) {
      return this.book.fail({ reason: 'gap', detail: `a snapshot of ${last} came, after ${this.newest}` })
    }
    const { waiting } = this
    const updates: Numbered[] = []
    this.restart([])
    this.last = this.newest = last
    for (const [index, update] of waiting.entries()) {
      if (update.last <= this.last) continue
      const gap = this.gapBefore(update, this.last)
      if (gap !== undefined) {
        this.restart(waiting.slice(index))
        return this.book.fail(gap)
      }
      this.note(update)
      updates.push(update)
    }
    const message = this.book.begin(snapshot, updates)
    if (this.book.state !== 'sound') this.restart([])
    return message
  }

  private note ({ last }: Numbered): void {
    this.last = this.newest = last
  }

  private gapBefore ({ first, last }: Numbered, known: number): Fault | undefined {
    const next = known + 1
    if (first <= next) return undefined
    return { reason: 'gap', detail: `an update from ${first} to ${last} came, where ${next} is next` }
  }

  private restart (waiting: Numbered[]): void {
    this.last = undefined
    this.waiting = waiting
  }
}
