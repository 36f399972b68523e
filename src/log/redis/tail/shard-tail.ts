import { performance } from 'node:perf_hooks'
import { ProtocolError } from '@tickwire/protocol'
import type { Entry, EpochStart, ShardHead, TailBatch } from '../../log.js'
import { parseBatch } from '../append/batch.js'
import type { Lineage } from './lineage.js'

/** Batches that are read at a time of what was missed. */
const PAGE = 32
/** What was published so long ago and was not heard is not on its way any more. */
const DEAF_MS = 1000

/** What a tail asks the log. */
export interface TailSource {
  /** Never in an epoch that was left: see {@link Lineage}. */
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
  /** What was published a while ago was not heard: the shard is to be listened to anew. */
  onDeaf (): void
  /** The epochs that the node has followed of the shard. @param epochs of the log now */
  lineage (epochs: readonly EpochStart[]): Lineage
}

interface Position {
  readonly lineage: Lineage
  epoch: EpochStart
  offset: number
  /** Of the last message that was heard. */
  heard: number
}

export type Listener = (batch: TailBatch) => void

/**
 * Follows one shard: what is published is the fast path, the streams are the truth. A hole in the offsets, or a look, makes it
 * read what it missed before it goes on; it never tells out of order.
 */
export class ShardTail {
  /** Where it stands; undefined until the log was asked for the first time. */
  private position: Position | undefined
  /** Whether it is known that something may not have been heard. */
  private missed = false
  /** What a look found that had not been heard, and when; undefined where there was nothing. */
  private unheard: { readonly offset: number, readonly at: number } | undefined
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

  /** What was published may have been missed. */
  miss (): void {
    this.missed = true
    this.look()
  }

  /** Asks whether something was missed. */
  look (): void {
    if (this.looking) return
    this.looking = true
    this.enqueue(async () => {
      this.looking = false
      await this.catchUp()
      this.listenAgain()
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
    if (isSameEpoch) this.position!.heard = Math.max(this.position!.heard, entries.at(-1)?.offset ?? 0)
    if (isSameEpoch && first !== undefined && first.offset <= this.position!.offset + 1) this.tell(entries)
    else if (!isSameEpoch || first !== undefined) await this.catchUp()
  }

  /** What a look finds is the truth: where it was not heard, the shard is listened to anew. */
  private listenAgain (): void {
    const { position, unheard } = this
    if (position === undefined) return
    const { offset } = position
    if (this.missed) position.heard = offset
    this.missed = false
    if (position.heard >= (unheard?.offset ?? 0)) this.unheard = position.heard < offset ? { offset, at: performance.now() } : undefined
    else if (performance.now() - unheard!.at >= DEAF_MS) {
      this.unheard = undefined
      this.callbacks.onDeaf()
    }
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
    const position = this.position ??= this.begin(head)
    if (head.epoch === position.epoch.epoch && head.offset < position.offset) {
      // Less than was told, in the same epoch: another one begins there.
      position.lineage.leave()
      return false
    }
    if (head.epoch === position.epoch.epoch && head.offset <= position.offset) return true
    for (const epoch of position.lineage.follow(head.epochs)) this.enter(epoch)
    for (;;) {
      const page = await this.source.readRecent(this.shard, position.offset, PAGE)
      for (const text of page) {
        const { epoch, entries } = parseBatch(this.shard, text)
        if (!head.epochs.some(known => known.epoch === epoch.epoch)) return false
        if (entries[0]!.offset > position.offset + 1 && !await this.readHole(head, entries[0]!.offset)) return false
        this.tell(entries)
      }
      if (page.length < PAGE) break
    }
    return position.offset >= head.offset || await this.readHole(head, head.offset + 1)
  }

  /** Where nobody was told anything yet, it stands where the log stands. */
  private begin ({ epochs, offset }: ShardHead): Position {
    return { lineage: this.callbacks.lineage(epochs), epoch: epochs.at(-1)!, offset, heard: offset }
  }

  /** What was told from the start of an epoch on is taken back. */
  private enter (epoch: EpochStart): void {
    const position = this.position!
    position.epoch = epoch
    position.offset = Math.min(position.offset, epoch.start - 1)
    position.heard = position.offset
    this.unheard = undefined
    this.pass({ shard: this.shard, epoch, entries: [] })
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

  private tell (entries: readonly Entry[]): void {
    const position = this.position!
    const news = entries[0] !== undefined && entries[0].offset > position.offset ? entries : entries.filter(({ offset }) => offset > position.offset)
    if (news.length === 0) return
    position.offset = news.at(-1)!.offset
    this.pass({ shard: this.shard, epoch: position.epoch, entries: news })
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
