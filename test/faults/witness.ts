import type { Message } from '../helpers/clients.js'
import { numberOf } from './topics.js'

/** Messages of a topic that a client holds by its rule, between two resets: of consecutive sequences. */
export interface Stretch {
  /** What it began with. */
  readonly begin: 'join' | 'reset' | 'gap'
  /** Whether its first message was a snapshot. */
  snapshot: boolean
  /** The first sequence; 0 while there is none. */
  first: number
  /** The number in each message. */
  readonly numbers: number[]
  /** Whether the connection was lost before a cursor said that all is sent that follows from the reset. */
  interrupted: boolean
}

export interface SeenReset {
  readonly topic: string
  readonly reason: string
  readonly at: number
  /** Of the topic, before it. */
  readonly last: number | undefined
  /** Which stretch it ended. */
  readonly stretch: number
  /**
   * The cursor with which the poll began, or the stream that had no cursor yet; undefined for a live stream.
   */
  readonly position: string | undefined
  readonly connection: number
}

interface TopicRecord {
  readonly stretches: Stretch[]
  last: number | undefined
  /** The last one, and the last sequence that was sent in it. */
  exchange: number
  sent: number
  highest: number
}

/**
 * What a client has seen, by the rule of PROTOCOL.md ("The client's rule"), in a compact form because there
 * is much of it.
 */
export class Witness {
  readonly topics = new Map<string, TopicRecord>()
  readonly resets: SeenReset[] = []
  /** What is wrong whatever the log held: gaps, and messages sent twice. */
  readonly faults: string[] = []
  accepted = 0
  duplicates = 0

  /** The highest number that was ever seen of a topic. */
  highest (topic: string): number {
    return this.topics.get(topic)?.highest ?? 0
  }

  /** A connection was lost: what its resets announced may not have come. */
  lostConnection (since: number): void {
    for (let index = this.resets.length - 1; index >= 0 && this.resets[index]!.at >= since; index--) {
      const { topic, stretch } = this.resets[index]!
      const next = this.topics.get(topic)!.stretches[stretch + 1]
      if (next !== undefined) next.interrupted = true
    }
  }

  /** @param exchange within which nothing is sent twice: a stream, or the answer to one poll */
  take (
    message: Message,
    at: number,
    connection: number,
    exchange: number,
    position: string | undefined
  ): void {
    if (message.channel === undefined || (message.type !== 'reset' && message.sequence === undefined)) return
    const topic = `${message.channel}:${message.symbol ?? ''}`
    const record = this.of(topic)
    if (record.exchange !== exchange) {
      record.exchange = exchange
      record.sent = 0
    }
    if (message.type === 'reset') {
      this.resets.push({ topic, reason: String(message['reason']), at, last: record.last, stretch: record.stretches.length - 1, position, connection })
      record.stretches.push(begin('reset'))
      record.last = undefined
      record.sent = 0
    } else this.takeData(topic, record, message, message.sequence!)
  }

  private takeData (
    topic: string,
    record: TopicRecord,
    { data, prev, snapshot }: Message,
    sequence: number
  ): void {
    const { last } = record
    if (sequence <= record.sent) this.faults.push(`${topic}: ${sequence} was sent on a connection that had been sent ${record.sent}`)
    record.sent = Math.max(record.sent, sequence)
    if (last !== undefined && sequence <= last) {
      this.duplicates++
      return
    }
    if (last !== undefined && (snapshot === true || (prev ?? sequence - 1) > last)) {
      this.faults.push(`${topic}: ${sequence} came after ${last}${snapshot === true ? ' as a snapshot' : ''} without a reset`)
      record.stretches.push(begin('gap'))
    }
    const stretch = record.stretches.at(-1)!
    if (stretch.numbers.length === 0) {
      stretch.first = sequence
      stretch.snapshot = snapshot === true
    }
    const number = numberOf(data)
    stretch.numbers.push(number)
    record.highest = Math.max(record.highest, number)
    record.last = sequence
    this.accepted++
  }

  private of (topic: string): TopicRecord {
    let record = this.topics.get(topic)
    if (record === undefined) this.topics.set(topic, record = { stretches: [begin('join')], last: undefined, exchange: 0, sent: 0, highest: 0 })
    return record
  }
}

const begin = (begin: Stretch['begin']): Stretch => ({ begin, snapshot: false, first: 0, numbers: [], interrupted: false })
