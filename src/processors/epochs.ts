import type { Log } from '../log/log.js'

/** How often the log is asked whether it has lost anything. */
const LOOK_MS = 1000

/**
 * Watches whether all shards are still in the epochs in which a run began. A shard in another may have lost
 * outputs.
 */
export class EpochWatch {
  private lookedAt = performance.now()

  /** @param epochs by shard */
  private constructor (
    private readonly log: Log,
    readonly epochs: readonly number[],
    readonly lookMs: number
  ) {}

  /** Begins with the log's current epochs. @throws ProtocolError `log_unavailable` */
  static async start (log: Log, lookMs = LOOK_MS): Promise<EpochWatch> {
    return new EpochWatch(log, await epochsOf(log), lookMs)
  }

  /**
   * Whether no shard has begun an epoch. Asks the log at most once each `lookMs`.
   * @throws ProtocolError `log_unavailable`
   */
  async holds (): Promise<boolean> {
    if (performance.now() - this.lookedAt < this.lookMs) return true
    this.lookedAt = performance.now()
    const now = await epochsOf(this.log)
    return this.epochs.every((epoch, shard) => now[shard] === epoch)
  }
}

const epochsOf = async (log: Log): Promise<number[]> => (await log.head()).map(({ epoch }) => epoch)
