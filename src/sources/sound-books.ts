import { book, type ErrorCode } from '@tickwire/protocol'
import { staleBook } from '../book/book-event.js'
import type { Publication, PublishResult } from '../publisher/publisher.js'

export type Refusal = Extract<PublishResult, { code: ErrorCode }>

/** What to do with a message: publish something in its place, refuse it, or both. */
export interface Delivery {
  readonly publication?: Publication
  readonly refusal?: Refusal
}

const DROPPED: Refusal = {
  code: 'invalid_message',
  message: 'an earlier message of this book could not be delivered: the book is stale until its next snapshot'
}

/**
 * Makes sure that no book is wrong without saying so. If an update cannot be delivered, the book lacks it for
 * ever. So a stale book takes the place of that update, and later updates are refused until the source sends
 * a snapshot (PROTOCOL.md, Data: `stale`).
 */
export class SoundBooks {
  private readonly unsound = new Set<string>()

  /** @param refusalOf says why a message cannot be published; undefined if it can */
  constructor (private readonly refusalOf: (publication: Publication) => Refusal | undefined) {}

  deliver (publication: Publication): Delivery {
    const { channel, symbol, snapshot } = publication
    if (channel !== book.name || symbol === undefined) return { publication }
    const refusal = this.refusalOf(publication)
    if (refusal !== undefined) {
      return this.becomesStale(symbol) ? { refusal, publication: staleBook(symbol) } : { refusal }
    }
    if (snapshot === true) this.unsound.delete(symbol)
    return this.unsound.has(symbol) ? { refusal: DROPPED } : { publication }
  }

  /**
   * Notes that the log has refused a message. The topic then has no beginning, and must not begin with an
   * update.
   */
  lost ({ channel, symbol }: Publication): void {
    if (channel === book.name && symbol !== undefined) this.unsound.add(symbol)
  }

  /** Tells whether a refusal only says that the book of an update was stale already. */
  static isDropped (refusal: Refusal): boolean {
    return refusal === DROPPED
  }

  private becomesStale (symbol: string): boolean {
    if (this.unsound.has(symbol) || this.refusalOf(staleBook(symbol)) !== undefined) return false
    this.unsound.add(symbol)
    return true
  }
}
