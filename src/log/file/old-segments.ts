import { setImmediate as nextTurn } from 'node:timers/promises'
import type { LogContents } from '../memory/log-contents.js'
import type { TopicHistory } from '../memory/topic-history.js'
import type { Folder } from './folder.js'
import { HEADER_BYTES, headerBytes, VERSION } from './frames.js'
import type { Journal } from './journal.js'
import type { Segment } from './recovery.js'
import { RecordWriter } from './record-writer.js'

/**
 * The segments may take this many times the bytes of what is retained, and `SPARE_SEGMENTS` beside; beyond
 * that the few messages that old ones still have are kept in a file of their own.
 */
const MOST_TIMES_RETAINED = 2
const SPARE_SEGMENTS = 4
/** Segments go if at most this share of their bytes is retained: so removing frees as much as it writes. */
const MOST_KEPT_SHARE = 0.5
/** Bytes of a record beside the payload, roughly. */
const RECORD_BYTES = 40
const FRAME_BYTES = 1024 * 1024
/** Messages of a topic that are read at a time. */
const PAGE = 1000
/** Topics that are counted before others have their turn. */
const TOPICS_AT_ONCE = 5000

/** Removes segments that the log needs no more. */
export class OldSegments {
  constructor (
    private readonly folder: Folder,
    private readonly contents: LogContents,
    private readonly journal: Journal,
    private readonly segmentBytes: number
  ) {}

  /** @param newest a segment with a whole checkpoint that is synced; nothing from there on is removed */
  async remove (newest: number): Promise<void> {
    const { journal, folder } = this
    const before = Math.min(newest, await this.firstNeeded())
    await journal.removeBefore(before)
    const { kept } = await folder.numbers()
    // If nothing older than the first segment is retained, nothing needs to be kept from there.
    for (const number of kept) {
      const isOld = number < journal.segments[0]!.number || before > number
      if (isOld) await folder.disk.remove(folder.kept(number))
    }
    const most = MOST_TIMES_RETAINED * this.contents.topics.bytes + SPARE_SEGMENTS * this.segmentBytes
    if (journal.bytes > most) await this.keepFew(newest)
  }

  /** Returns the first segment that has a message which is retained, or that is written. */
  private async firstNeeded (): Promise<number> {
    const oldest = this.contents.shards.map(() => Infinity)
    await this.visit(({ shard, oldestOffset }) => { oldest[shard] = Math.min(oldest[shard]!, oldestOffset) })
    const { segments } = this.journal
    const next = segments.findIndex(({ start }) => start.some((offset, shard) => offset >= oldest[shard]!))
    return (next < 0 ? segments.at(-1)! : segments[Math.max(0, next - 1)]!).number
  }

  /** Keeps the messages that old segments still have in a file of their own, and removes those segments. */
  private async keepFew (newest: number): Promise<void> {
    const segments = this.journal.segments.filter(({ number }) => number <= newest)
    let sum = 0
    const before = new Map(segments.map(segment => {
      const bytes = sum
      sum += segment.bytes
      return [segment, bytes]
    }))
    // Each try counts the messages of all topics, so it looks at few places.
    for (let index = segments.length - 1; index > 0; index = Math.floor(index / 2)) {
      const segment = segments[index]!
      if (await this.retainedBefore(segment) > MOST_KEPT_SHARE * before.get(segment)!) continue
      await this.keepBefore(segment)
      await this.journal.removeBefore(segment.number)
      const { kept } = await this.folder.numbers()
      for (const number of kept.filter(number => number < segment.number)) {
        await this.folder.disk.remove(this.folder.kept(number))
      }
      return
    }
  }

  /** Returns about how many bytes the messages before a segment would take. */
  private async retainedBefore ({ start }: Segment): Promise<number> {
    let bytes = 0
    await this.visit(history => {
      if (history.oldestOffset > start[history.shard]!) return
      const count = history.countUpTo(start[history.shard]!)
      bytes += count * (history.payloadBytes / history.size + RECORD_BYTES)
    })
    return bytes
  }

  /** Writes the messages before a segment, as far as they are retained, into its file of kept messages. */
  private async keepBefore ({ number, start }: Segment): Promise<void> {
    const { folder, folder: { disk }, contents } = this
    const path = folder.kept(number)
    const temporary = `${path}.new`
    await disk.remove(temporary)
    const file = await disk.open(temporary, 'create')
    try {
      await file.write(headerBytes({ version: VERSION, shards: contents.shards.length, number }), 0)
      let position = HEADER_BYTES
      const writer = new RecordWriter()
      const flush = async (): Promise<void> => {
        if (writer.bytes === 0) return
        const frame = writer.takeFrame()
        await file.write(frame, position)
        position += frame.length
      }
      for (const history of contents.topics.histories.values()) {
        const end = start[history.shard]!
        for (let after = 0, more = true; more;) {
          const page = history.after({ offset: after }, PAGE)
          more = page.length === PAGE
          for (const entry of page) {
            if (entry.offset > end) more = false
            if (entry.offset > end) break
            writer.noteTime(entry.timestamp)
            writer.noteMessage(entry, { origin: entry.origin })
            after = entry.offset
          }
          if (writer.bytes >= FRAME_BYTES) await flush()
        }
      }
      await flush()
      await file.sync()
    } catch (error) {
      await file.close()
      await disk.remove(temporary).catch(() => {})
      throw error
    }
    await file.close()
    await disk.rename(temporary, path)
    await disk.syncFolder(folder.path)
  }

  /** Visits all topics that have messages. Others have their turn in between. */
  private async visit (visit: (history: TopicHistory) => void): Promise<void> {
    let visited = 0
    for (const history of this.contents.topics.histories.values()) {
      if (history.size > 0) visit(history)
      if (++visited % TOPICS_AT_ONCE === 0) await nextTurn()
    }
  }
}
