import { ProtocolError } from '@tickwire/protocol'
import { parseBatch } from '../log/batch-text.js'
import type {
  AppendItem, AppendOptions, AppendResult, Entry, Fence, KeptOrigin, KeyedMessage, Log, Page, ReadFrom,
  ShardHead, Snapshot, TailBatch, Tailing, TopicPosition
} from '../log/log.js'
import { checkOrigins } from '../log/origin-order.js'
import { readBeyond } from '../log/read-beyond.js'
import { shardOf } from '../log/shard-of.js'
import { FrameReader, readBatch } from './frames.js'
import type { LocalLink } from './local-link.js'
import { LocalTail } from './local-tail.js'
import { parsePage, parseSnapshot } from './page-text.js'

/** The log that another process of this server holds (ADR 64). */
export class LocalLog implements Log {
  readonly shards: number
  /** Whether the log is lost when that process ends. */
  readonly isVolatile: boolean
  private readonly follower: LocalTail
  private closed = false

  constructor (private readonly link: LocalLink) {
    const { shards, isVolatile } = link.welcome
    this.shards = shards
    this.isVolatile = isVolatile
    this.follower = new LocalTail(link, {
      headOf: async shard => (await this.head([shard]))[0]!,
      readRecent: async (shard, after, limit) =>
        texts(await link.callParts('recentAfter', shard, after, limit)),
      readBeyond: (shard, after, before) => readBeyond(this, shard, after, before)
    })
  }

  shardOf (topic: string): number {
    return shardOf(topic, this.shards)
  }

  async append (items: readonly AppendItem[], options?: AppendOptions): Promise<readonly AppendResult[]> {
    if (this.closed) throw new ProtocolError('log_unavailable')
    checkOrigins(items, options?.lineage)
    return items.length === 0 ? [] : await this.link.append(items, conditionsOf(options))
  }

  async origins (processor: string, shard?: number): Promise<ReadonlyMap<string, KeptOrigin>> {
    return new Map(await this.ask<Array<[string, KeptOrigin]>>('origins', processor, shard))
  }

  async raise (source: string): Promise<Fence> {
    return await this.ask<Fence>('raise', source)
  }

  async read (topic: string, from: ReadFrom, limit: number): Promise<Page> {
    return parsePage(topic, this.shardOf(topic), await this.link.call('read', topic, from, limit))
  }

  async find (topic: string, idempotencyKey: string): Promise<KeyedMessage | undefined> {
    const found = await this.ask<KeyedMessage | null>('find', topic, idempotencyKey)
    return found === null ? undefined : { ...found, entry: found.entry }
  }

  async tail (shard: number, onBatch: (batch: TailBatch) => void): Promise<Tailing> {
    return await this.follower.follow(shard, onBatch)
  }

  watch (onChange: (available: boolean) => void): () => void {
    return this.link.watch(onChange)
  }

  async recent (shard: number, maxBytes: number): Promise<readonly Entry[]> {
    const parts = await this.link.callParts('recent', shard, maxBytes)
    return texts(parts).flatMap(text => parseBatch(shard, text).entries)
  }

  async head (shards?: readonly number[]): Promise<readonly ShardHead[]> {
    return await this.ask<ShardHead[]>('head', shards)
  }

  async topics (shard?: number): Promise<ReadonlyMap<string, TopicPosition>> {
    const topics = new Map<string, TopicPosition>()
    for (const part of await this.link.callParts('topics', shard)) {
      for (const [topic, sequence, offset] of JSON.parse(String(part)) as Array<[string, number, number]>) {
        topics.set(topic, { sequence, offset })
      }
    }
    return topics
  }

  async snapshot (topic: string): Promise<Snapshot | undefined> {
    return parseSnapshot(await this.link.call('snapshot', topic))
  }

  async close (): Promise<void> {
    this.closed = true
    this.follower.close()
    this.link.close()
  }

  private async ask<Answer> (method: string, ...args: readonly unknown[]): Promise<Answer> {
    return JSON.parse(await this.link.call(method, ...args)) as Answer
  }
}

/** Returns the conditions alone, which callers may give among other things; undefined if there are none. */
function conditionsOf ({ fence, lineage, epochs }: AppendOptions = {}): AppendOptions | undefined {
  return fence === undefined && lineage === undefined && epochs === undefined
    ? undefined
    : { fence, lineage, epochs }
}

/** Reads the texts of batches that came as frames. */
function texts (parts: readonly Buffer[]): string[] {
  const found: string[] = []
  const reader = new FrameReader((_kind, body) => { found.push(readBatch(body).text) })
  for (const part of parts) reader.take(part)
  return found
}
