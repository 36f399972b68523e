import type { BookEvent, BookMessage, Fault } from './book-event.js'
import type { EventTaker } from './venue-book.js'

/** The books of one feed, by the venue's own names. What is wrong with one of them disturbs no other. */
export class Books<Taker extends EventTaker = EventTaker> {
  private readonly books = new Map<string, Taker>()

  /**
   * @param open makes the book of a symbol when its first event comes; undefined for a symbol for which
   *   nobody asked
   */
  constructor (private readonly open: (symbol: string) => Taker | undefined) {}

  /** @returns what is to be published */
  take (events: readonly BookEvent[]): BookMessage[] {
    const messages: BookMessage[] = []
    for (const event of events) {
      const message = this.bookOf(event.symbol)?.take(event)
      if (message !== undefined) messages.push(message)
    }
    return messages
  }

  /**
   * Notes that the feed was cut: every book needs a new snapshot.
   * @returns the messages that make the books stale
   */
  failAll (fault: Fault): BookMessage[] {
    return [...this.books.values()].flatMap(book => book.fail(fault) ?? [])
  }

  /** Returns the book of a symbol whose first event has come. */
  get (symbol: string): Taker | undefined {
    return this.books.get(symbol)
  }

  private bookOf (symbol: string): Taker | undefined {
    let book = this.books.get(symbol)
    if (book === undefined) {
      book = this.open(symbol)
      if (book !== undefined) this.books.set(symbol, book)
    }
    return book
  }
}
