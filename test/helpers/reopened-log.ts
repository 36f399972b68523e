import type {
  AppendItem, AppendOptions, AppendResult, Entry, Fence, KeptOrigin, KeyedMessage, Log, Page, ReadFrom,
  ShardHead, Snapshot, TailBatch, Tailing, TopicPosition
} from '../../src/log/log.js'

interface Follower {
  readonly shard: number
  readonly onBatch: (batch: TailBatch) => void
  tailing: Tailing
}

/**
 * A log that a test opens again and again, as one: its tails go on in the log that was opened last. They are
 * told of its epochs, as those are told who follow a log that another process restarts.
 */
export class ReopenedLog implements Log {
  private readonly followers = new Set<Follower>()

  constructor (private log: Log) {}

  get shards (): number {
    return this.log.shards
  }

  async goOnIn (log: Log): Promise<void> {
    this.log = log
    for (const follower of [...this.followers]) {
      follower.tailing = await log.tail(follower.shard, follower.onBatch)
    }
    for (const [shard, { epochs }] of (await log.head()).entries()) {
      for (const follower of [...this.followers]) {
        if (follower.shard === shard) follower.onBatch({ shard, epoch: epochs.at(-1)!, entries: [] })
      }
    }
  }

  async tail (shard: number, onBatch: (batch: TailBatch) => void): Promise<Tailing> {
    const follower: Follower = { shard, onBatch, tailing: await this.log.tail(shard, onBatch) }
    this.followers.add(follower)
    return {
      head: follower.tailing.head,
      end: () => {
        this.followers.delete(follower)
        follower.tailing.end()
      }
    }
  }

  shardOf (topic: string): number {
    return this.log.shardOf(topic)
  }

  async append (items: readonly AppendItem[], options?: AppendOptions): Promise<readonly AppendResult[]> {
    return await this.log.append(items, options)
  }

  async origins (processor: string, shard?: number): Promise<ReadonlyMap<string, KeptOrigin>> {
    return await this.log.origins(processor, shard)
  }

  async raise (source: string): Promise<Fence> {
    return await this.log.raise(source)
  }

  async read (topic: string, from: ReadFrom, limit: number): Promise<Page> {
    return await this.log.read(topic, from, limit)
  }

  async find (topic: string, idempotencyKey: string): Promise<KeyedMessage | undefined> {
    return await this.log.find(topic, idempotencyKey)
  }

  watch (onChange: (available: boolean) => void): () => void {
    return this.log.watch(onChange)
  }

  async recent (shard: number, maxBytes: number): Promise<readonly Entry[]> {
    return await this.log.recent(shard, maxBytes)
  }

  async head (shards?: readonly number[]): Promise<readonly ShardHead[]> {
    return await this.log.head(shards)
  }

  async topics (shard?: number): Promise<ReadonlyMap<string, TopicPosition>> {
    return await this.log.topics(shard)
  }

  async snapshot (topic: string): Promise<Snapshot | undefined> {
    return await this.log.snapshot(topic)
  }

  async close (): Promise<void> {
    await this.log.close()
  }
}
