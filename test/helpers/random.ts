import { Random } from '../../src/sources/simulated/random.js'

/** Choices that a printed seed repeats. */
export class Choices extends Random {
  pick<Choice> (choices: readonly Choice[]): Choice {
    return choices[this.integer(0, choices.length - 1)]!
  }

  /** Returns true once in a while: 0.25 is one time in four. */
  chance (part: number): boolean {
    return this.next() < part
  }
}
