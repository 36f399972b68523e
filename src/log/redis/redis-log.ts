import { randomUUID } from 'node:crypto'
import { type Channels, ProtocolError } from '@tickwire/protocol'
import type { Redis } from 'ioredis'
import {
  type AppendItem, type AppendOptions, type AppendResult, type Entry, type Fence,
  type KeptOrigin, type KeyedMessage, type Log, NAMES_PER_TOPIC, type Page, randomEpoch, type ReadFrom,
  RECENT_SHARE, type Retention, type ShardHead, type Snapshot, StaleEpoch, StaleFence, type TailBatch,
  type Tailing, type TopicPosition
} from '../log.js'
import { readAcknowledged } from '../acknowledged.js'
import { parseBatch } from '../batch-text.js'
import { checkOrigins } from '../origin-order.js'
import { readBeyond } from '../read-beyond.js'
import { shardOf } from '../shard-of.js'
import { Appender, type Outcome, TooEarly } from './append/appender.js'
import {
  type BatchText, parseEntry, parseKeptOrigin, parsePosition, type StreamEntry
} from './append/batch.js'
import { connectRedis, type LogConnections } from './connect.js'
import { fenceText, raiseFence } from './append/fences.js'
import { findKeyedMessage } from './keyed-message.js'
import { fenceField, ShardKeys } from './keys.js'
import { Reader } from './tail/reader.js'
import { ShardRetention } from './upkeep/retention.js'
import { RetentionRules } from './upkeep/rules.js'
import { cannotBeUsed, otherShards } from './append/refusals.js'
import { Scripts } from './scripts/scripts.js'
import { checkRedis, type RedisSetup } from './setup.js'
import { SharedReads } from '../shared-reads.js'
import { States } from './state/states.js'
import { Tail } from './tail/tail.js'
import { TimedOut, timeLimit } from './time-limit.js'
import { Upkeep } from './upkeep/upkeep.js'

export interface RedisLogOptions {
  readonly url: string
  readonly keyPrefix: string
  readonly channels: Channels
  readonly shards: number
  /** See {@link RedisSetup}. */
  readonly alsoRun?: RedisSetup['alsoRun']
  readonly retention: Retention
  /** Most topics of a shard that may have messages. */
  readonly maxTopics: number
  /**
   * Most topics of a shard that may ever have had a message: the log keeps their last sequences. Default:
   * {@link NAMES_PER_TOPIC} for each of `maxTopics`.
   */
  readonly maxTopicNames?: number
  readonly onError: (error: unknown, message: string) => void
}

/** How long the log keeps recent entries. */
const RECENT_MS = 60_000
/** Recent batches in one read. */
const RECENT_PAGE = 16
/**
 * After this time without an answer, a batch is sent again on a new connection; a publish has time for that.
 */
const APPEND_PATIENCE_MS = 400
/**
 * Answers that the log keeps of a node, so that it can repeat them: more than a node ever has batches under
 * way.
 */
const KEPT_ANSWERS = 16
/** Fields of a hash in one step of a scan. */
const SCAN_COUNT = 5000

/**
 * The log on Redis Streams: all nodes share it, it is replayable, and exact about what Redis itself lost (ADR
 * 12).
 */
export class RedisLog implements Log {
  readonly shards: number
  private readonly node = randomUUID()
  private readonly keys: readonly ShardKeys[]
  private readonly appends: Scripts
  private readonly appenders: readonly Appender[]
  private readonly reader: Reader
  private readonly heads = new SharedReads<ShardHead>()
  private readonly states: States
  private readonly follower: Tail
  private readonly upkeep: Upkeep
  private readonly rules: RetentionRules
  private closed = false

  private constructor (
    private readonly options: RedisLogOptions,
    private readonly connections: LogConnections
  ) {
    const { channels, retention } = options
    const { writer, reader, subscriber } = connections
    this.shards = options.shards
    this.keys = Array.from({ length: this.shards }, (_, shard) => new ShardKeys(options.keyPrefix, shard))
    this.appends = new Scripts(writer, ['append'])
    const readScripts = new Scripts(reader, ['read', 'find', 'head', 'state', 'snapshot', 'trim', 'fence'])
    this.reader = new Reader(reader, readScripts, this.shards)
    this.states = new States({
      reader: this.reader, channels, keys: this.keys, shardOf: topic => this.shardOf(topic)
    })
    this.appenders = this.keys.map((keys, shard) => new Appender(shard, {
      send: (number, text, options, follows) => this.sendBatch(shard, number, text, options, follows),
      onceKey: (topic, key) => keys.once(topic, key),
      flights: writer.sharded ? 1 : 2
    }))
    this.rules = new RetentionRules(channels, retention)
    this.upkeep = new Upkeep({
      masters: reader,
      keys: this.keys,
      states: this.states,
      node: this.node,
      retentions: this.keys.map(keys => new ShardRetention({
        reader: this.reader,
        keys,
        bytes: retention.bytes,
        rules: this.rules,
        acknowledged: async topic => (await readAcknowledged(this, topic)).offset
      })),
      maxMessages: topic => this.rules.boundsOf(topic).messages,
      onError: options.onError
    })
    this.follower = new Tail({
      channels: this.keys.map(({ live }) => live),
      subscriber,
      reader,
      headOf: shard => this.headOf(shard),
      readRecent: (shard, after, limit) =>
        this.recentBatches(shard, (redis, recent) => redis.xrange(recent, after + 1, '+', 'COUNT', limit)),
      readBeyond: (shard, after, before) => readBeyond(this, shard, after, before),
      onError: (error, message) => { if (!this.closed) options.onError(error, message) }
    })
  }

  /** @throws LogSetupError, which says what is wrong and what to do */
  static async open (options: RedisLogOptions): Promise<RedisLog> {
    await checkRedis(options)
    const log = new RedisLog(options, await connectRedis(options))
    try {
      await log.head()
      await log.upkeep.start()
    } catch (error) {
      await log.close()
      throw cannotBeUsed(options, error)
    }
    return log
  }

  shardOf (topic: string): number {
    return shardOf(topic, this.shards)
  }

  async append (items: readonly AppendItem[], options: AppendOptions = {}): Promise<readonly AppendResult[]> {
    if (this.closed) throw new ProtocolError('log_unavailable')
    checkOrigins(items, options.lineage)
    if (items.length === 0) return []
    if (this.shards === 1) return this.answersOf(await this.appendTo(0, items, options))
    const indexes = new Map<number, number[]>()
    items.forEach(({ topic }, index) => {
      const shard = this.shardOf(topic)
      const found = indexes.get(shard)
      if (found === undefined) indexes.set(shard, [index])
      else found.push(index)
    })
    const outcomes = new Array<Outcome>(items.length)
    // Waits for all shards before it throws a refusal, so that nothing is still appended after that.
    const settled = await Promise.allSettled([...indexes].map(async ([shard, own]) => {
      const answers = await this.appendTo(shard, own.map(index => items[index]!), options)
      answers.forEach((answer, index) => { outcomes[own[index]!] = answer })
    }))
    const refused = settled.find(outcome => outcome.status === 'rejected')
    if (refused !== undefined) throw refused.reason
    return this.answersOf(outcomes)
  }

  async raise (source: string): Promise<Fence> {
    return await raiseFence(this.reader, this.keys, source)
  }

  async origins (processor: string, shard?: number): Promise<ReadonlyMap<string, KeptOrigin>> {
    const origins = new Map<string, KeptOrigin>()
    const shards = shard === undefined ? this.keys.keys() : [shard]
    for (const index of shards) {
      const found = await this.scan(index, this.keys[index]!.origins(processor))
      for (const [topic, text] of found) origins.set(topic, parseKeptOrigin(text))
    }
    return origins
  }

  async read (topic: string, from: ReadFrom, limit: number): Promise<Page> {
    const shard = this.shardOf(topic)
    const keys = this.keys[shard]!
    const [mode, after] = 'offset' in from ? ['offset', from.offset] : ['sequence', from.sequence]
    const scriptKeys = [...keys.common, keys.seq, keys.stream(topic)]
    const [epoch, last, first, entries] =
      await this.reader.run('read', scriptKeys, [topic, mode, after, limit]) as
        [epoch: string, last: string, first: string, entries: StreamEntry[]]

    return {
      epoch: Number(epoch),
      entries: entries.map(entry => parseEntry(topic, shard, entry)),
      last: last === '' ? undefined : parsePosition(last),
      first: first === '' ? undefined : Number(first)
    }
  }

  async find (topic: string, idempotencyKey: string): Promise<KeyedMessage | undefined> {
    const shard = this.shardOf(topic)
    return await findKeyedMessage(this.reader, this.keys[shard]!, shard, topic, idempotencyKey)
  }

  async tail (shard: number, onBatch: (batch: TailBatch) => void): Promise<Tailing> {
    return await this.follower.follow(shard, onBatch)
  }

  watch (onChange: (available: boolean) => void): () => void {
    return this.follower.watch(onChange)
  }

  async head (shards: Iterable<number> = this.keys.keys()): Promise<readonly ShardHead[]> {
    return await Promise.all(Array.from(shards, shard => this.headOf(shard)))
  }

  async recent (shard: number, maxBytes: number): Promise<readonly Entry[]> {
    const newestFirst: Array<readonly Entry[]> = []
    for (let end = '+', length = 0, more = true; more && length < maxBytes;) {
      const page = await this.recentBatches(shard, (redis, recent) =>
        redis.xrevrange(recent, end, '-', 'COUNT', RECENT_PAGE))
      for (const text of page) {
        newestFirst.push(parseBatch(shard, text).entries)
        length += text.length
      }
      more = page.length === RECENT_PAGE
      end = `(${newestFirst.at(-1)?.at(-1)?.offset ?? 0}-0`
    }
    // Returns only the batches after the newest gap.
    const gap = newestFirst.findIndex((entries, index) => {
      return index > 0 && entries.at(-1)!.offset + 1 !== newestFirst[index - 1]![0]!.offset
    })
    return newestFirst.slice(0, gap < 0 ? undefined : gap).reverse().flat()
  }

  async topics (shard?: number): Promise<ReadonlyMap<string, TopicPosition>> {
    const topics = new Map<string, TopicPosition>()
    const shards = shard === undefined ? this.keys.keys() : [shard]
    for (const index of shards) {
      const found = await this.scan(index, this.keys[index]!.seq)
      for (const [topic, text] of found) topics.set(topic, parsePosition(text))
    }
    return topics
  }

  async snapshot (topic: string): Promise<Snapshot | undefined> {
    return await this.states.snapshot(topic)
  }

  async close (): Promise<void> {
    if (this.closed) return
    this.closed = true
    this.upkeep.close()
    this.follower.close()
    for (const appender of this.appenders) appender.close()
    this.connections.close()
  }

  // ---- one shard

  private async appendTo (
    shard: number,
    items: readonly AppendItem[],
    options: AppendOptions
  ): Promise<readonly Outcome[]> {
    try {
      return await this.appenders[shard]!.append(items, options)
    } catch (error) {
      if (error instanceof ProtocolError) return items.map(() => error)
      throw error
    } finally {
      for (const { topic } of items) this.upkeep.note(topic)
    }
  }

  private answersOf (outcomes: readonly Outcome[]): readonly AppendResult[] {
    const failures = outcomes.filter(outcome => outcome instanceof ProtocolError)
    const [failure] = failures
    if (failure !== undefined && failures.length === outcomes.length) throw failure
    // Logs what Redis itself said, for the operator. If a shard cannot be reached, its tail reports that.
    for (const error of new Set(failures)) {
      if (error.cause === undefined) continue
      this.options.onError(error, 'the log could not append a part of what was published')
    }
    return outcomes.map(outcome => {
      return outcome instanceof ProtocolError ? { error: outcome.code, message: outcome.message } : outcome
    })
  }

  private async sendBatch (
    shard: number,
    number: number,
    { topics, onceKeys, items, payloads, processor, origins }: BatchText,
    { fence, lineage = [], epochs }: AppendOptions,
    follows: boolean
  ): Promise<string> {
    const keys = this.keys[shard]!
    const { maxTopics, maxTopicNames = NAMES_PER_TOPIC * maxTopics } = this.options
    const answer = this.appends.run('append', [
      ...keys.common, keys.seq, keys.recent, keys.marks, keys.answers(this.node),
      keys.origins(processor ?? ''),
      ...topics.map(topic => keys.stream(topic)), ...onceKeys
    ], [
      randomEpoch(), this.shards, number, maxTopics, RECENT_MS, this.recentBytes, KEPT_ANSWERS,
      JSON.stringify(topics), items, payloads,
      ...(fence === undefined ? ['', ''] : [fenceField(fence.source), fenceText(fence)]),
      origins, origins === '' ? '' : `,${lineage.join(',')},`, epochs?.[shard] ?? '', maxTopicNames,
      follows ? number - 1 : '',
      ...topics.flatMap(topic => [topic, ...this.rules.appendBounds(topic)])
    ]) as Promise<[kind: string, text: string]>
    const [kind, text] = await timeLimit(answer, APPEND_PATIENCE_MS).catch((error: unknown) => {
      // A connection that does not answer may never answer again.
      if (error instanceof TimedOut) this.connections.writer.renew(keys.meta)
      throw error
    })
    if (kind === 'answer') return text
    if (kind === 'stale' && fence !== undefined) throw new StaleFence(fence)
    if (kind === 'epoch') throw new StaleEpoch(shard)
    if (kind === 'early') throw new TooEarly()
    throw new Error(
      kind === 'shards' ? `the log was made with ${text} shards` : 'a key of the log holds something else'
    )
  }

  /**
   * Scans a hash. The cursor of a scan is valid only in the Redis process that gave it: if a new epoch has
   * begun meanwhile, the process may be another one, so the scan starts again.
   */
  private async scan (shard: number, hash: string): Promise<Map<string, string>> {
    for (;;) {
      const { epoch } = await this.headOf(shard)
      const found = new Map<string, string>()
      let cursor = '0'
      do {
        const [next, fields] =
          await this.reader.ask(hash, redis => redis.hscan(hash, cursor, 'COUNT', SCAN_COUNT))
        cursor = next
        for (let i = 0; i < fields.length; i += 2) found.set(fields[i]!, fields[i + 1]!)
      } while (cursor !== '0')
      if ((await this.headOf(shard)).epoch === epoch) return found
    }
  }

  private async headOf (shard: number): Promise<ShardHead> {
    return await this.heads.read(String(shard), async () => {
      const left = [...this.follower.left(shard)]
      const [offset, list, made] =
        await this.reader.run('head', this.keys[shard]!.common, left, { urgent: true }) as
          [offset: string, epochs: string[], shards: string]
      if (Number(made) !== this.shards) throw otherShards(made)
      const epochs = list.map(entry => {
        const [epoch, start] = entry.split(':')
        return { epoch: Number(epoch), start: Number(start) }
      })
      return { epoch: epochs.at(-1)!.epoch, offset: Number(offset), epochs }
    })
  }

  /** Reads texts of recent batches, ahead of all other reads, because the tail needs them. */
  private async recentBatches (
    shard: number,
    read: (redis: Redis, recent: string) => Promise<unknown>
  ): Promise<string[]> {
    const { recent } = this.keys[shard]!
    const page = await this.reader.ask(recent, redis => read(redis, recent), { urgent: true }) as
      Array<[id: string, fields: string[]]>
    return page.map(([, fields]) => fields[1]!)
  }

  private get recentBytes (): number {
    return Math.floor(this.options.retention.bytes * RECENT_SHARE)
  }
}
