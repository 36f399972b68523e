import { ProtocolError } from '@tickwire/protocol'
import type { Entry, EpochStart, ShardHead, TailBatch } from '../log.js'
import { parseBatch } from './batch.js'

/** Batches that are read at a time of what was missed. */
const PAGE = 32

/** What a tail asks the log. */
export interface TailSource {
  headOf (shard: number): Promise<ShardHead>
  /** At most `limit` recent batches that end beyond an offset, as texts. */
  readRecent (shard: number, after: number, limit: number): Promise<readonly string[]>
  /** Every message of a shard between two offsets that its streams still hold, in order, and the topics that lost some. */
  readBeyond (shard: number, after: number, before: number): Promise<{ readonly entries: readonly Entry[], readonly lost: ReadonlySet<string> }>
}

export interface ShardTailCallbacks {
  /** The log answered where the shard stands, and what was missed has been told. */
  onAnswer (): void
  onFailure (error: unknown): void
}

export type Listener = (batch: TailBatch) => void

/**
 * Follows one shard: what is published is the fast path, the streams are the truth. A hole in the offsets, or a look, makes it
 * read what it missed before it goes on; it never tells out of order.
 */
export class ShardTail {
  /** Where it stands; undefined until the log was asked for the first time. */
  private position: { epoch: EpochStart, offset: number } | undefined
  private readonly listeners = new Set<Listener>()
  /** What is being dealt with, one after another. */
  private busy: Promise<void> = Promise.resolve()
  /** Whether a look waits for its turn: another would see no more than it. */
  private looking = false
  private ended = false

  constructor (private readonly shard: number, private readonly source: TailSource, private readonly callbacks: ShardTailCallbacks) {}

  /** What was published. */
  hear (text: string): void {
    this.enqueue(async () => { await this.take(text) })
  }

  /** Asks whether something was missed. */
  look (): void {
    if (this.looking) return
    this.looking = true
    this.enqueue(async () => {
      this.looking = false
      await this.catchUp()
      this.callbacks.onAnswer()
    })
  }

  /** Tells a listener of all that comes behind the head that it answers with. @throws ProtocolError `log_unavailable` */
  async join (listener: Listener): Promise<ShardHead> {
    const joined = this.busy.then(async () => {
      const { epochs } = await this.catchUp()
      if (this.ended) throw new ProtocolError('log_unavailable')
      this.listeners.add(listener)
      return { epoch: this.position!.epoch.epoch, offset: this.position!.offset, epochs }
    })
    this.busy = joined.then(() => {}, () => {})
    return await joined
  }

  leave (listener: Listener): void {
    this.listeners.delete(listener)
  }

  end (): void {
    this.ended = true
    this.listeners.clear()
  }

  private enqueue (task: () => Promise<void>): void {
    this.busy = this.busy.then(async () => { if (!this.ended) await task() }).catch((error: unknown) => { if (!this.ended) this.callbacks.onFailure(error) })
  }

  private async take (text: string): Promise<void> {
    const { epoch, entries } = parseBatch(this.shard, text)
    const [first] = entries
    const isSameEpoch = epoch.epoch === this.position?.epoch.epoch
    if (isSameEpoch && first !== undefined && first.offset <= this.position!.offset + 1) this.tell(epoch, entries)
    else if (!isSameEpoch || first !== undefined) await this.catchUp()
  }

  /** Reads what was missed, up to where the log stands. */
  private async catchUp (): Promise<ShardHead> {
    for (;;) {
      const head = await this.source.headOf(this.shard)
      if (await this.reach(head)) return head
    }
  }

  /** @returns whether it was reached: what is read after another epoch has begun says nothing of what came before it */
  private async reach (head: ShardHead): Promise<boolean> {
    const position = this.position ??= { epoch: head.epochs.at(-1)!, offset: head.offset }
    if (head.epoch === position.epoch.epoch && head.offset <= position.offset) return true
    // What lies behind the start of an epoch that it has not seen is not what it has told.
    const unseen = head.epochs.slice(head.epochs.findIndex(({ epoch }) => epoch === position.epoch.epoch) + 1)
    for (let after = Math.min(position.offset, ...unseen.map(({ start }) => start - 1)); ;) {
      const page = await this.source.readRecent(this.shard, after, PAGE)
      for (const text of page) {
        const { epoch, entries } = parseBatch(this.shard, text)
        if (!head.epochs.some(known => known.epoch === epoch.epoch)) return false
        this.passEpochs(head.epochs, epoch)
        if (entries[0]!.offset > position.offset + 1 && !await this.readHole(head, entries[0]!.offset)) return false
        this.tell(epoch, entries)
        after = entries.at(-1)!.offset
      }
      if (page.length < PAGE) break
    }
    this.passEpochs(head.epochs, head.epochs.at(-1)!)
    return position.offset >= head.offset || await this.readHole(head, head.offset + 1)
  }

  /** Tells the epochs that began between the one where it stands and another, in order. */
  private passEpochs (known: readonly EpochStart[], upTo: EpochStart): void {
    const from = known.findIndex(({ epoch }) => epoch === this.position!.epoch.epoch)
    const to = known.findIndex(({ epoch }) => epoch === upTo.epoch)
    for (const epoch of known.slice(from + 1, to + 1)) this.tell(epoch, [])
  }

  /** What is not among the recent entries any more is in the topics' streams, as far as they hold it. @returns as {@link reach} */
  private async readHole (head: ShardHead, before: number): Promise<boolean> {
    const position = this.position!
    const { entries, lost } = await this.source.readBeyond(this.shard, position.offset, before)
    if ((await this.source.headOf(this.shard)).epoch !== head.epoch) return false
    position.offset = before - 1
    this.pass({ shard: this.shard, epoch: position.epoch, entries, hole: { upTo: before - 1, lost } })
    return true
  }

  private tell (epoch: EpochStart, entries: readonly Entry[]): void {
    const position = this.position!
    if (epoch.epoch !== position.epoch.epoch) {
      position.epoch = epoch
      position.offset = Math.min(position.offset, epoch.start - 1)
      this.pass({ shard: this.shard, epoch, entries: [] })
    }
    const news = entries[0] !== undefined && entries[0].offset > position.offset ? entries : entries.filter(({ offset }) => offset > position.offset)
    if (news.length === 0) return
    position.offset = news.at(-1)!.offset
    this.pass({ shard: this.shard, epoch, entries: news })
  }

  private pass (batch: TailBatch): void {
    for (const listener of [...this.listeners]) {
      if (!this.listeners.has(listener)) continue
      try {
        listener(batch)
      } catch (error) {
        // One that fails must not keep the batch from the others.
        process.emitWarning(error instanceof Error ? error : String(error))
      }
    }
  }
}
