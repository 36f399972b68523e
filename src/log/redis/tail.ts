import type { Entry, EpochStart, ShardHead, TailBatch } from '../log.js'
import { parseBatch } from './batch.js'
import type { ShardKeys } from './keys.js'
import { ShardListener } from './listener.js'
import { Lineage } from './lineage.js'
import type { Masters } from './masters/masters.js'

/** How often each shard is asked whether something was missed: pub/sub may lose messages. */
const LOOK_MS = 1000
/** How soon it is asked again while it does not answer, and for how long it may not answer until that is said. */
const LOOK_AGAIN_MS = 100
const GRACE_MS = 500
/** What was published so long ago and was not heard is not on its way any more. */
const DEAF_MS = 1000
/** Batches that are read at a time of what was missed. */
const PAGE = 32

export interface TailSource {
  readonly keys: readonly ShardKeys[]
  /** The connections that the other questions go by. */
  readonly reader: Masters
  /** Never in an epoch that was left: see {@link Tail.left}. */
  headOf (shard: number): Promise<ShardHead>
  /** At most `limit` recent batches that end beyond an offset, as texts. */
  readRecent (shard: number, after: number, limit: number): Promise<readonly string[]>
  /** Every message of a shard between two offsets that its streams still hold, in order, and the topics that lost some. */
  readBeyond (shard: number, after: number, before: number): Promise<{ readonly entries: readonly Entry[], readonly lost: ReadonlySet<string> }>
}

interface Position {
  epoch: EpochStart
  readonly lineage: Lineage
  offset: number
  /** Of the last message that was heard. */
  heard: number
  /** Whether it is known that something may not have been heard. */
  missed: boolean
  /** What a look found that had not been heard, and when; undefined where there was nothing. */
  unheard: { readonly offset: number, readonly at: number } | undefined
  /** Milliseconds since 1970; undefined while it answers. */
  failingSince: number | undefined
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
  private timer: NodeJS.Timeout | undefined
  private readonly listener: ShardListener
  private closed = false

  constructor (
    private readonly source: TailSource,
    subscriber: Masters,
    private readonly onBatch: (batch: TailBatch) => void,
    private readonly onError: (error: unknown, message: string) => void
  ) {
    this.listener = new ShardListener(subscriber, source.keys.map(({ live }) => live), {
      onText: (shard, text) => { this.enqueue(shard, async () => { await this.take(shard, text) }) },
      onMissed: shard => {
        const position = this.positions[shard]
        if (position !== undefined) position.missed = true
        this.lookAt(shard)
      }
    })
  }

  async start (): Promise<void> {
    for (const shard of this.source.keys.keys()) await this.listener.listen(shard)
    for (const shard of this.source.keys.keys()) {
      const { offset, epochs } = await this.source.headOf(shard)
      this.positions[shard] = { epoch: epochs.at(-1)!, lineage: new Lineage(epochs), offset, heard: offset, missed: false, unheard: undefined, failingSince: undefined, busy: Promise.resolve(), looking: false }
    }
    this.source.reader.each(redis => { redis.on('close', () => { this.look() }) })
    this.plan(LOOK_MS)
  }

  /** Of the last message that was told. */
  offset (shard: number): number {
    return this.positions[shard]!.offset
  }

  /** The epochs of a shard that are never entered again. */
  left (shard: number): readonly number[] {
    return this.positions[shard]?.lineage.left ?? []
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
    this.plan(this.isFailing() ? LOOK_AGAIN_MS : LOOK_MS)
    for (const shard of this.positions.keys()) this.lookAt(shard)
  }

  private lookAt (shard: number): void {
    const position = this.positions[shard]
    if (position === undefined || position.looking) return
    position.looking = true
    this.enqueue(shard, async () => {
      position.looking = false
      await this.catchUp(shard)
      position.failingSince = undefined
      this.listenAgain(shard)
      if (!this.isFailing()) this.isAvailable(true)
    })
  }

  /** What a look finds is the truth: where it was not heard, the shard is listened to anew. */
  private listenAgain (shard: number): void {
    const position = this.positions[shard]!
    const { offset, unheard } = position
    if (position.missed) position.heard = offset
    position.missed = false
    if (position.heard >= (unheard?.offset ?? 0)) position.unheard = position.heard < offset ? { offset, at: Date.now() } : undefined
    else if (Date.now() - unheard!.at >= DEAF_MS) {
      position.unheard = undefined
      this.listener.listenAnew(shard)
    }
  }

  private isFailing (): boolean {
    return this.positions.some(({ failingSince }) => failingSince !== undefined)
  }

  private failed (shard: number, error: unknown): void {
    if (this.closed) return
    const position = this.positions[shard]!
    if (position.failingSince === undefined) {
      position.failingSince = Date.now()
      this.plan(LOOK_AGAIN_MS)
    }
    if (!this.available || Date.now() - position.failingSince < GRACE_MS) return
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
    position.busy = position.busy.then(async () => { if (!this.closed) await task() }).catch((error: unknown) => { this.failed(shard, error) })
  }

  private async take (shard: number, text: string): Promise<void> {
    const position = this.positions[shard]!
    const { epoch, entries } = parseBatch(shard, text)
    const [first] = entries
    if (epoch.epoch === position.epoch.epoch) position.heard = Math.max(position.heard, entries.at(-1)?.offset ?? 0)
    if (epoch.epoch === position.epoch.epoch && first !== undefined && first.offset <= position.offset + 1) this.tell(shard, entries)
    else if (epoch.epoch !== position.epoch.epoch || first !== undefined) await this.catchUp(shard)
  }

  /** Reads what was missed, up to where the log stands. */
  private async catchUp (shard: number): Promise<void> {
    const position = this.positions[shard]!
    let head = await this.source.headOf(shard)
    if (head.epoch === position.epoch.epoch && head.offset < position.offset) {
      // Less than was told, in the same epoch: another one begins there.
      position.lineage.leave()
      head = await this.source.headOf(shard)
    }
    if (head.epoch === position.epoch.epoch && head.offset <= position.offset) return
    for (const epoch of position.lineage.follow(head.epochs)) this.begin(shard, epoch)
    for (;;) {
      const page = await this.source.readRecent(shard, position.offset, PAGE)
      for (const text of page) {
        const { entries } = parseBatch(shard, text)
        if (entries[0]!.offset > position.offset + 1) await this.readHole(shard, entries[0]!.offset)
        this.tell(shard, entries)
      }
      if (page.length < PAGE) break
    }
    if (position.offset < head.offset) await this.readHole(shard, head.offset + 1)
  }

  /** What was told from its start on is taken back. */
  private begin (shard: number, epoch: EpochStart): void {
    const position = this.positions[shard]!
    position.epoch = epoch
    position.offset = Math.min(position.offset, epoch.start - 1)
    position.heard = position.offset
    position.unheard = undefined
    this.onBatch({ shard, epoch, entries: [] })
  }

  /** What is not among the recent entries any more is in the topics' streams, as far as they hold it. */
  private async readHole (shard: number, before: number): Promise<void> {
    const position = this.positions[shard]!
    const { entries, lost } = await this.source.readBeyond(shard, position.offset, before)
    position.offset = before - 1
    this.onBatch({ shard, epoch: position.epoch, entries, hole: { upTo: before - 1, lost } })
  }

  private tell (shard: number, entries: readonly Entry[]): void {
    const position = this.positions[shard]!
    const news = entries[0] !== undefined && entries[0].offset > position.offset ? entries : entries.filter(({ offset }) => offset > position.offset)
    if (news.length === 0) return
    position.offset = news.at(-1)!.offset
    this.onBatch({ shard, epoch: position.epoch, entries: news })
  }
}
