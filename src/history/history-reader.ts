import { ProtocolError, type ResetReason } from '@tickwire/protocol'
import { isGood, type Log, type Page, type ShardHead } from '../log/log.js'
import type { RecordedTopic, Recording } from '../store/recording.js'
import type { RecordedRow } from '../store/tables.js'
import { followingIn, NOTHING_RECORDED } from './eras.js'
import type { HistoryPlace } from './history-place.js'
import { recordedTopic, rowOf } from './recorded-row.js'

/** Messages of one read: 16 MiB of the largest messages. */
const PAGE = 250
/**
 * Rows of one read, by how long those before were: a query costs DuckDB much more than a row does, and a row
 * may be as long as a message.
 */
const ROWS = { least: 50, most: 2000, characters: 1 << 20 }
/** Clocks of servers and databases differ by less. */
const AHEAD_MS = 60_000
/** The era of messages that are not recorded. */
const NO_ERA = 0

/** The part of a history: by the log's time in ms, from `from` on and before `to`; and after a place. */
export interface HistoryRange {
  readonly from?: number | undefined
  readonly to?: number | undefined
  readonly after?: HistoryPlace | undefined
}

/** A message of a history; or why messages before the next one are missing. */
export type HistoryItem =
  | { readonly row: RecordedRow, readonly place: HistoryPlace }
  | { readonly reset: Extract<ResetReason, 'history_lost' | 'epoch_changed'> }

/** Reads the histories of topics: what is recorded, and behind it what the log retains (ADR 49). */
export class HistoryReader {
  /** @param recordingOf returns where the messages of a channel are recorded; undefined if they are not */
  constructor (
    private readonly log: Log,
    private readonly recordingOf: (channel: string) => Recording | undefined
  ) {}

  /**
   * Yields a topic's messages, oldest first, in parts of bounded size, up to the newest.
   * @param topic its key
   * @throws ProtocolError `log_unavailable`, also if the store is away
   */
  async * read (topic: string, range: HistoryRange): AsyncGenerator<readonly HistoryItem[]> {
    const recording = this.recordingOf(recordedTopic(topic).channel)
    yield * new TopicReading(this.log, recording, topic, range).run()
  }

  /**
   * Returns recorded bars, oldest first, of each the latest version: those whose start is from `from` on and
   * before `to`, in ms since 1970. None if their channel is not recorded.
   * @param topic the channel of their interval, and their symbol
   * @param limit of the newest
   * @throws ProtocolError `log_unavailable` if the store is away
   */
  async recordedBars (
    topic: RecordedTopic, from: number, to: number, limit: number
  ): Promise<readonly RecordedRow[]> {
    const recording = this.recordingOf(topic.channel)
    return recording === undefined ? [] : await asked(recording.bars(topic, from, to, limit))
  }
}

/** Where the recording ends, and the log goes on: all up to `offset` is recorded, if the channel is. */
interface Ground {
  readonly head: ShardHead
  readonly era: number
  readonly floor: number
  readonly offset: number
}

class TopicReading {
  /** The last message that was read. */
  private place: HistoryPlace | undefined
  private from: number
  private readonly to: number
  /** Whether a message was given, or the client has one: only then it can miss others. */
  private isUnderWay: boolean
  /** Whether the recording was asked for messages that the log does not have, and has none. */
  private isLost = false

  constructor (
    private readonly log: Log,
    private readonly recording: Recording | undefined,
    private readonly topic: string,
    { from = -Infinity, to = Infinity, after }: HistoryRange
  ) {
    this.from = from
    this.to = to
    this.place = after
    this.isUnderWay = after !== undefined
  }

  async * run (): AsyncGenerator<readonly HistoryItem[]> {
    for (;;) {
      // Before the rows are read: then all up to its offset is among them.
      const ground = await this.ground()
      if (!this.isGood(ground)) yield this.goBack()
      yield * this.readRows()
      if (yield * this.readLog(ground)) return
    }
  }

  private async ground (): Promise<Ground> {
    const { log, topic, recording } = this
    const shard = log.shardOf(topic)
    const position = recording === undefined ? undefined : await asked(recording.position(shard))
    const [head] = await log.head([shard])
    if (recording === undefined) return { head: head!, era: NO_ERA, floor: 0, offset: 0 }
    const { era, floor, log_offset: offset } = position === undefined
      ? NOTHING_RECORDED
      : followingIn(head!, position)
    return { head: head!, era, floor, offset }
  }

  /** Whether what comes after the place can be told. */
  private isGood ({ head, era, offset }: Ground): boolean {
    const { place } = this
    if (place === undefined || place.era < era) return true
    if (place.era > era) return false
    const isKnown = head.epochs.some(({ epoch }) => epoch === place.epoch)
    return isKnown ? isGood(place, head) : this.recording !== undefined && place.offset <= offset
  }

  /** Goes back to the time of a message that the log has lost: what came in its place is not older. */
  private goBack (): readonly HistoryItem[] {
    this.from = Math.max(this.from, this.place!.timestamp)
    this.place = undefined
    return [{ reset: 'epoch_changed' }]
  }

  private async * readRows (): AsyncGenerator<readonly HistoryItem[]> {
    const { recording, from } = this
    if (recording === undefined) return
    const to = Math.min(this.to, Date.now() + AHEAD_MS)
    for (let limit = PAGE; ;) {
      const range = { from, to, after: this.place }
      const rows = await asked(recording.read(recordedTopic(this.topic), range, limit))
      if (rows.length > 0) {
        this.isLost = false
        yield rows.flatMap(row => this.take(row))
      }
      if (rows.length < limit) return
      const characters = rows.reduce((sum, { data }) => sum + data.length, 1) / rows.length
      limit = Math.min(ROWS.most, Math.max(ROWS.least, Math.floor(ROWS.characters / characters)))
    }
  }

  /**
   * Gives what the log has behind the place.
   * @returns whether that was all; false if the recording is to be asked again
   */
  private async * readLog (ground: Ground): AsyncGenerator<readonly HistoryItem[], boolean> {
    const { head, era, floor } = ground
    for (;;) {
      const isSame = this.place?.era === era
      const page = isSame
        ? await this.log.read(this.topic, { sequence: this.place!.sequence }, PAGE)
        : await this.readFirst(ground)
      if (page.epoch !== head.epoch) return false
      if (this.recording !== undefined && !this.isLost && this.hasGap(page, ground)) {
        // The recorder may have written them before the log dropped them.
        this.isLost = true
        return false
      }
      this.isLost = false
      const rows = page.entries.map(entry => rowOf(entry, { era, floor }, head))
      const items = rows.filter(({ timestamp }) => timestamp < this.to).flatMap(row => this.take(row))
      if (items.length > 0) yield items
      const isAll = rows.length < PAGE || rows.at(-1)!.timestamp >= this.to
      if (isAll) return true
    }
  }

  /** Reads the first page of an era, from the page where `from` is if there are many. */
  private async readFirst ({ offset, floor }: Ground): Promise<Page> {
    const { log, topic, from } = this
    const page = await log.read(topic, { offset }, PAGE)
    const last = page.entries.at(-1)
    if (page.entries.length < PAGE || Math.max(last!.timestamp, floor) >= from) return page
    let [low, high] = [last!.sequence, page.last!.sequence]
    while (high - low > PAGE) {
      const middle = Math.floor((low + high) / 2)
      const { entries: [entry] } = await log.read(topic, { sequence: middle - 1 }, 1)
      if (entry === undefined || Math.max(entry.timestamp, floor) >= from) high = middle
      else low = Math.max(middle, entry.sequence)
    }
    return await log.read(topic, { sequence: low }, PAGE)
  }

  /** Whether the log has dropped messages of the topic between the place and a page. */
  private hasGap ({ entries: [first], last }: Page, { era, offset }: Ground): boolean {
    const { place } = this
    if (place?.era === era) {
      const next = first?.sequence ?? (last?.sequence ?? 0) + 1
      return next > place.sequence + 1
    }
    return first === undefined ? (last?.offset ?? 0) > offset : first.previous > offset
  }

  /** Goes on behind a message. @returns it, after a reset if messages before it are missing */
  private take (row: RecordedRow): HistoryItem[] {
    const { era, epoch, log_offset: offset, timestamp, sequence } = row
    const before = this.place
    const place = this.place = { era, epoch, offset, timestamp, sequence }
    if (timestamp < this.from) return []
    const wasUnderWay = this.isUnderWay
    this.isUnderWay = true
    const item = { row, place }
    if (!wasUnderWay || before === undefined) return [item]
    if (era !== before.era) return [{ reset: 'epoch_changed' }, item]
    return sequence === before.sequence + 1 ? [item] : [{ reset: 'history_lost' }, item]
  }
}

/** @throws ProtocolError if the store does not answer; the recorder says why in the server's log */
async function asked<Answer> (answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer
  } catch {
    throw new ProtocolError('log_unavailable', 'what is recorded cannot be reached now')
  }
}
