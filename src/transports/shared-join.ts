/** Windows with more pieces than this are seldom the same for two clients. */
const MOST_PIECES = 8

interface Joined {
  readonly pieces: readonly Buffer[]
  readonly joined: Buffer
}

/**
 * Joins the pieces of a window, once for clients that are written to one after another and get the same. That
 * is common: most clients of a topic get nothing else in a window, and copies of a page have the same
 * subscriptions.
 */
export class SharedJoin {
  /** What was joined last, by the number of pieces. */
  private readonly last: Array<Joined | undefined> = new Array(MOST_PIECES + 1).fill(undefined)

  constructor (private readonly join: (pieces: readonly Buffer[]) => Buffer) {}

  /** Returns the pieces as one buffer. @param pieces must never be changed after this */
  of (pieces: readonly Buffer[]): Buffer {
    const { length } = pieces
    const known = this.last[length]
    if (known !== undefined && isSame(known.pieces, pieces)) return known.joined
    const joined = this.join(pieces)
    if (length <= MOST_PIECES) this.last[length] = { pieces, joined }
    return joined
  }
}

function isSame (some: readonly Buffer[], others: readonly Buffer[]): boolean {
  for (let index = 0; index < some.length; index++) if (some[index] !== others[index]) return false
  return true
}
