/** Windows of more pieces than this are seldom alike. */
const MOST_PIECES = 8

/**
 * Puts the pieces of a window together, once for those who are written to one after another and are sent the same:
 * most clients of a topic in a window have nothing else in it, and pages subscribe alike.
 */
export class SharedJoin {
  /** By number of pieces, what was put together last. */
  private readonly last: Array<{ readonly pieces: readonly Buffer[], readonly joined: Buffer } | undefined> = new Array(MOST_PIECES + 1).fill(undefined)

  constructor (private readonly join: (pieces: readonly Buffer[]) => Buffer) {}

  /** @param pieces not changed any more */
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
