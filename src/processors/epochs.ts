import type { Log } from '../log/log.js'

/** How often it is looked whether the log has lost anything. */
const LOOK_MS = 1000

/** Tells whether all shards are in the epochs that they were in when a run began: one in another may have lost outputs. */
export class EpochWatch {
  private lookedAt = performance.now()

  /** @param epochs by shard */
  private constructor (private readonly log: Log, readonly epochs: readonly number[], readonly lookMs: number) {}

  /** @throws ProtocolError `log_unavailable` */
  static async begin (log: Log, lookMs = LOOK_MS): Promise<EpochWatch> {
    return new EpochWatch(log, await epochsOf(log), lookMs)
  }

  /** Asks the log no more often than each `lookMs`. @throws ProtocolError `log_unavailable` */
  async holds (): Promise<boolean> {
    if (performance.now() - this.lookedAt < this.lookMs) return true
    this.lookedAt = performance.now()
    const now = await epochsOf(this.log)
    return this.epochs.every((epoch, shard) => now[shard] === epoch)
  }
}

const epochsOf = async (log: Log): Promise<number[]> => (await log.head()).map(({ epoch }) => epoch)
