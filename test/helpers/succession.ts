import { setTimeout as delay } from 'node:timers/promises'
import type { Fence, Log } from '../../src/log/log.js'

/** How long two hosts run at once, if a takeover is not in order. */
const OVERLAP_MS = 5
/** Between two runs where the log cannot be reached. */
const RETRY_MS = 20

/** Hosts that take over from one another, each under a fence of its own. */
export class Succession {
  private host = new AbortController()
  private readonly runs: Array<Promise<void>> = []

  /**
   * @param source what the fences are of
   * @param runOnce is called again if the log could not be reached, until its host ends or another has taken
   *   over
   */
  constructor (
    private readonly log: Pick<Log, 'raise'>,
    private readonly source: () => string,
    private readonly runOnce: (signal: AbortSignal, fence: Fence) => Promise<void>
  ) {}

  /** Begins a run on a new host. @param inOrder whether the one before ends first, or goes on for a while */
  async takeOver (inOrder = true): Promise<void> {
    const before = this.host
    if (inOrder) await this.rest()
    else setTimeout(() => { before.abort() }, OVERLAP_MS)
    const { signal } = this.host = new AbortController()
    const fence = await this.log.raise(this.source())
    this.runs.push(this.run(signal, fence))
  }

  /** Ends all runs. */
  async rest (): Promise<void> {
    this.host.abort()
    await Promise.all(this.runs)
  }

  private async run (signal: AbortSignal, fence: Fence): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.runOnce(signal, fence)
      } catch (error) {
        if (signal.aborted || (error as Error).name === 'StaleFence') return
        if ((error as { code?: string }).code !== 'log_unavailable') throw error
        await delay(RETRY_MS)
      }
    }
  }
}
