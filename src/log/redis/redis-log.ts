import { randomInt, randomUUID } from 'node:crypto'
import { type Channels, parseTopicKey, ProtocolError } from '@tickwire/protocol'
import type { Redis } from 'ioredis'
import {
  type AppendItem, type AppendResult, type Entry, IDEMPOTENCY_SECONDS, type Log, type Page, type ReadFrom, type Retention, type ShardHead, type Snapshot,
  type TailBatch, type TopicPosition
} from '../log.js'
import { shardOf } from '../shard-of.js'
import { parseEntry, type StreamEntry } from './batch.js'
import { connectRedis } from './connect.js'
import { type Folded, FoldedStates } from './folded-states.js'
import { ShardKeys } from './keys.js'
import { Scripts } from './scripts.js'
import { cannotBeUsed, checkRedis, LogSetupError } from './setup.js'
import { Tail } from './tail.js'

export interface RedisLogOptions {
  readonly url: string
  readonly keyPrefix: string
  readonly channels: Channels
  readonly shards: number
  readonly retention: Retention
  readonly maxTopics: number
  readonly onError: (error: unknown, message: string) => void
}

/** How long recent entries are kept. */
const RECENT_MS = 60_000
/** Answers of a node that are kept, so that a batch that is sent again is answered as before. */
const KEPT_ANSWERS = 1024
/** How long a folded state outlives its topic's stream. */
const SNAPSHOT_SECONDS = 7 * 86_400
const LEASE_MS = 3000
/** How often folded states are kept, at most; and after how many messages at the latest, as a share of retention. */
const KEEP_MS = 1000
const KEEP_SHARE = 4
/** Topics that are asked for at a time. */
const SCAN_COUNT = 5000

type Listener = (batch: TailBatch) => void

/** The log on Redis Streams: shared by all nodes, replayable, and exact about what Redis itself lost (DESIGN). */
export class RedisLog implements Log {
  readonly shards: number
  private readonly keys: readonly ShardKeys[]
  private readonly scripts: Scripts
  private readonly folded: FoldedStates
  private readonly tails: Tail
  private readonly node = randomUUID()
  private batch = 0
  private readonly listeners = new Map<Listener, readonly number[]>()
  /** By shard, the last offset that this node's own appends were given: a listener that comes later is not told of it. */
  private readonly appended: number[]
  /** Topics that this node keeps the states of and that have changed, with how many messages since. */
  private readonly unkept = new Map<string, number>()
  private readonly leases: boolean[]
  private keeper: NodeJS.Timeout | undefined
  private closed = false

  private constructor (private readonly options: RedisLogOptions, private readonly redis: Redis, private readonly subscriber: Redis) {
    this.shards = options.shards
    this.keys = Array.from({ length: this.shards }, (_, shard) => new ShardKeys(options.keyPrefix, shard))
    this.appended = this.keys.map(() => 0)
    this.leases = this.keys.map(() => false)
    this.scripts = new Scripts(redis)
    this.folded = new FoldedStates(options.channels)
    const onError = (error: unknown): void => { options.onError(error, 'the log could not be followed; it is tried again') }
    this.tails = new Tail({
      redis, keys: this.keys, headOf: shard => this.headOf(shard), readBeyond: (shard, offset) => this.readBeyond(shard, offset)
    }, subscriber, batch => { this.tell(batch) }, onError)
  }

  /** @throws LogSetupError that says what is wrong and what to do */
  static async open (options: RedisLogOptions): Promise<RedisLog> {
    await checkRedis(options)
    const connections = await connectRedis(options, error => { options.onError(error, 'Redis cannot be reached; it is tried again') })
    const log = new RedisLog(options, connections.redis, connections.subscriber)
    try {
      await log.head()
      await log.tails.start()
    } catch (error) {
      await log.close()
      throw cannotBeUsed(options, error)
    }
    await log.keepStates()
    log.keeper = setInterval(() => { void log.keepStates() }, KEEP_MS).unref()
    return log
  }

  shardOf (topic: string): number {
    return shardOf(topic, this.shards)
  }

  async append (items: readonly AppendItem[]): Promise<readonly AppendResult[]> {
    if (this.closed) throw new ProtocolError('log_unavailable')
    const places = new Map<number, number[]>()
    items.forEach(({ topic }, place) => {
      const shard = this.shardOf(topic)
      const found = places.get(shard)
      if (found === undefined) places.set(shard, [place])
      else found.push(place)
    })
    const results = new Array<AppendResult>(items.length)
    await Promise.all([...places].map(async ([shard, own]) => {
      const answers = await this.appendTo(shard, own.map(place => items[place]!))
      answers.forEach((answer, index) => { results[own[index]!] = answer })
    }))
    return results
  }

  async read (topic: string, from: ReadFrom, limit: number): Promise<Page> {
    const shard = this.shardOf(topic)
    const keys = this.keys[shard]!
    const [mode, after] = 'offset' in from ? ['offset', from.offset] as const : ['sequence', from.sequence] as const
    const [epoch, last, first, entries] = await this.run('read', [...keys.common, keys.seq, keys.stream(topic)], [topic, mode, after, limit]) as [string, string, string, StreamEntry[]]
    return {
      epoch: Number(epoch),
      entries: entries.map(entry => parseEntry(topic, shard, entry)),
      last: last === '' ? undefined : parsePosition(last),
      first: first === '' ? undefined : Number(first)
    }
  }

  tail (onBatch: Listener): () => void {
    const listener: Listener = batch => { onBatch(batch) }
    this.listeners.set(listener, this.keys.map((_, shard) => Math.max(this.appended[shard]!, this.tails.offset(shard))))
    return () => { this.listeners.delete(listener) }
  }

  async head (): Promise<readonly ShardHead[]> {
    return await Promise.all(this.keys.map((_, shard) => this.headOf(shard)))
  }

  async topics (): Promise<ReadonlyMap<string, TopicPosition>> {
    const topics = new Map<string, TopicPosition>()
    for (const { seq } of this.keys) {
      let cursor = '0'
      do {
        const [next, fields] = await this.redis.hscan(seq, cursor, 'COUNT', SCAN_COUNT)
        cursor = next
        for (let i = 0; i < fields.length; i += 2) topics.set(fields[i]!, parsePosition(fields[i + 1]!))
      } while (cursor !== '0')
    }
    return topics
  }

  async snapshot (topic: string): Promise<Snapshot | undefined> {
    const reduce = this.options.channels.get(parseTopicKey(topic).channel)?.reduce
    if (reduce === undefined) return undefined
    const shard = this.shardOf(topic)
    const keys = this.keys[shard]!
    const known = reduce === 'last' ? undefined : this.folded.get(topic)
    const [epochText, offset, kept, found] = await this.run('state', [...keys.common, keys.stream(topic), keys.snapshot(topic)], [
      known?.offset ?? -1, known?.epoch ?? 0, reduce === 'last' ? 1 : 0
    ]) as [string, string, [string, string, string, string] | [], StreamEntry[]]
    const epoch = Number(epochText)
    const asOf = Number(offset)
    const entries = found.map(entry => parseEntry(topic, shard, entry))
    if (reduce === 'last') {
      const last = entries[0]
      return last === undefined ? undefined : { topic, epoch, sequence: last.sequence, timestamp: last.timestamp, payload: last.payload, asOf }
    }
    const base: Folded | undefined = kept.length > 0
      ? { epoch, sequence: Number(kept[0]), offset: Number(kept[1]), timestamp: Number(kept[2]), state: JSON.parse(kept[3]!) }
      : known !== undefined && known.offset <= asOf && this.stillGood(known, epoch, entries) ? known : undefined
    const folded = entries.length === 0 ? base : this.folded.fold(topic, epoch, base, entries)
    return folded === undefined ? undefined : { topic, epoch, sequence: folded.sequence, timestamp: folded.timestamp, payload: JSON.stringify(folded.state), asOf }
  }

  async close (): Promise<void> {
    if (this.closed) return
    this.closed = true
    clearInterval(this.keeper)
    this.tails.close()
    this.listeners.clear()
    this.redis.disconnect()
    this.subscriber.disconnect()
  }

  // ---- one shard

  private async appendTo (shard: number, items: readonly AppendItem[]): Promise<AppendResult[]> {
    const keys = this.keys[shard]!
    const scriptKeys = [...keys.common, keys.seq, keys.recent, keys.marks, keys.answers(this.node)]
    const args: Array<string | number> = [++this.batch, this.options.maxTopics, RECENT_MS, IDEMPOTENCY_SECONDS, KEPT_ANSWERS]
    for (const { topic, payload, replaces = false, idempotencyKey } of items) {
      scriptKeys.push(keys.stream(topic), idempotencyKey === undefined ? keys.meta : keys.once(topic, idempotencyKey))
      const { messages, ageMs } = this.retentionOf(topic)
      args.push(topic, JSON.stringify(topic), payload, replaces ? 1 : 0, messages, ageMs)
    }
    const [kind, text] = await this.run('append', scriptKeys, args) as [string, string]
    if (kind === 'shards') throw new ProtocolError('log_unavailable', `the log was made with ${text} shards`)
    return (JSON.parse(text) as Array<[number, number] | 0>).map(result => {
      if (result === 0) return { error: 'overloaded' }
      this.appended[shard] = Math.max(this.appended[shard]!, result[1])
      return { sequence: result[0], offset: result[1], shard }
    })
  }

  private async headOf (shard: number): Promise<ShardHead> {
    const [offset, list, made] = await this.run('head', this.keys[shard]!.common, []) as [string, string[], string]
    if (Number(made) !== this.shards) throw new LogSetupError(`LOG_SHARDS: this log was made with ${made} shards, which cannot be changed; set LOG_SHARDS=${made}, or choose another REDIS_KEY_PREFIX`)
    const epochs = list.map(entry => {
      const [epoch, start] = entry.split(':')
      return { epoch: Number(epoch), start: Number(start) }
    })
    return { epoch: epochs.at(-1)!.epoch, offset: Number(offset), epochs }
  }

  private async readBeyond (shard: number, offset: number): Promise<Entry[]> {
    const entries: Entry[] = []
    for (const [topic, last] of await this.topics()) {
      if (this.shardOf(topic) !== shard || last.offset <= offset) continue
      entries.push(...(await this.read(topic, { offset }, last.offset - offset)).entries)
    }
    return entries.sort((a, b) => a.offset - b.offset)
  }

  /** A retention above 0: an idle stream goes as a whole; below: its last message is the state and stays. */
  private retentionOf (topic: string): { messages: number, ageMs: number } {
    const channel = this.options.channels.get(parseTopicKey(topic).channel)
    const { messages, seconds } = { ...this.options.retention, ...channel?.retention }
    return { messages, ageMs: Math.round(seconds * 1000) * (channel?.reduce === 'last' ? -1 : 1) }
  }

  private async run (name: Parameters<Scripts['run']>[0], keys: readonly string[], args: ReadonlyArray<string | number>): Promise<unknown> {
    try {
      return await this.scripts.run(name, keys, [randomInt(2 ** 32), this.shards, ...args])
    } catch (error) {
      if (error instanceof Error && /WRONGTYPE/.test(error.message)) throw error
      throw new ProtocolError('log_unavailable', error instanceof Error ? error.message : undefined)
    }
  }

  // ---- what is told, and what is folded from it

  private tell (batch: TailBatch): void {
    const { shard, epoch, entries } = batch
    if (entries.length === 0) this.forgetBeyond(shard, epoch.start)
    if (this.leases[shard] === true) for (const { topic } of entries) if (this.isFolded(topic)) this.note(topic)
    for (const [listener, from] of [...this.listeners]) {
      if (!this.listeners.has(listener)) continue
      // What was there before it came; a new epoch gives offsets out again.
      const own = entries.length === 0 ? entries : entries.filter(({ offset }) => offset > from[shard]!)
      if (entries.length === 0) (from as number[])[shard] = 0
      else if (own.length === 0) continue
      try {
        listener(own === entries || own.length === entries.length ? batch : { ...batch, entries: own })
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : String(error))
      }
    }
  }

  private forgetBeyond (shard: number, start: number): void {
    this.appended[shard] = Math.min(this.appended[shard]!, start - 1)
    this.folded.clear()
  }

  private isFolded (topic: string): boolean {
    return typeof this.options.channels.get(parseTopicKey(topic).channel)?.reduce === 'function'
  }

  /** A state is kept long before the messages go that it was folded from. */
  private note (topic: string): void {
    const count = (this.unkept.get(topic) ?? 0) + 1
    this.unkept.set(topic, count)
    if (count % Math.max(1, Math.floor(this.retentionOf(topic).messages / KEEP_SHARE)) === 0) void this.keep(topic)
  }

  private async keepStates (): Promise<void> {
    for (const [shard, { lease }] of this.keys.entries()) {
      try {
        const mine = await this.redis.set(lease, this.node, 'PX', LEASE_MS, 'NX') === 'OK' || await this.redis.get(lease) === this.node
        if (mine) await this.redis.pexpire(lease, LEASE_MS)
        this.leases[shard] = mine
      } catch {
        this.leases[shard] = false
      }
    }
    await Promise.all([...this.unkept.keys()].map(topic => this.keep(topic)))
  }

  private async keep (topic: string): Promise<void> {
    this.unkept.delete(topic)
    try {
      const snapshot = await this.snapshot(topic)
      const folded = this.folded.get(topic)
      if (snapshot === undefined || folded === undefined) return
      const keys = this.keys[this.shardOf(topic)]!
      await this.run('snapshot', [...keys.common, keys.snapshot(topic)], [
        folded.epoch, folded.sequence, folded.offset, folded.timestamp, JSON.stringify(folded.state), SNAPSHOT_SECONDS
      ])
    } catch (error) {
      if (!this.closed) this.options.onError(error, 'a state could not be kept; it is tried again')
    }
  }

  /** Whether a state of this node's is what the log's messages go on from. */
  private stillGood (known: Folded, epoch: number, entries: readonly Entry[]): boolean {
    return known.epoch === epoch || (entries[0] === undefined ? false : entries[0].previous === known.offset)
  }
}

function parsePosition (text: string): TopicPosition {
  const [sequence, offset] = text.split(':')
  return { sequence: Number(sequence), offset: Number(offset) }
}
