import { type Book, book, type ErrorCode } from '@tickwire/protocol'
import type { Publication, PublishResult } from '../publisher/publisher.js'

export type Refusal = Extract<PublishResult, { code: ErrorCode }>

/** What becomes of a message: what is published in its place, and why it is refused itself; one of them, or both. */
export interface Delivery {
  readonly publication?: Publication
  readonly refusal?: Refusal
}

const DROPPED: Refusal = { code: 'invalid_message', message: 'an earlier message of this book could not be delivered: it is stale until its next snapshot' }

const staleBook = (symbol: string): Publication => (
  { channel: book.name, symbol, snapshot: true, data: { symbol, bids: [], asks: [], stale: true } satisfies Book })

/**
 * Sees to it that no book is silently wrong. An update that cannot be delivered leaves the book without it for ever: the book is
 * published as stale in its place, and further updates are dropped until the source brings a snapshot (PROTOCOL.md, Data: `stale`).
 */
export class SoundBooks {
  private readonly unsound = new Set<string>()

  /** @param refusalOf why a message cannot be published */
  constructor (private readonly refusalOf: (publication: Publication) => Refusal | undefined) {}

  deliver (publication: Publication): Delivery {
    const { channel, symbol, snapshot } = publication
    if (channel !== book.name || symbol === undefined) return { publication }
    const refusal = this.refusalOf(publication)
    if (refusal !== undefined) return this.becomesStale(symbol) ? { refusal, publication: staleBook(symbol) } : { refusal }
    if (snapshot === true) this.unsound.delete(symbol)
    return this.unsound.has(symbol) ? { refusal: DROPPED } : { publication }
  }

  /** The log has refused one: there is no such topic, and none may begin in the middle. */
  lost ({ channel, symbol }: Publication): void {
    if (channel === book.name && symbol !== undefined) this.unsound.add(symbol)
  }

  /** Whether a refusal is only that of an update of a book that is stale already. */
  static isDropped (refusal: Refusal): boolean {
    return refusal === DROPPED
  }

  private becomesStale (symbol: string): boolean {
    if (this.unsound.has(symbol) || this.refusalOf(staleBook(symbol)) !== undefined) return false
    this.unsound.add(symbol)
    return true
  }
}
