import type { Message, Reset } from '../channels.js'
import { comparePositions, type Position } from './wire.js'

/** How many events a leader keeps for tabs that come back. */
const MAX_KEPT = 10_000

/** An event, and how many cursors had been told before it. */
interface Kept {
  readonly event: Message | Reset
  readonly number: number
}

/** What a leader has told since its term began, as far as it keeps it. */
export class Recorded {
  #kept: Kept[] = []
  readonly #term: number
  /** From where the leader went on; undefined: it began without a position. */
  readonly #start: Position | undefined
  /** The number of the newest event that was dropped. */
  #dropped = -1
  #count = 0
  /** The number of the newest cursor; 0: none was told. */
  number = 0

  constructor (term: number, start: Position | undefined) {
    this.#term = term
    this.#start = start
  }

  /** How many events were told so far. */
  get mark (): number {
    return this.#count
  }

  /** Whether nothing was dropped. */
  get isWhole (): boolean {
    return this.#dropped < 0
  }

  add (event: Message | Reset): void {
    this.#count++
    this.#kept.push({ event, number: this.number })
    // Half of it at once: taking away one by one would move all others each time.
    if (this.#kept.length <= MAX_KEPT) return
    this.#dropped = this.#kept[MAX_KEPT / 2 - 1]!.number
    this.#kept = this.#kept.slice(MAX_KEPT / 2)
  }

  /** Returns those of the kept events that a filter chooses. @param mark says what came since then */
  from (mark: number, filter: (kept: Kept, isSince: boolean) => boolean): Array<Message | Reset> {
    const first = this.#count - this.#kept.length
    return this.#kept.filter((kept, at) => filter(kept, first + at >= mark)).map(({ event }) => event)
  }

  /**
   * Returns the number from which on a tab with a position needs the events; undefined if they are not all
   * kept, or if the leader began further on.
   */
  numberOf (position: Position): number | undefined {
    const isOurs = position.term === this.#term
    if (!isOurs && !this.#isBehindStart(position)) return undefined
    const number = isOurs ? position.number : 0
    return number > this.#dropped ? number : undefined
  }

  #isBehindStart (position: Position): boolean {
    if (this.#start === undefined) return false
    // Of two cursors that applications brought from elsewhere nobody knows which one is the later.
    if (position.term === 0) return position.cursor === this.#start.cursor
    return comparePositions(position, this.#start) >= 0
  }
}
