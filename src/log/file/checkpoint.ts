import type { TopicPosition } from '../log.js'
import type { LogContents } from '../memory/log-contents.js'
import type { TopicHistory } from '../memory/topic-history.js'
import type { RecordWriter } from './record-writer.js'

/** How long others wait for a part of a checkpoint, beside its last topic. */
const MOST_MS = 2

/** Writes where all shards stand, the fences, and the idempotency keys: a segment begins with it. */
export function writeStart (writer: RecordWriter, { shards, fences, answers, time }: LogContents): void {
  writer.noteShards({
    time,
    shards: shards.map(({ offset, epochs }) => ({ offset, epochs })),
    fences: [...fences.values()]
  })
  for (const key of answers.all()) writer.noteKey(key)
}

/**
 * Writes where each topic stands, a part at a time, among the messages that are appended meanwhile. So each
 * record says what is so right where it stands, and the whole is no burden for those who append.
 */
export class Checkpoint {
  private readonly histories: Iterator<TopicHistory>
  private readonly dormant: Iterator<readonly [string, TopicPosition]>
  private isOver = false
  private written = 0

  constructor ({ topics }: LogContents) {
    this.histories = topics.histories.values()
    // A topic that becomes dormant from now on is among them.
    this.dormant = topics.dormant.entries()
  }

  /** Whether the last part is written. */
  get hasEnded (): boolean {
    return this.isOver
  }

  /** The bytes of its records until now. */
  get bytes (): number {
    return this.written
  }

  /** Writes the next part, of about as many bytes, unless folding states takes too long. */
  write (writer: RecordWriter, bytes: number): void {
    const before = writer.bytes
    if (!this.isOver) this.writePart(writer, bytes)
    this.written += writer.bytes - before
  }

  private writePart (writer: RecordWriter, bytes: number): void {
    const end = writer.bytes + bytes
    const deadline = performance.now() + MOST_MS
    while (writer.bytes < end && performance.now() < deadline) {
      const history = this.histories.next()
      if (history.done !== true) {
        writer.noteTopic(history.value)
        continue
      }
      const dormant = this.dormant.next()
      if (dormant.done === true) {
        writer.noteCheckpointEnd()
        this.isOver = true
        return
      }
      const [topic, { sequence, offset }] = dormant.value
      writer.noteDormant(topic, sequence, offset)
    }
  }
}
