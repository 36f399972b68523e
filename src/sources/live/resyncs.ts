import { Backoff } from './backoff.js'
import type { Cancel, Clock } from './clock.js'

export interface ResyncOptions {
  readonly clock: Clock
  readonly random: () => number
  /**
   * Asks the venue for a snapshot of one book.
   * @returns whether it must come within a time; otherwise {@link Resyncs.failed} says that it does not come
   */
  ask (symbol: string): boolean
}

/** How long the venue may take to send a snapshot that was asked for. */
const ANSWER_MS = 10_000
const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 60_000
/** A book that has been sound for so long is asked for at once again. */
const SETTLED_MS = 30_000
/** How often each book gets a fresh snapshot, on average (ADR 42, What cannot be known). */
const REFRESH_MS = 300_000

/** What is known of one book's resyncs. */
interface Asking {
  /**
   * `idle`: it has its snapshot; `expected`: the subscription brings one; `asked`: one is on its way;
   * `waiting`: one is asked for after a while.
   */
  state: 'idle' | 'expected' | 'asked' | 'waiting'
  since: number
  readonly backoff: Backoff
  cancel: Cancel | undefined
}

/**
 * Has the venue send snapshots of single books: for one that is stale, and for each now and then. Each book
 * has one request at most under way; one that fails again and again is asked for ever more rarely.
 */
export class Resyncs {
  private readonly books = new Map<string, Asking>()
  private refreshing: Cancel | undefined

  constructor (private readonly symbols: readonly string[], private readonly options: ResyncOptions) {}

  /** Notes that the venue was just told to send all books. */
  begin (): void {
    this.end()
    for (const symbol of this.symbols) this.await(symbol, 'expected')
    this.refreshLater()
  }

  /** Asks for the snapshots that a subscription alone does not bring. */
  askAll (): void {
    for (const [symbol, { state }] of this.books) if (state === 'expected') this.ask(symbol)
  }

  /** Notes that a book needs a snapshot. */
  failed (symbol: string): void {
    const asking = this.of(symbol)
    if (asking.state === 'waiting') return
    const isSettled = asking.state === 'idle' && this.options.clock.now() - asking.since >= SETTLED_MS
    if (isSettled) {
      asking.backoff.reset()
      this.ask(symbol)
    } else this.askLater(symbol)
  }

  /** Notes that the snapshot of a book has come. */
  arrived (symbol: string): void {
    this.move(symbol, 'idle')
  }

  /**
   * Notes that a request was answered. A snapshot that made the book fail has asked for another already. One
   * that is older than a sound book changes nothing: the book has been followed without a gap.
   */
  answered (symbol: string): void {
    if (this.books.get(symbol)?.state === 'asked') this.move(symbol, 'idle')
  }

  /** Asks nothing more of a symbol, until {@link begin}. */
  forget (symbol: string): void {
    this.books.get(symbol)?.cancel?.()
    this.books.delete(symbol)
  }

  end (): void {
    this.refreshing?.()
    for (const { cancel } of this.books.values()) cancel?.()
    this.books.clear()
  }

  private of (symbol: string): Asking {
    let asking = this.books.get(symbol)
    if (asking === undefined) {
      const backoff = new Backoff(this.options.random, FIRST_WAIT_MS, LONGEST_WAIT_MS)
      asking = { state: 'idle', since: -Infinity, backoff, cancel: undefined }
      this.books.set(symbol, asking)
    }
    return asking
  }

  private move (symbol: string, state: Asking['state']): Asking {
    const asking = this.of(symbol)
    asking.cancel?.()
    asking.cancel = undefined
    // A snapshot that nobody asked for leaves the time since which the book is sound.
    if (asking.state !== state) asking.since = this.options.clock.now()
    asking.state = state
    return asking
  }

  private ask (symbol: string): void {
    if (this.options.ask(symbol)) this.await(symbol, 'asked')
    else this.move(symbol, 'asked')
  }

  private await (symbol: string, state: 'expected' | 'asked'): void {
    this.move(symbol, state).cancel = this.options.clock.after(ANSWER_MS, () => { this.askLater(symbol) })
  }

  private askLater (symbol: string): void {
    const asking = this.move(symbol, 'waiting')
    asking.cancel = this.options.clock.after(asking.backoff.next(), () => { this.ask(symbol) })
  }

  /** Refreshes one book after another, at times that do not repeat. */
  private refreshLater (at = 0): void {
    const { clock, random } = this.options
    const meanMs = REFRESH_MS / this.symbols.length
    this.refreshing = clock.after(meanMs * (0.5 + random()), () => {
      const symbol = this.symbols[at % this.symbols.length]!
      if (this.books.get(symbol)?.state === 'idle') this.ask(symbol)
      this.refreshLater(at + 1)
    })
  }
}
