/** A small seeded generator (mulberry32): the same seed gives the same market. */
export class Random {
  private spare: number | undefined

  constructor (private state: number) {}

  /** Makes a generator for one part of the market, so that what one part draws changes no other. */
  static of (seed: number, part: string): Random {
    // FNV-1a
    let hash = 0x811C9DC5
    for (const character of `${seed} ${part}`) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193)
    return new Random(hash)
  }

  /** Returns a number from 0 up to 1, which is not included. */
  next (): number {
    this.state = (this.state + 0x6D2B79F5) | 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** Returns a whole number from `low` to `high`, both included. */
  integer (low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  /**
   * Returns a number of the normal distribution with mean 0 and deviation 1 (Box and Muller's method, which
   * makes two at a time).
   */
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

  /** Returns the wait for an event that comes every `mean` on average, whenever it came last. */
  wait (mean: number): number {
    return -Math.log(1 - this.next()) * mean
  }

  oneOf<Choice> (choices: readonly Choice[]): Choice {
    return choices[this.integer(0, choices.length - 1)]!
  }
}
