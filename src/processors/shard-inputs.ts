import { setTimeout as delay } from 'node:timers/promises'
import { channelOfKey, parseTopicKey } from '@tickwire/protocol'
import {
  type Entry, epochAt, followsOn, type KeptOrigin, type Log, type Page, type ReadFrom, type ShardHead,
  StaleEpoch, type TailBatch, type Tailing
} from '../log/log.js'
import type { Input } from './processor.js'

/** Characters of payload that may wait for a processor. If more wait, it begins anew from the log. */
const MAX_WAITING = 16 << 20
/** The pause before a run begins anew, for a log that begins one epoch after another. */
const ANEW_PAUSE_MS = 20
/** Messages of a topic in one read. */
const PAGE = 500

/**
 * The run of a processor must begin anew: the log has begun an epoch, has dropped what was not read yet, or
 * is too far ahead. This is no failure.
 */
export class BeginAnew extends Error {
  override readonly name = 'BeginAnew'
}

/**
 * Runs `once` again whenever it ends, or throws {@link BeginAnew} or StaleEpoch, until the signal is aborted.
 * @throws whatever else `once` throws
 */
export async function untilAborted (signal: AbortSignal, once: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    try {
      await once()
    } catch (error) {
      if (!(error instanceof BeginAnew || error instanceof StaleEpoch)) throw error
      await delay(ANEW_PAUSE_MS)
    }
  }
}

/** Follows the input topics of one shard, from the head at which following began. */
export class ShardInputs {
  private waiting: Entry[] = []
  private characters = 0
  private isOutdated = false
  private wake: () => void = () => {}
  /** The offset of the last entry that came, and of the last one before what {@link next} returned. */
  private seen = 0
  private returned = 0
  /** Whether an entry of an input channel is wanted; others are passed over. */
  private wants: ((topic: string) => boolean) | undefined

  private constructor (
    private readonly log: Log,
    readonly shard: number,
    private readonly channels: ReadonlySet<string>
  ) {}

  private tailing: Tailing | undefined
  /** Epochs of batches that came before the answer that has the head. */
  private early: number[] = []

  /** Begins to follow a shard. @throws ProtocolError `log_unavailable` */
  static async follow (log: Log, shard: number, channels: ReadonlySet<string>): Promise<ShardInputs> {
    const inputs = new ShardInputs(log, shard, channels)
    inputs.tailing = await log.tail(shard, batch => { inputs.take(batch) })
    inputs.isOutdated ||= inputs.early.some(epoch => epoch !== inputs.head.epoch)
    return inputs
  }

  /** Begins to follow all shards; follows none if it throws. @throws ProtocolError `log_unavailable` */
  static async followAll (log: Log, channels: ReadonlySet<string>): Promise<ShardInputs[]> {
    const shards = Array.from({ length: log.shards }, (_, shard) => shard)
    const opened = await Promise.allSettled(shards.map(shard => ShardInputs.follow(log, shard, channels)))
    const inputs = opened.flatMap(outcome => outcome.status === 'fulfilled' ? [outcome.value] : [])
    const failure = opened.find(outcome => outcome.status === 'rejected')
    if (failure === undefined) return inputs
    for (const input of inputs) input.end()
    throw failure.reason
  }

  /** Where the log stood when following began. Later entries come by {@link next}. */
  get head (): ShardHead {
    return this.tailing!.head
  }

  /** Passes over entries of topics that are not wanted when they come. */
  only (wants: (topic: string) => boolean): void {
    this.wants = wants
  }

  /** The offset up to which all entries were returned by {@link next}, or passed over. */
  get passed (): number {
    return Math.max(this.returned, this.head.offset)
  }

  isInput (topic: string): boolean {
    return this.channels.has(channelOfKey(topic))
  }

  /** Returns the input topics that exist; of these, those that have a message after an offset. */
  async topics (after = 0): Promise<string[]> {
    const topics: string[] = []
    for (const [topic, last] of await this.log.topics(this.shard)) {
      if (this.isInput(topic) && last.offset > after) topics.push(topic)
    }
    return topics
  }

  /**
   * Returns the input topics that exist, and those that the log has lost altogether but that have outputs.
   * @param kept by output topic, the newest origin of the processor
   */
  async topicsWith (kept: ReadonlyMap<string, KeptOrigin>): Promise<string[]> {
    const topics = new Set(await this.topics())
    for (const { topic } of kept.values()) if (this.log.shardOf(topic) === this.shard) topics.add(topic)
    return [...topics]
  }

  /**
   * Waits for entries, and returns them in the shard's order; none if none came in time.
   * @throws BeginAnew
   */
  async next (withinMs: number, signal: AbortSignal): Promise<readonly Entry[]> {
    const mustWait = this.waiting.length === 0 && !this.isOutdated && !signal.aborted
    if (mustWait) await this.waitForEntries(withinMs, signal)
    if (this.isOutdated) throw new BeginAnew()
    const { waiting } = this
    this.waiting = []
    this.characters = 0
    this.returned = this.seen
    return waiting
  }

  end (): void {
    this.tailing?.end()
  }

  private async waitForEntries (withinMs: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>(resolve => {
      const wake = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', wake)
        this.wake = () => {}
        resolve()
      }
      const timer = setTimeout(wake, withinMs)
      this.wake = wake
      signal.addEventListener('abort', wake)
    })
  }

  private take (batch: TailBatch): void {
    if (this.tailing === undefined) this.early.push(batch.epoch.epoch)
    else if (batch.epoch.epoch !== this.head.epoch) this.isOutdated = true
    if (batch.hole !== undefined) this.isOutdated = true
    for (const entry of batch.entries) {
      this.seen = entry.offset
      if (!this.isInput(entry.topic) || this.wants?.(entry.topic) === false) continue
      this.waiting.push(entry)
      this.characters += entry.payload.length
    }
    if (this.characters > MAX_WAITING) {
      this.isOutdated = true
      this.waiting = []
      this.characters = 0
    }
    // A run sleeps through messages that it does not want.
    if (this.waiting.length > 0 || this.isOutdated) this.wake()
  }
}

/** An entry, and whether the log has dropped messages of its topic before it. */
interface ReadEntry {
  readonly entry: Entry
  readonly missed: boolean
}

/**
 * Reads a topic's messages after an offset, up to that of a head, page by page. `missed` can only be true of
 * a page's first entry.
 * @throws BeginAnew if the shard is in another epoch by now: it may have other messages at these offsets
 */
export async function * readTopic (
  log: Log, topic: string, after: number, head: Pick<ShardHead, 'epoch' | 'offset'>
): AsyncGenerator<readonly ReadEntry[]> {
  let from = after
  for await (const page of readEntries(log, topic, { offset: after }, head)) {
    const hasGap = !followsOn(page, from)
    yield page.entries.map((entry, index) => ({ entry, missed: index === 0 && hasGap }))
    from = page.entries.at(-1)!.offset
  }
}

/** As {@link readTopic}; no page is empty. */
export async function * readEntries (
  log: Log, topic: string, after: ReadFrom, { epoch, offset: upTo }: Pick<ShardHead, 'epoch' | 'offset'>
): AsyncGenerator<Page> {
  for (let from = after; ;) {
    const page = await log.read(topic, from, PAGE)
    if (page.epoch !== epoch) throw new BeginAnew()
    const entries = page.entries.filter(({ offset }) => offset <= upTo)
    if (entries.length > 0) yield { ...page, entries }
    if (entries.length < PAGE) return
    from = { offset: entries.at(-1)!.offset }
  }
}

/** @param head of the entry's shard */
export function inputOf (entry: Entry, missed: boolean, head: ShardHead): Input {
  const { topic, payload, sequence, timestamp, replaces } = entry
  const data: unknown = JSON.parse(payload)
  const epoch = epochAt(entry.offset, head)
  return { topic: parseTopicKey(topic), data, sequence, timestamp, replaces, missed, epoch }
}
