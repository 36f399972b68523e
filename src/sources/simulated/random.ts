/** A small seeded generator (mulberry32): the same seed gives the same market. */
export class Random {
  private spare: number | undefined

  constructor (private state: number) {}

  /** The generator of its own that a part of the market has: what one part draws alters no other. */
  static of (seed: number, part: string): Random {
    // FNV-1a
    let hash = 0x811C9DC5
    for (const character of `${seed} ${part}`) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193)
    return new Random(hash)
  }

  /** From 0 up to, not including, 1. */
  next (): number {
    this.state = (this.state + 0x6D2B79F5) | 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from `low` to `high`, both included. */
  integer (low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  /** Of the normal distribution with mean 0 and deviation 1 (Box and Muller's method, which makes two at a time). */
  normal (): number {
    const { spare } = this
    if (spare !== undefined) {
      this.spare = undefined
      return spare
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()))
    const angle = 2 * Math.PI * this.next()
    this.spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }

  /** The wait for what comes every `mean` on average, and owes nothing to when it came last. */
  wait (mean: number): number {
    return -Math.log(1 - this.next()) * mean
  }

  oneOf<Choice> (choices: readonly Choice[]): Choice {
    return choices[this.integer(0, choices.length - 1)]!
  }
}
