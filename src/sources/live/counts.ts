import type { LossReason } from './connection.js'

/** Counts of a live source since the server started: plain numbers, so that counting costs nothing. */
export class FeedCounts {
  /** Connections that stand now. */
  connections = 0
  frames = 0
  /** Symbols that the venue refused. */
  refused = 0
  /** Trades that never came, as the numbers of others show. */
  missedTrades = 0
  /** By reason, how often a connection was lost. */
  readonly losses = new Map<LossReason, number>()

  lose (reason: LossReason): void {
    this.losses.set(reason, (this.losses.get(reason) ?? 0) + 1)
  }
}
