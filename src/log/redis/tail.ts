import type { Redis } from 'ioredis'
import type { Entry, EpochStart, ShardHead, TailBatch } from '../log.js'
import { parseBatch } from './batch.js'
import type { ShardKeys } from './keys.js'

/** How often each shard is asked whether something was missed: pub/sub may lose messages. */
const LOOK_MS = 1000
/** Batches that are read at a time of what was missed. */
const PAGE = 200

export interface TailSource {
  readonly redis: Redis
  readonly keys: readonly ShardKeys[]
  headOf (shard: number): Promise<ShardHead>
  /** Every message of a shard after an offset that its streams still hold, in order. */
  readBeyond (shard: number, offset: number): Promise<Entry[]>
}

interface Position {
  epoch: EpochStart
  offset: number
  /** What is being dealt with, one after another. */
  busy: Promise<void>
}

/**
 * Follows all shards: what is published is the fast path, the streams are the truth. A hole in the offsets, a new
 * connection, or the look each second make it read what it missed before it goes on; it never tells out of order.
 */
export class Tail {
  private readonly positions: Position[] = []
  private timer: NodeJS.Timeout | undefined
  private closed = false

  constructor (
    private readonly source: TailSource,
    private readonly subscriber: Redis,
    private readonly onBatch: (batch: TailBatch) => void,
    private readonly onError: (error: unknown) => void
  ) {}

  async start (): Promise<void> {
    const shards = new Map(this.source.keys.map((keys, shard) => [keys.live, shard]))
    this.subscriber.on('smessage', (channel: string, text: string) => {
      const shard = shards.get(channel)
      if (shard !== undefined) this.enqueue(shard, async () => { await this.take(shard, text) })
    })
    for (const keys of this.source.keys) await this.subscriber.ssubscribe(keys.live)
    for (const shard of this.source.keys.keys()) {
      const { offset, epochs } = await this.source.headOf(shard)
      this.positions[shard] = { epoch: epochs.at(-1)!, offset, busy: Promise.resolve() }
    }
    // Subscriptions come back by themselves, but not what was published meanwhile.
    this.subscriber.on('ready', () => { this.look() })
    this.timer = setInterval(() => { this.look() }, LOOK_MS).unref()
  }

  /** Of the last message that was told. */
  offset (shard: number): number {
    return this.positions[shard]!.offset
  }

  close (): void {
    this.closed = true
    clearInterval(this.timer)
  }

  private look (): void {
    for (const shard of this.positions.keys()) this.enqueue(shard, async () => { await this.catchUp(shard) })
  }

  private enqueue (shard: number, task: () => Promise<void>): void {
    const position = this.positions[shard]
    // Before it has a position, the look that follows finds what came.
    if (position === undefined) return
    position.busy = position.busy.then(async () => { if (!this.closed) await task() }).catch((error: unknown) => { if (!this.closed) this.onError(error) })
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
    for (;;) {
      const page = await this.source.redis.xrange(this.source.keys[shard]!.recent, String(position.offset + 1), '+', 'COUNT', PAGE) as Array<[string, string[]]>
      const batches = page.map(([, fields]) => parseBatch(shard, fields[1]!))
      for (const { epoch, entries } of batches) {
        this.passEpochs(shard, head.epochs, epoch)
        if (entries[0]!.offset > position.offset + 1) await this.readHole(shard, entries[0]!.offset)
        this.tell(shard, epoch, entries)
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
    const entries = (await this.source.readBeyond(shard, position.offset)).filter(({ offset }) => offset < before)
    if (entries.length > 0) this.tell(shard, position.epoch, entries)
    position.offset = Math.max(position.offset, before - 1)
  }

  private tell (shard: number, epoch: EpochStart, entries: readonly Entry[]): void {
    const position = this.positions[shard]!
    const isNew = epoch.epoch !== position.epoch.epoch
    if (isNew) {
      position.epoch = epoch
      position.offset = Math.min(position.offset, epoch.start - 1)
    }
    const news = entries.filter(({ offset }) => offset > position.offset)
    if (news.length === 0 && !isNew) return
    position.offset = news.at(-1)?.offset ?? position.offset
    this.onBatch({ shard, epoch, entries: news })
  }
}
