import { setTimeout as delay } from 'node:timers/promises'
import { parseTopicKey } from '@tickwire/protocol'
import { type Entry, followsOn, type Log, type ShardHead, StaleEpoch, type TailBatch, type Tailing } from '../log/log.js'
import type { Input } from './processor.js'

/** Characters of payload that may wait for a processor; beyond them it reads the log anew. */
const MAX_WAITING = 16 << 20
/** A log that begins one epoch after another is not read without a pause. */
const ANEW_PAUSE_MS = 20
/** Messages of a topic that are read at a time. */
const PAGE = 500

/** A processor must begin anew: the log began an epoch, dropped what was not read yet, or is too far ahead. No failure. */
export class BeginAnew extends Error {
  override readonly name = 'BeginAnew'
}

/** Runs `once` again whenever it ends, or throws {@link BeginAnew} or StaleEpoch, until the signal is aborted. @throws what else `once` throws */
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

/** What a processor follows of a shard: its input topics, from where the log stood when that began. */
export class ShardInputs {
  private waiting: Entry[] = []
  private characters = 0
  private isOutdated = false
  private wake: () => void = () => {}

  private constructor (private readonly log: Log, readonly shard: number, private readonly channels: ReadonlySet<string>) {}

  private tailing: Tailing | undefined
  /** Of batches that came before the answer that says where this began: they are behind it. */
  private early: number[] = []

  /** @throws ProtocolError `log_unavailable` */
  static async follow (log: Log, shard: number, channels: ReadonlySet<string>): Promise<ShardInputs> {
    const inputs = new ShardInputs(log, shard, channels)
    inputs.tailing = await log.tail(shard, batch => { inputs.take(batch) })
    inputs.isOutdated ||= inputs.early.some(epoch => epoch !== inputs.head.epoch)
    return inputs
  }

  /** Where the log stood when this began: later messages come by {@link next}. */
  get head (): ShardHead {
    return this.tailing!.head
  }

  isInput (topic: string): boolean {
    return this.channels.has(parseTopicKey(topic).channel)
  }

  /** The input topics that there are. */
  async topics (): Promise<string[]> {
    return [...(await this.log.topics(this.shard)).keys()].filter(topic => this.isInput(topic))
  }

  /** What came since, in the shard's order; nothing where nothing came in time. @throws BeginAnew */
  async next (withinMs: number, signal: AbortSignal): Promise<readonly Entry[]> {
    if (this.waiting.length === 0 && !this.isOutdated && !signal.aborted) await this.arrival(withinMs, signal)
    if (this.isOutdated) throw new BeginAnew()
    const { waiting } = this
    this.waiting = []
    this.characters = 0
    return waiting
  }

  end (): void {
    this.tailing?.end()
  }

  private async arrival (withinMs: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>(resolve => {
      const come = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', come)
        this.wake = () => {}
        resolve()
      }
      const timer = setTimeout(come, withinMs)
      this.wake = come
      signal.addEventListener('abort', come)
    })
  }

  private take (batch: TailBatch): void {
    if (this.tailing === undefined) this.early.push(batch.epoch.epoch)
    else if (batch.epoch.epoch !== this.head.epoch) this.isOutdated = true
    if (batch.hole !== undefined) this.isOutdated = true
    for (const entry of batch.entries) {
      if (!this.isInput(entry.topic)) continue
      this.waiting.push(entry)
      this.characters += entry.payload.length
    }
    if (this.characters > MAX_WAITING) {
      this.isOutdated = true
      this.waiting = []
      this.characters = 0
    }
    this.wake()
  }
}

/**
 * A topic's messages behind an offset and up to where its shard stood, or before, page by page. The first says whether messages before it
 * were dropped. @throws BeginAnew where the shard is in another epoch by now: what lies there may be other messages
 */
export async function * readTopic (log: Log, topic: string, behind: number, { epoch, offset: upTo }: Pick<ShardHead, 'epoch' | 'offset'>): AsyncGenerator<ReadonlyArray<{ readonly entry: Entry, readonly missed: boolean }>> {
  for (let from = behind; ;) {
    const page = await log.read(topic, { offset: from }, PAGE)
    if (page.epoch !== epoch) throw new BeginAnew()
    const entries = page.entries.filter(({ offset }) => offset <= upTo)
    if (entries.length > 0) yield entries.map((entry, index) => ({ entry, missed: index === 0 && !followsOn(page, from) }))
    if (entries.length < PAGE) return
    from = entries.at(-1)!.offset
  }
}

export function inputOf ({ topic, payload, sequence, timestamp, replaces }: Entry, missed: boolean): Input {
  return { topic: parseTopicKey(topic), data: JSON.parse(payload) as unknown, sequence, timestamp, replaces, missed }
}
