import { setTimeout as delay } from 'node:timers/promises'
import type { Entry, Log, ShardHead } from '../log/log.js'
import { readTopic, ShardInputs, untilAborted } from '../processors/shard-inputs.js'
import type { RecordedTopic } from '../store/recording.js'
import type { RecordedRow, RecorderPosition } from '../store/tables.js'
import { followingIn, NOTHING_RECORDED } from './eras.js'
import { recordedTopic, rowOf } from './recorded-row.js'
import { ShardWriter, type ShardWriterOptions, untilAvailable } from './shard-writer.js'

/** What one transaction writes at most. */
const BATCH = { rows: 2000, characters: 2 << 20 }
/** For how long messages are gathered into one transaction. */
const LINGER_MS = 200
/** How long it waits for messages before it looks whether it must end. */
const IDLE_MS = 1000
/** Topics whose messages are read at the same time, when it catches up. */
const TOPICS_AT_A_TIME = 16

export interface RecorderOptions extends ShardWriterOptions {
  readonly log: Log
  readonly channels: ReadonlySet<string>
  readonly lingerMs?: number | undefined
}

/**
 * Writes the messages of some channels from the log to the store, each once (ADR 49). It reads the log as a
 * processor does, and keeps its position in the store, in the transaction of each batch. So a restart, or
 * another server, goes on where it was. If the store is away, it waits, and then reads what the log still
 * has; it counts messages that the log has dropped by then.
 */
export class Recorder {
  constructor (private readonly options: RecorderOptions) {}

  /** Records until the signal is aborted. @throws ProtocolError `log_unavailable` */
  async run (signal: AbortSignal): Promise<void> {
    await this.eachShard(async shard => {
      await untilAborted(signal, () => new ShardRecorder(shard, this.options, signal).follow())
    })
  }

  /**
   * Records what the log has now: for a log in memory that is about to end.
   * @param signal ends it before it is done
   * @throws what the store failed with when the signal was aborted
   */
  async finish (signal: AbortSignal): Promise<void> {
    await this.eachShard(async shard => {
      const once = new AbortController()
      await untilAborted(once.signal, async () => {
        signal.throwIfAborted()
        await new ShardRecorder(shard, this.options, signal).catchUpOnce()
        once.abort()
      })
    })
  }

  private async eachShard (work: (shard: number) => Promise<void>): Promise<void> {
    await Promise.all(Array.from({ length: this.options.log.shards }, (_, shard) => work(shard)))
  }
}

/** The name of a topic in a map. */
const nameOf = ({ channel, symbol }: RecordedTopic): string => `${channel}:${symbol}`

/** One run on one shard, from the position in the store. It ends with BeginAnew if that is not good. */
class ShardRecorder {
  private rows: RecordedRow[] = []
  private characters = 0
  private newest = 0
  private writing: Promise<void> = Promise.resolve()
  private missed = 0

  constructor (
    private readonly shard: number,
    private readonly options: RecorderOptions,
    private readonly signal: AbortSignal
  ) {}

  async follow (): Promise<void> {
    const { log, channels, lingerMs = LINGER_MS } = this.options
    const inputs = await ShardInputs.follow(log, this.shard, channels)
    try {
      const writer = await this.catchUp(inputs)
      while (!this.signal.aborted) {
        const entries = [...await inputs.next(IDLE_MS, this.signal)]
        if (entries.length === 0) continue
        if (entries.length < BATCH.rows) {
          await delay(lingerMs, undefined, { signal: this.signal }).catch(() => {})
          entries.push(...await inputs.next(0, this.signal))
        }
        await recordInOrder(writer, entries, inputs.head)
      }
    } finally {
      inputs.end()
    }
  }

  async catchUpOnce (): Promise<void> {
    const { log, channels } = this.options
    const inputs = await ShardInputs.follow(log, this.shard, channels)
    inputs.end()
    await this.catchUp(inputs)
  }

  /**
   * Writes what the log has up to the head at which following began, topic after topic. The position moves
   * only when all of it is written. If the recorder ends before, it asks the store what is there already.
   */
  private async catchUp (inputs: ShardInputs): Promise<ShardWriter> {
    const { head } = inputs
    const writer = await this.begin(head)
    const { position } = writer
    if (position.log_offset >= head.offset && position.catching_up === 0) return writer
    const beyond = position.catching_up === 0 ? [] : await this.ask(recording => recording.beyond(position))
    this.newest = Math.max(position.timestamp, ...beyond.map(({ timestamp }) => timestamp))
    const written = new Map(beyond.map(row => [nameOf(row), row]))
    const topics = [...await this.options.log.topics(this.shard)]
      .filter(([topic, last]) => last.offset > position.log_offset && inputs.isInput(topic))
    for (let at = 0; at < topics.length; at += TOPICS_AT_A_TIME) {
      await allSettled(topics.slice(at, at + TOPICS_AT_A_TIME).map(async ([topic, last]) => {
        const lastSequence = last.offset <= head.offset ? last.sequence : 0
        await this.catchUpTopic(writer, topic, lastSequence, written.get(nameOf(recordedTopic(topic))), head)
      }))
      this.signal.throwIfAborted()
    }
    await this.flush(writer)
    await writer.write([], { log_offset: head.offset, timestamp: this.newest, catching_up: 0 })
    this.sayMissed()
    return writer
  }

  /**
   * Writes the messages of one topic.
   * @param lastSequence of the topic; 0 if it is beyond the head
   * @param written what is in the store already of those beyond the position
   */
  private async catchUpTopic (
    writer: ShardWriter,
    topic: string,
    lastSequence: number,
    written: { readonly sequence: number, readonly log_offset: number } | undefined,
    head: ShardHead
  ): Promise<void> {
    const { position } = writer
    let sequence = written?.sequence
    const from = written?.log_offset ?? position.log_offset
    for await (const page of readTopic(this.options.log, topic, from, head)) {
      for (const { entry, missed } of page) {
        if (missed || (sequence !== undefined && entry.sequence !== sequence + 1)) {
          sequence ??= await this.lastRecorded(position, topic)
          this.miss(position, topic, entry.sequence - 1 - sequence)
        }
        sequence = entry.sequence
        const row = rowOf(entry, position, head)
        this.rows.push(row)
        this.characters += row.data.length
      }
      if (this.rows.length >= BATCH.rows || this.characters >= BATCH.characters) await this.flush(writer)
      if (this.signal.aborted) return
    }
    // The log has dropped all of them.
    if (sequence === undefined && lastSequence > 0) {
      this.miss(position, topic, lastSequence - await this.lastRecorded(position, topic))
    }
  }

  /** Writes the rows that were gathered, behind those that are under way. */
  private async flush (writer: ShardWriter): Promise<void> {
    this.writing = this.writing.then(async () => {
      const { rows } = this
      if (rows.length === 0) return
      this.rows = []
      this.characters = 0
      await writer.write(rows, { ...writer.position, catching_up: 1 })
      for (const row of rows) this.newest = Math.max(this.newest, row.timestamp)
    })
    await this.writing
  }

  /** Begins at the position of the store, or in a new era if the log does not continue from there. */
  private async begin (head: ShardHead): Promise<ShardWriter> {
    const { shard, options } = this
    const { epoch } = head
    const found = await this.ask(recording => recording.position(shard))
    const first = { shard, epoch, catching_up: 0, version: 0, ...NOTHING_RECORDED }
    const writer = new ShardWriter(found ?? first, options, this.signal)
    // The log may have lost some of what was written beyond the position.
    if (writer.position.catching_up === 1 && writer.position.epoch !== epoch) await writer.rewind()
    const following = followingIn(head, writer.position)
    if (following.era !== writer.position.era) {
      const fields = { event: 'recorder', shard, era: following.era }
      options.logger.warn(fields,
        'the log has begun anew, or has lost its last messages: the recording goes on in a new era')
    }
    const position = writer.position = { ...writer.position, ...following }
    if (found !== undefined && found.epoch !== epoch) await writer.write([], position)
    return writer
  }

  /** Returns the last sequence that is recorded of a topic, in the log's numbers; 0 if there is none. */
  private async lastRecorded (position: RecorderPosition, topic: string): Promise<number> {
    const last = await this.ask(recording => recording.last(recordedTopic(topic)))
    return last !== undefined && (last.era === position.era || position.log_offset > 0) ? last.sequence : 0
  }

  private miss (position: RecorderPosition, topic: string, messages: number): void {
    // What the log had dropped before the recorder was switched on, or an era began, is not missing.
    if (messages <= 0 || position.log_offset === 0) return
    this.missed += messages
    this.options.count(recordedTopic(topic).channel, 'missed', messages)
  }

  private sayMissed (): void {
    if (this.missed === 0) return
    const fields = { event: 'recorder', shard: this.shard, messages: this.missed }
    this.options.logger.error(fields,
      'the log had dropped messages before the recorder could write them: the recording has gaps')
    this.missed = 0
  }

  private async ask<Answer> (
    question: (of: RecorderOptions['recording']) => Promise<Answer>
  ): Promise<Answer> {
    const { options, shard, signal } = this
    return await untilAvailable(() => question(options.recording), shard, options, signal)
  }
}

/** Writes entries of a shard in its order. The position moves with each batch. */
async function recordInOrder (
  writer: ShardWriter, entries: readonly Entry[], head: ShardHead
): Promise<void> {
  for (let at = 0; at < entries.length;) {
    const rows: RecordedRow[] = []
    let characters = 0
    for (; at < entries.length && rows.length < BATCH.rows && characters < BATCH.characters; at++) {
      const row = rowOf(entries[at]!, writer.position, head)
      characters += row.data.length
      rows.push(row)
    }
    const last = rows.at(-1)!
    await writer.write(rows, { log_offset: last.log_offset, timestamp: last.timestamp, catching_up: 0 })
  }
}

/** Waits for all, so that none goes on in the background. @throws what the first of them failed with */
async function allSettled (works: ReadonlyArray<Promise<void>>): Promise<void> {
  const failed = (await Promise.allSettled(works)).find(result => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
