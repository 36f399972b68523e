import { performance } from 'node:perf_hooks'
import { ProtocolError } from '@tickwire/protocol'
import type { Entry, EpochStart, ShardHead, TailBatch } from './log.js'
import { parseBatch } from './batch-text.js'
import type { Lineage } from './lineage.js'

/** Missed batches in one read. */
const PAGE = 32
/** A batch that was published this long ago and was not heard will not be heard any more. */
const DEAF_MS = 1000

/** The reads of the log that a tail needs. */
export interface TailSource {
  /** Reads the head. It is never in an epoch that was left, see {@link Lineage}. */
  headOf (shard: number): Promise<ShardHead>
  /** Reads the texts of at most `limit` recent batches that end after an offset. */
  readRecent (shard: number, after: number, limit: number): Promise<readonly string[]>
  /**
   * Reads every retained message of a shard between two offsets, in order, and says which topics lost some.
   */
  readBeyond (shard: number, after: number, before: number): Promise<{
    readonly entries: readonly Entry[]
    readonly lost: ReadonlySet<string>
  }>
}

export interface ShardTailCallbacks {
  /** The log said where the shard stands, and missed batches have been delivered. */
  onAnswer (): void
  onFailure (error: unknown): void
  /**
   * Something published {@link DEAF_MS} ago was not heard: the listener has to subscribe to the shard again.
   */
  onDeaf (): void
  /** Returns the epochs of the shard that the node has followed. @param epochs of the log now */
  lineage (epochs: readonly EpochStart[]): Lineage
}

interface Position {
  readonly lineage: Lineage
  epoch: EpochStart
  offset: number
  /** Offset of the last message that was heard. */
  heard: number
}

export type Listener = (batch: TailBatch) => void

/**
 * Follows one shard. Pub/sub is the fast path, and the streams are the truth. If the offsets have a gap, or a
 * look finds that something was missed, it first reads what it missed. It never delivers out of order.
 */
export class ShardTail {
  /** Undefined until the log has answered for the first time. */
  private position: Position | undefined
  /** Whether something may not have been heard. */
  private missed = false
  /**
   * The offset up to which a look found something that had not been heard, and when; undefined if all was
   * heard.
   */
  private unheard: { readonly offset: number, readonly at: number } | undefined
  private readonly listeners = new Set<Listener>()
  /** The end of the queue of tasks, which run one after another. */
  private busy: Promise<void> = Promise.resolve()
  /** Whether a look waits in the queue; a second one would find no more. */
  private looking = false
  private ended = false

  constructor (
    private readonly shard: number,
    private readonly source: TailSource,
    private readonly callbacks: ShardTailCallbacks
  ) {}

  /** Takes a text that was published. */
  hear (text: string): void {
    this.enqueue(async () => { await this.take(text) })
  }

  /** Notes that something published may have been missed, and looks. */
  miss (): void {
    this.missed = true
    this.look()
  }

  /** Asks the log whether something was missed. */
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

  /**
   * Delivers to a listener everything after the head that it returns.
   * @throws ProtocolError `log_unavailable`
   */
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
    this.busy = this.busy
      .then(async () => { if (!this.ended) await task() })
      .catch((error: unknown) => { if (!this.ended) this.callbacks.onFailure(error) })
  }

  private async take (text: string): Promise<void> {
    const { epoch, entries } = parseBatch(this.shard, text)
    const [first] = entries
    const { position } = this
    const isSameEpoch = epoch.epoch === position?.epoch.epoch
    if (isSameEpoch) position!.heard = Math.max(position!.heard, entries.at(-1)?.offset ?? 0)
    if (isSameEpoch && first !== undefined && first.offset <= position!.offset + 1) this.deliver(entries)
    else if (!isSameEpoch || first !== undefined) await this.catchUp()
  }

  /**
   * Has the listener subscribe again if a look found something {@link DEAF_MS} ago that is still not heard.
   */
  private listenAgain (): void {
    const { position, unheard } = this
    if (position === undefined) return
    const { offset } = position
    if (this.missed) position.heard = offset
    this.missed = false
    if (unheard === undefined || position.heard >= unheard.offset) {
      this.unheard = position.heard < offset ? { offset, at: performance.now() } : undefined
    } else if (performance.now() - unheard.at >= DEAF_MS) {
      this.unheard = undefined
      this.callbacks.onDeaf()
    }
  }

  /** Reads and delivers what was missed, up to the head of the log. */
  private async catchUp (): Promise<ShardHead> {
    for (;;) {
      const head = await this.source.headOf(this.shard)
      if (await this.reach(head)) return head
    }
  }

  /**
   * Delivers up to a head.
   * @returns false if a new epoch began meanwhile: what was read since then says nothing of what came before
   */
  private async reach (head: ShardHead): Promise<boolean> {
    const position = this.position ??= this.beginAt(head)
    if (head.epoch === position.epoch.epoch && head.offset < position.offset) {
      // The log has less than was delivered, in the same epoch: it must begin another one.
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
        const { offset } = entries[0]!
        if (offset > position.offset + 1 && !await this.readHole(head, offset)) return false
        this.deliver(entries)
      }
      if (page.length < PAGE) break
    }
    return position.offset >= head.offset || await this.readHole(head, head.offset + 1)
  }

  /** Begins where the log stands: no listener got anything before. */
  private beginAt ({ epochs, offset }: ShardHead): Position {
    return { lineage: this.callbacks.lineage(epochs), epoch: epochs.at(-1)!, offset, heard: offset }
  }

  /** Enters an epoch, which takes back what was delivered from its start on. */
  private enter (epoch: EpochStart): void {
    const position = this.position!
    position.epoch = epoch
    position.offset = Math.min(position.offset, epoch.start - 1)
    position.heard = position.offset
    this.unheard = undefined
    this.pass({ shard: this.shard, epoch, entries: [] })
  }

  /**
   * Reads messages that the recent entries do not have any more, as far as the streams of topics retain them.
   * @returns as {@link reach}
   */
  private async readHole (head: ShardHead, before: number): Promise<boolean> {
    const position = this.position!
    const { entries, lost } = await this.source.readBeyond(this.shard, position.offset, before)
    if ((await this.source.headOf(this.shard)).epoch !== head.epoch) return false
    position.offset = before - 1
    this.pass({ shard: this.shard, epoch: position.epoch, entries, hole: { upTo: before - 1, lost } })
    return true
  }

  private deliver (entries: readonly Entry[]): void {
    const position = this.position!
    const isAllNew = entries[0] !== undefined && entries[0].offset > position.offset
    const news = isAllNew ? entries : entries.filter(({ offset }) => offset > position.offset)
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
        // A listener that fails must not keep the batch from the others.
        process.emitWarning(error instanceof Error ? error : String(error))
      }
    }
  }
}
