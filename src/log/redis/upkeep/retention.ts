import { PINNED_SHARE } from '../../log.js'
import { isDormant, parsePosition } from '../append/batch.js'
import type { ShardKeys } from '../keys.js'
import type { Reader } from '../tail/reader.js'
import type { RetentionRules } from './rules.js'

/** Most topics in one call: Redis does nothing else meanwhile. */
const TOPICS_AT_A_TIME = 250
/**
 * If a shard exceeds its bytes, it drops down to this share of them, so that it need not drop again at once.
 */
const SLACK = 0.95
/** How long marks outlive the messages that they are needed for. */
const MARKS_SLACK_MS = 60_000

export interface RetentionOptions {
  readonly reader: Reader
  readonly keys: ShardKeys
  /** Most bytes of the shard's messages, including the recent entries. */
  readonly bytes: number
  readonly rules: RetentionRules
  /** Reads the offset up to which a topic of an acknowledged channel is acknowledged. */
  acknowledged (topic: string): Promise<number>
}

interface Size {
  readonly bytes: number
  readonly first: number
  readonly last: number
  /** The offset up to which the topic is acknowledged; undefined if its channel is no acknowledged one. */
  readonly acknowledged: number | undefined
}

/**
 * Drops the messages of one shard that are too old or exceed its bytes; the append itself holds topics to
 * their number of messages. It goes through the topics in rotation. One node at a time does it; if two did,
 * it would do no harm.
 */
export class ShardRetention {
  private cursor = '0'
  private readonly sizes = new Map<string, Size>()
  /** Topics seen in this round of the rotation. A topic that was not seen is gone. */
  private seen = new Set<string>()

  constructor (private readonly options: RetentionOptions) {}

  /** Trims the next topics of the rotation. */
  async step (): Promise<void> {
    const { reader, keys } = this.options
    const [next, fields] = await reader.ask(keys.seq, redis =>
      redis.hscan(keys.seq, this.cursor, 'COUNT', TOPICS_AT_A_TIME))

    const topics: Array<[topic: string, last: number]> = []
    for (let i = 0; i < fields.length; i += 2) {
      const [topic, position] = [fields[i]!, fields[i + 1]!]
      if (!isDormant(position)) topics.push([topic, parsePosition(position).offset])
    }
    await this.trim(topics, 0, 0)
    this.cursor = next
    if (next !== '0') return
    for (const topic of this.sizes.keys()) if (!this.seen.has(topic)) this.sizes.delete(topic)
    this.seen = new Set()
    await this.holdToBytes()
  }

  forget (): void {
    this.sizes.clear()
    this.cursor = '0'
  }

  /**
   * @param upTo drops everything up to this offset, whatever its age
   * @param openUpTo drops also messages that are not acknowledged, up to this offset
   */
  private async trim (
    topics: ReadonlyArray<[topic: string, last: number]>, upTo: number, openUpTo: number
  ): Promise<void> {
    const { reader, keys, rules } = this.options
    for (let at = 0; at < topics.length; at += TOPICS_AT_A_TIME) {
      const some = topics.slice(at, at + TOPICS_AT_A_TIME)
      const scriptKeys = [...keys.common, keys.marks, keys.seq]
      const args: Array<string | number> = [upTo, rules.longestMs + MARKS_SLACK_MS]
      const acknowledged = await Promise.all(some.map(async ([topic]) =>
        rules.isAcknowledged(topic) ? await this.options.acknowledged(topic) : undefined))
      for (const [index, [topic, offset]] of some.entries()) {
        const { ageMs, keep } = rules.trimRule(topic, offset, Math.max(acknowledged[index] ?? 0, openUpTo))
        scriptKeys.push(keys.stream(topic), keys.snapshot(topic))
        args.push(topic, ageMs, keep)
      }
      const answers = await reader.run('trim', scriptKeys, args) as Array<[bytes: number, first: number]>
      for (const [index, [bytes, first]] of answers.entries()) {
        const [topic, last] = some[index]!
        this.seen.add(topic)
        if (bytes === 0) this.sizes.delete(topic)
        else this.sizes.set(topic, { bytes, first, last, acknowledged: acknowledged[index] })
      }
    }
  }

  /** Drops the oldest messages over all topics until the shard is within its bytes. */
  private async holdToBytes (): Promise<void> {
    const { reader, keys, bytes } = this.options
    const recent = await reader.ask(keys.recent, redis => redis.memory('USAGE', keys.recent)) ?? 0
    const allowed = bytes - recent
    if (this.bytesLeft(0, 0) <= allowed) return
    const openUpTo = this.leastOffset(offset => this.openBytes(offset) <= bytes * PINNED_SHARE)
    const upTo = this.leastOffset(offset => this.bytesLeft(offset, openUpTo) <= allowed * SLACK)
    const older = [...this.sizes].filter(([, { first }]) => first <= upTo)
    await this.trim(older.map(([topic, { last }]) => [topic, last]), upTo, Math.min(openUpTo, upTo))
  }

  /** Returns the least offset that holds, if all above it hold, too; the last of all if none holds. */
  private leastOffset (holds: (offset: number) => boolean): number {
    let low = 0
    let high = Math.max(...[...this.sizes.values()].map(({ last }) => last))
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (holds(middle)) high = middle
      else low = middle + 1
    }
    return low
  }

  /** Estimates the bytes of what is not acknowledged if everything up to an offset went. */
  private openBytes (offset: number): number {
    let sum = 0
    for (const size of this.sizes.values()) {
      if (size.acknowledged !== undefined) sum += bytesAfter(size, Math.max(offset, size.acknowledged))
    }
    return sum
  }

  /** Estimates the bytes left if {@link trim} dropped what it may up to an offset. */
  private bytesLeft (upTo: number, openUpTo: number): number {
    let sum = 0
    for (const size of this.sizes.values()) {
      const { acknowledged = Infinity } = size
      sum += bytesAfter(size, Math.min(upTo, Math.max(acknowledged, openUpTo)))
    }
    return sum
  }
}

/** Estimates a topic's bytes after an offset: as if its messages lay evenly in its span. */
function bytesAfter ({ bytes, first, last }: Size, offset: number): number {
  return first > offset ? bytes : last <= offset ? 0 : bytes * (last - offset) / (last - first)
}
