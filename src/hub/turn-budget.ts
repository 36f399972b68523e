import { performance } from 'node:perf_hooks'

/** What may be taken of one turn of the event loop. */
const BUDGET_MS = 5
/** Who waits, and may go on within one turn where there is time. */
const MOST_IN_A_TURN = 64

/**
 * Time of the event loop for what is not live delivery: clients' requests, and slices of catch-ups. However many ask for it at
 * once, in each turn of the loop they take a bounded part together, first come, first served; sockets and the flush of
 * live messages have the rest.
 */
export class TurnBudget {
  private waiting: Array<() => void> = []
  private taken = false

  /** Asked for before each piece of work of a few milliseconds at most. @returns undefined for the first in a turn */
  take (): Promise<void> | undefined {
    if (this.taken) return new Promise(resolve => { this.waiting.push(resolve) })
    this.taken = true
    setImmediate(() => { this.plan() })
    return undefined
  }

  /** Lets those who wait go on, each when what was resumed before it has been done. */
  private plan (): void {
    if (this.waiting.length === 0) {
      this.taken = false
      return
    }
    let began: number
    setImmediate(() => {
      began = performance.now()
      this.waiting.shift()!()
    })
    for (let more = Math.min(this.waiting.length, MOST_IN_A_TURN); more > 1; more--) {
      setImmediate(() => { if (performance.now() - began < BUDGET_MS) this.waiting.shift()!() })
    }
    setImmediate(() => { this.plan() })
  }
}
