/** A small seeded generator (mulberry32): the same seed gives the same market. */
export class Random {
  constructor (private state: number) {}

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
}
