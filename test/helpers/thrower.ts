import { Choices } from './random.js'

/** Throws at random, from a seed, wherever it is asked to, and counts what it threw by place. */
export class Thrower {
  readonly thrown: Record<string, number> = {}
  on = true
  private readonly random: Choices

  constructor (seed: number, private readonly rates: Readonly<Record<string, number>>) {
    this.random = new Choices(seed)
  }

  get total (): number {
    return Object.values(this.thrown).reduce((sum, count) => sum + count, 0)
  }

  /** Throws, as often as the place's rate says. */
  at (place: string): void {
    if (!this.on || this.random.next() >= (this.rates[place] ?? 0)) return
    this.thrown[place] = (this.thrown[place] ?? 0) + 1
    throw new Error(`thrown by the test from ${place}`)
  }
}
