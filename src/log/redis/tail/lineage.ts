import type { EpochStart } from '../../log.js'

/** Epochs that are remembered as left: more than any log names (the last 32). */
const MOST_LEFT = 64

/**
 * The epochs that a node has followed of one shard, and how it goes on where the log is in others: after a failover, or where the
 * connection leads to an old master that went on by itself.
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

  /** Epochs that are never entered again: what was told in them was taken back since. */
  get left (): readonly number[] {
    return [...this.gone]
  }

  /** Leaves the current epoch although no other is known yet. */
  leave (): void {
    this.forsake(this.current)
  }

  /**
   * Goes over to the epochs of the log. Returns what is to be told one after another: each of them ends what was told before it at
   * its start. Where the log does not know the last epochs that were followed, the first is the last that both know, begun
   * again where they part.
   */
  follow (epochs: readonly EpochStart[]): EpochStart[] {
    let common = epochs.length - 1
    while (common >= 0 && !this.epochs.some(({ epoch }) => epoch === epochs[common]!.epoch)) common--
    const shared = epochs[common]
    const news = epochs.slice(common + 1)
    // Of which none is known any more, all are told.
    const parted = shared === undefined ? undefined : this.epochs[this.epochs.findIndex(({ epoch }) => epoch === shared.epoch) + 1]
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
