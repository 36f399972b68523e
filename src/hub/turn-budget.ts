import { performance } from 'node:perf_hooks'

/** How much of each turn of the event loop goes to this work. */
const BUDGET_MS = 5
/** How many of those that wait may go on within one turn, if there is time. */
const MOST_IN_A_TURN = 64

/**
 * Shares out the time of the event loop for work other than live delivery: clients' requests, and slices of
 * catch-ups. However many ask at once, together they get a bounded part of each turn, first come, first
 * served. Sockets and the flush of live messages have the rest.
 */
export class TurnBudget {
  private readonly waiting: Array<() => void> = []
  /** When this turn's part began; undefined if nobody has asked for it. */
  private began: number | undefined
  /** The owner of the work that was let in last. */
  private owner: object | undefined

  /** @param now milliseconds of a monotonic clock */
  constructor (private readonly now: () => number = () => performance.now()) {}

  /**
   * Lets in a piece of work, of a few milliseconds at most.
   * @param owner of the work; it asks again when its last piece is done
   * @returns undefined if it need not wait: nobody else has asked in this turn, and there is time left
   */
  take (owner: object): Promise<void> | undefined {
    if (this.began === undefined) {
      this.began = this.now()
      this.owner = owner
      setImmediate(() => { this.beginTurn() })
      return undefined
    }
    const hasTime = this.now() - this.began < BUDGET_MS
    if (this.owner === owner && this.waiting.length === 0 && hasTime) return undefined
    return new Promise(resolve => {
      this.waiting.push(() => {
        this.owner = owner
        resolve()
      })
    })
  }

  /** Lets waiting work go on, each piece when the one before it is done. */
  private beginTurn (): void {
    if (this.waiting.length === 0) {
      this.began = this.owner = undefined
      return
    }
    setImmediate(() => {
      this.began = this.now()
      this.waiting.shift()!()
    })
    for (let more = Math.min(this.waiting.length, MOST_IN_A_TURN); more > 1; more--) {
      setImmediate(() => {
        if (this.now() - this.began! < BUDGET_MS) this.waiting.shift()!()
      })
    }
    setImmediate(() => { this.beginTurn() })
  }
}
