import type { EpochStart } from './log.js'

/** Most left epochs that are remembered: more than any log names (its last 32). */
const MOST_LEFT = 64

/**
 * The epochs of one shard that a node has followed. It decides how the node goes on if the log is in other
 * epochs: after a failover, or if the connection leads to an old master that went on by itself (ADR 25).
 */
export class Lineage {
  private epochs: readonly EpochStart[]
  private readonly gone = new Set<number>()

  /** @param epochs of the log when the node began to follow it, oldest first */
  constructor (epochs: readonly EpochStart[]) {
    this.epochs = epochs
    for (const { epoch } of epochs.slice(0, -1)) this.forsake(epoch)
  }

  get current (): number {
    return this.epochs.at(-1)!.epoch
  }

  /** Epochs that are never entered again: messages that were delivered in them have been taken back since. */
  get left (): readonly number[] {
    return [...this.gone]
  }

  /** Leaves the current epoch before the next one is known. */
  leave (): void {
    this.forsake(this.current)
  }

  /**
   * Changes to the epochs of the log. Returns the epochs to announce, one after another: the start of each
   * takes back what was delivered from that offset on. If the log does not know the last epochs that were
   * followed, the first to announce is the last common epoch, which begins again where the two histories
   * part.
   */
  follow (epochs: readonly EpochStart[]): EpochStart[] {
    let common = epochs.length - 1
    while (common >= 0 && !this.epochs.some(({ epoch }) => epoch === epochs[common]!.epoch)) common--
    const shared = epochs[common]
    const news = epochs.slice(common + 1)
    // If the two have no epoch in common, all epochs of the log are announced.
    const parting = this.epochs.findIndex(({ epoch }) => epoch === shared?.epoch) + 1
    const parted = shared === undefined ? undefined : this.epochs[parting]
    const before = this.current
    this.epochs = epochs
    if (this.current !== before) this.forsake(before)
    for (const { epoch } of news.slice(0, -1)) this.forsake(epoch)
    return parted === undefined ? news : [{ epoch: shared!.epoch, start: parted.start }, ...news]
  }

  private forsake (epoch: number): void {
    this.gone.delete(epoch)
    this.gone.add(epoch)
    if (this.gone.size > MOST_LEFT) this.gone.delete(this.gone.values().next().value!)
  }
}
