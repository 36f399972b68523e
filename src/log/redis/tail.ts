import type { Redis } from 'ioredis'
import type { Entry, EpochStart, ShardHead, TailBatch } from '../log.js'
import { parseBatch } from './batch.js'
import type { ShardKeys } from './keys.js'
import { ShardListener } from './listener.js'

/** How often each shard is asked whether something was missed: pub/sub may lose messages. */
const LOOK_MS = 1000
/** How soon it is asked again while it does not answer, and for how long it may not answer until that is said. */
const LOOK_AGAIN_MS = 100
const GRACE_MS = 500
/** Batches that are read at a time of what was missed. */
const PAGE = 32

export interface TailSource {
  readonly keys: readonly ShardKeys[]
  /** The connection that the other questions go by. */
  readonly reader: Redis
  headOf (shard: number): Promise<ShardHead>
  /** At most `limit` recent batches that end beyond an offset, as texts. */
  readRecent (shard: number, after: number, limit: number): Promise<readonly string[]>
  /** Every message of a shard between two offsets that its streams still hold, in order, and the topics that lost some. */
  readBeyond (shard: number, after: number, before: number): Promise<{ readonly entries: readonly Entry[], readonly lost: ReadonlySet<string> }>
}

interface Position {
  epoch: EpochStart
  offset: number
  /** What is being dealt with, one after another. */
  busy: Promise<void>
  /** Whether a look waits for its turn: another would see no more than it. */
  looking: boolean
}

/**
 * Follows all shards: what is published is the fast path, the streams are the truth. A hole in the offsets, a new
 * connection, or the look each second make it read what it missed before it goes on; it never tells out of order.
 */
export class Tail {
  private readonly positions: Position[] = []
  private readonly watchers = new Set<(available: boolean) => void>()
  private available = true
  /** Milliseconds since 1970; undefined while it answers. */
  private failingSince: number | undefined
  private timer: NodeJS.Timeout | undefined
  private readonly listener: ShardListener
  private closed = false

  constructor (
    private readonly source: TailSource,
    subscriber: Redis,
    private readonly onBatch: (batch: TailBatch) => void,
    private readonly onError: (error: unknown, message: string) => void
  ) {
    this.listener = new ShardListener(subscriber, source.keys.map(({ live }) => live), {
      onText: (shard, text) => { this.enqueue(shard, async () => { await this.take(shard, text) }) },
      onMissed: shard => { this.lookAt(shard) }
    })
  }

  async start (): Promise<void> {
    for (const shard of this.source.keys.keys()) await this.listener.listen(shard)
    for (const shard of this.source.keys.keys()) {
      const { offset, epochs } = await this.source.headOf(shard)
      this.positions[shard] = { epoch: epochs.at(-1)!, offset, busy: Promise.resolve(), looking: false }
    }
    this.source.reader.on('close', () => { this.look() })
    this.plan(LOOK_MS)
  }

  /** Of the last message that was told. */
  offset (shard: number): number {
    return this.positions[shard]!.offset
  }

  /** Calls `onChange` when the log cannot be reached any more, and when it can be again. */
  watch (onChange: (available: boolean) => void): () => void {
    this.watchers.add(onChange)
    return () => { this.watchers.delete(onChange) }
  }

  close (): void {
    this.closed = true
    clearTimeout(this.timer)
    this.listener.close()
  }

  private plan (inMs: number): void {
    clearTimeout(this.timer)
    if (!this.closed) this.timer = setTimeout(() => { this.look() }, inMs).unref()
  }

  /** Asks every shard whether something was missed. */
  private look (): void {
    if (this.closed) return
    this.plan(this.failingSince === undefined ? LOOK_MS : LOOK_AGAIN_MS)
    for (const shard of this.positions.keys()) this.lookAt(shard)
  }

  private lookAt (shard: number): void {
    const position = this.positions[shard]
    if (position === undefined || position.looking) return
    position.looking = true
    this.enqueue(shard, async () => {
      position.looking = false
      await this.catchUp(shard)
      this.failingSince = undefined
      this.isAvailable(true)
    })
  }

  private failed (error: unknown): void {
    if (this.closed) return
    if (this.failingSince === undefined) {
      this.failingSince = Date.now()
      this.plan(LOOK_AGAIN_MS)
    }
    if (!this.available || Date.now() - this.failingSince < GRACE_MS) return
    this.onError(error, 'the log cannot be followed; it is tried again until it can')
    this.isAvailable(false)
  }

  private isAvailable (available: boolean): void {
    if (this.available === available) return
    this.available = available
    for (const watcher of this.watchers) watcher(available)
  }

  private enqueue (shard: number, task: () => Promise<void>): void {
    const position = this.positions[shard]
    // Before it has a position, the look that follows finds what came.
    if (position === undefined) return
    position.busy = position.busy.then(async () => { if (!this.closed) await task() }).catch((error: unknown) => { this.failed(error) })
  }

  private async take (shard: number, text: string): Promise<void> {
    const position = this.positions[shard]!
    const { epoch, entries } = parseBatch(shard, text)
    const [first] = entries
    if (epoch.epoch === position.epoch.epoch && first !== undefined && first.offset <= position.offset + 1) this.tell(shard, epoch, entries)
    else if (epoch.epoch !== position.epoch.epoch || first !== undefined) await this.catchUp(shard)
  }

  /** Reads what was missed, up to where the log stands. */
  private async catchUp (shard: number): Promise<void> {
    const position = this.positions[shard]!
    const head = await this.source.headOf(shard)
    if (head.epoch === position.epoch.epoch && head.offset <= position.offset) return
    // What lies behind the start of an epoch that it has not seen is not what it has told.
    const unseen = head.epochs.slice(head.epochs.findIndex(({ epoch }) => epoch === position.epoch.epoch) + 1)
    for (let after = Math.min(position.offset, ...unseen.map(({ start }) => start - 1)); ;) {
      const page = await this.source.readRecent(shard, after, PAGE)
      for (const text of page) {
        const { epoch, entries } = parseBatch(shard, text)
        this.passEpochs(shard, head.epochs, epoch)
        if (entries[0]!.offset > position.offset + 1) await this.readHole(shard, entries[0]!.offset)
        this.tell(shard, epoch, entries)
        after = entries.at(-1)!.offset
      }
      if (page.length < PAGE) break
    }
    this.passEpochs(shard, head.epochs, head.epochs.at(-1)!)
    if (position.offset < head.offset) await this.readHole(shard, head.offset + 1)
  }

  /** Tells the epochs that began between the one where it stands and another, in order. */
  private passEpochs (shard: number, known: readonly EpochStart[], upTo: EpochStart): void {
    const position = this.positions[shard]!
    const from = known.findIndex(({ epoch }) => epoch === position.epoch.epoch)
    const to = known.findIndex(({ epoch }) => epoch === upTo.epoch)
    for (const epoch of known.slice(from + 1, to + 1)) this.tell(shard, epoch, [])
  }

  /** What is not among the recent entries any more is in the topics' streams, as far as they hold it. */
  private async readHole (shard: number, before: number): Promise<void> {
    const position = this.positions[shard]!
    const { entries, lost } = await this.source.readBeyond(shard, position.offset, before)
    position.offset = before - 1
    this.onBatch({ shard, epoch: position.epoch, entries, hole: { upTo: before - 1, lost } })
  }

  private tell (shard: number, epoch: EpochStart, entries: readonly Entry[]): void {
    const position = this.positions[shard]!
    if (epoch.epoch !== position.epoch.epoch) {
      position.epoch = epoch
      position.offset = Math.min(position.offset, epoch.start - 1)
      this.onBatch({ shard, epoch, entries: [] })
    }
    const news = entries[0] !== undefined && entries[0].offset > position.offset ? entries : entries.filter(({ offset }) => offset > position.offset)
    if (news.length === 0) return
    position.offset = news.at(-1)!.offset
    this.onBatch({ shard, epoch, entries: news })
  }
}
