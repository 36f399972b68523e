import { acknowledgements, type Channels } from '@tickwire/protocol'
import type { StoredMessage } from '../entry-queue.js'
import type { Fence, KeptOrigin } from '../log.js'
import type { LogContents } from '../memory/log-contents.js'
import { keySecondsOf } from '../memory/memory-log.js'
import type { StateFailure, StateText, TopicHistory } from '../memory/topic-history.js'
import {
  HAS_KEY, HAS_ORIGIN, HAS_STATE, type OpenedText, Record, REPLACES, type ShardsText, STATE_FAILED
} from './record-kinds.js'

type Writable<T> = { -readonly [Name in keyof T]: T[Name] }

/**
 * Brings what a log holds back from its records. It knows a log wholly from the end of the first checkpoint
 * on. If it is told of a gap, or if a segment begins elsewhere than the one before it ended, it knows the log
 * in part until the next checkpoint ends: topics that lost messages in the gap then begin behind it, as if
 * retention had dropped what was before.
 */
export class Restorer {
  /** Whether the contents are all that the records say up to here. */
  isWhole = false
  /** Whether the process that wrote the last record had closed the log. */
  isClosed = false
  /** The texts of the segment, by number. */
  texts: string[] = []
  /** By shard, the last offset before the segment; undefined until its first record. */
  start: readonly number[] | undefined
  /** Whether the segment has a whole checkpoint. */
  hasCheckpoint = false
  /** Whether the segment began elsewhere than what is known ended. */
  beganElsewhere = false
  private histories: Array<TopicHistory | undefined> = []
  private body: Buffer = Buffer.alloc(0)
  private view: DataView = new DataView(new ArrayBuffer(0))
  private at = 0
  private timestamp = 0
  private isExpiryDue = false
  /** Whether the records are messages that were kept from older segments. */
  private isKept = false
  /** The one message that is read at a time. */
  private readonly message: Writable<StoredMessage> = {
    offset: 0, sequence: 0, previous: 0, timestamp: 0, replaces: false, source: this.body, start: 0, end: 0
  }

  constructor (private readonly contents: LogContents, private readonly channels: Channels) {}

  /** @param isKept the records are messages that were kept from older segments */
  beginSegment (isKept = false): void {
    this.isKept = isKept
    this.texts = []
    this.histories = []
    this.start = undefined
    this.hasCheckpoint = this.beganElsewhere = false
  }

  /** Records before the next segment are missing. */
  noteGap (): void {
    this.isWhole = false
  }

  /** Drops what retention demands, once all records are read. */
  finish (): void {
    // Acknowledgements may have come after what they acknowledge.
    this.contents.topics.reorder()
    this.contents.expire(this.contents.now())
  }

  /**
   * Takes the records of a frame.
   * @returns false if they cannot follow what came before; the contents are then not to be used
   */
  apply (body: Buffer): boolean {
    this.body = this.message.source = body
    this.view = new DataView(body.buffer, body.byteOffset, body.length)
    this.at = 0
    try {
      while (this.at < body.length) if (!this.applyOne()) return false
      return true
    } catch (error) {
      // A number beyond the frame, or a text that is no JSON.
      if (error instanceof RangeError || error instanceof SyntaxError) return false
      throw error
    }
  }

  private applyOne (): boolean {
    const kind = this.body[this.at++]
    switch (kind) {
      case Record.message: return this.applyMessage()
      case Record.time: return this.applyTime(this.double())
      case Record.text:
        this.histories.push(undefined)
        this.texts.push(this.text())
        return true
      case Record.topic: return this.applyTopic()
      case Record.key: return this.applyKey()
      case Record.shards: return this.applyShards(JSON.parse(this.text()) as ShardsText)
      case Record.checkpointEnd:
        this.isWhole = this.hasCheckpoint = true
        return true
      case Record.fence: {
        const fence = JSON.parse(this.text()) as Fence
        this.contents.fences.set(fence.source, fence)
        return true
      }
      case Record.opened: {
        const { time, epochs } = JSON.parse(this.text()) as OpenedText
        this.contents.advanceTo(time)
        for (const [shard, state] of this.contents.shards.entries()) state.epochs = epochs[shard]!
        this.isClosed = false
        return true
      }
      case Record.closed:
        this.contents.advanceTo(this.double())
        this.isClosed = true
        return true
      default: return false
    }
  }

  private applyTime (timestamp: number): boolean {
    this.timestamp = timestamp
    if (this.isKept) return true
    if (this.isExpiryDue) this.contents.topics.expire(this.contents.time)
    this.isExpiryDue = false
    this.contents.answers.expire(this.contents.advanceTo(timestamp))
    return true
  }

  private applyMessage (): boolean {
    const { message, contents } = this
    const flags = this.body[this.at++]!
    const history = this.historyOf(this.integer())
    const offset = this.double()
    const sequence = this.double()
    const previous = this.double()
    const { shard } = history
    if (!this.isKept) {
      const state = contents.shards[shard]!
      if (offset !== state.offset + 1) return false
      state.offset = offset
    }
    if (sequence !== history.lastSequence + 1 || previous !== history.lastOffset) {
      if (this.isWhole && !this.isKept) return false
      contents.topics.forget(history)
      history.continueFrom({ sequence: sequence - 1, offset: previous })
    }
    const origin = (flags & HAS_ORIGIN) === 0 ? undefined : this.origin(sequence, offset)
    const key = (flags & HAS_KEY) === 0 ? undefined : this.text()
    const length = this.integer()
    message.offset = offset
    message.sequence = sequence
    message.previous = previous
    message.timestamp = this.timestamp
    message.replaces = (flags & REPLACES) !== 0
    message.start = this.at
    message.end = this.at += length
    if (this.at > this.body.length) return false
    history.pushStored(message)
    if (origin !== undefined) history.restoreOrigin(origin)
    contents.topics.noteRestored(history, length)
    this.isExpiryDue = true
    if (history.channel === acknowledgements) contents.topics.release(history.topic)
    if (key === undefined || this.isKept) return true
    const seconds = keySecondsOf(this.channels, history.topic)
    if (contents.answers.get(history.topic, key, seconds) === undefined) {
      contents.answers.add(history.topic, key, seconds, { sequence, offset, shard }, this.timestamp)
    }
    return true
  }

  private origin (sequence: number, outputOffset: number): KeptOrigin {
    const processor = this.texts[this.integer()]!
    const topic = this.texts[this.integer()]!
    const [epoch, offset, part] = [this.double(), this.double(), this.double()]
    return { processor, topic, epoch, offset, part, sequence, outputOffset }
  }

  private applyTopic (): boolean {
    const { topics } = this.contents
    const flags = this.body[this.at++]!
    const topic = this.texts[this.integer()]!
    const last = { sequence: this.double(), offset: this.double() }
    const state = this.state(flags)
    const origins = Array.from({ length: this.integer() }, () => {
      const [processor, input] = [this.texts[this.integer()]!, this.texts[this.integer()]!]
      const [epoch, offset, part] = [this.double(), this.double(), this.double()]
      const [sequence, outputOffset] = [this.double(), this.double()]
      return { processor, topic: input, epoch, offset, part, sequence, outputOffset }
    })
    const known = topics.last(topic)
    const isKnown = known?.sequence === last.sequence && known.offset === last.offset
    if (this.isWhole && !isKnown) return false
    if (state === undefined && origins.length === 0 && !topics.histories.has(topic)) {
      topics.dormant.set(topic, last)
      return true
    }
    const history = topics.histories.get(topic) ?? topics.begin(topic)
    if (!isKnown) {
      topics.forget(history)
      history.continueFrom(last)
    }
    if (history.channel.reduce !== undefined) history.restoreState(state)
    if (!this.isWhole) for (const origin of origins) history.restoreOrigin(origin)
    topics.settle(history)
    return true
  }

  private state (flags: number): StateText | StateFailure | undefined {
    if ((flags & (HAS_STATE | STATE_FAILED)) === 0) return undefined
    const [sequence, timestamp, text] = [this.double(), this.double(), this.text()]
    return (flags & STATE_FAILED) === 0
      ? { sequence, timestamp, payload: text }
      : { failure: text, timestamp }
  }

  private applyShards ({ time, shards, fences }: ShardsText): boolean {
    const { contents } = this
    this.start = shards.map(({ offset }) => offset)
    contents.advanceTo(time)
    const isNext = shards.every(({ offset }, shard) => offset === contents.shards[shard]!.offset)
    if (this.isWhole && isNext) return true
    this.beganElsewhere = this.isWhole
    this.isWhole = false
    for (const [shard, { offset, epochs }] of shards.entries()) contents.shards[shard] = { offset, epochs }
    contents.answers.clear()
    contents.fences.clear()
    for (const fence of fences) contents.fences.set(fence.source, fence)
    return true
  }

  private applyKey (): boolean {
    const [seconds, expiresAt, shard] = [this.double(), this.double(), this.integer()]
    const [offset, sequence, key] = [this.double(), this.double(), this.text()]
    if (!this.isWhole) {
      this.contents.answers.restore({ seconds, key, expiresAt, message: { shard, offset, sequence } })
    }
    return true
  }

  /** Returns the history of a topic by the number of its text. */
  private historyOf (id: number): TopicHistory {
    const known = this.histories[id]
    // A history that has messages is the topic's; another may have become dormant.
    if (known !== undefined && known.size > 0) return known
    const { topics } = this.contents
    const topic = this.texts[id]!
    const history = topics.histories.get(topic) ?? topics.begin(topic)
    this.histories[id] = history
    return history
  }

  private text (): string {
    const length = this.integer()
    const start = this.at
    this.at += length
    if (this.at > this.body.length) throw new RangeError('a text ends beyond its frame')
    return this.body.toString('utf8', start, this.at)
  }

  private integer (): number {
    const value = this.view.getUint32(this.at, true)
    this.at += 4
    return value
  }

  private double (): number {
    const value = this.view.getFloat64(this.at, true)
    this.at += 8
    return value
  }
}
