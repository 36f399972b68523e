import type { Random } from './random.js'

/** GARCH(1,1): a large step makes the next ones larger for a while. */
const REACTION = 0.14
const PERSISTENCE = 0.84
/** The most restless time has steps so many times as large as usual. */
const MAX_FACTOR = 6

/** Steps of a logarithmic price whose volatility clusters. */
export class Volatility {
  private variance: number

  /** @param deviation the usual standard deviation of a step */
  constructor (private readonly random: Random, private readonly deviation: number) {
    this.variance = deviation ** 2
  }

  step (): number {
    const step = Math.sqrt(this.variance) * this.random.normal()
    this.variance = (1 - REACTION - PERSISTENCE) * this.deviation ** 2 + REACTION * step ** 2 + PERSISTENCE * this.variance
    this.variance = Math.min(this.variance, (MAX_FACTOR * this.deviation) ** 2)
    return step
  }

  /** News: for a while, steps are at least so many times as large as usual. */
  stir (factor: number): void {
    this.variance = Math.max(this.variance, (factor * this.deviation) ** 2)
  }
}
