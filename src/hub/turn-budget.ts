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
  private readonly waiting: Array<() => void> = []
  /** When this turn's part began; undefined where nobody has asked for it. */
  private began: number | undefined
  /** Who has it. */
  private owner: object | undefined

  /**
   * Asked for before each piece of work of a few milliseconds at most.
   * @param owner of the work: it asks when its piece before is done
   * @returns undefined where it need not wait: nobody else has asked in this turn, and there is time
   */
  take (owner: object): Promise<void> | undefined {
    if (this.began === undefined) {
      this.began = performance.now()
      this.owner = owner
      setImmediate(() => { this.plan() })
      return undefined
    }
    if (this.owner === owner && this.waiting.length === 0 && performance.now() - this.began < BUDGET_MS) return undefined
    return new Promise(resolve => {
      this.waiting.push(() => {
        this.owner = owner
        resolve()
      })
    })
  }

  /** Lets those who wait go on, each when what was resumed before it has been done. */
  private plan (): void {
    if (this.waiting.length === 0) {
      this.began = this.owner = undefined
      return
    }
    setImmediate(() => {
      this.began = performance.now()
      this.waiting.shift()!()
    })
    for (let more = Math.min(this.waiting.length, MOST_IN_A_TURN); more > 1; more--) {
      setImmediate(() => { if (performance.now() - this.began! < BUDGET_MS) this.waiting.shift()!() })
    }
    setImmediate(() => { this.plan() })
  }
}
