import { channelOfKey, type ResetReason } from '@tickwire/protocol'
import type { ChannelCounters, Counters } from '../metrics/counters.js'
import type { Failures } from './failures.js'
import type { Format, MessageWriter, Written } from './format.js'

/** Thrown if the messages of a topic cannot be encoded: the topic is at fault, not the subscriber. */
export class Unencodable extends Error {
  override readonly name = 'Unencodable'
}

/** Messages of a topic, encoded once per format that somebody reads. */
export class TopicBytes {
  /** How many messages it contains; 0 until it has been encoded. */
  messages = 0
  /** Counts what is sent of the channel. */
  readonly sent: ChannelCounters
  private format: Format | undefined
  private bytes: Buffer | undefined
  private others: Map<Format, Buffer> | undefined
  /** Formats in which it cannot be encoded: each is tried once, however many subscribers read it. */
  private failed: Set<Format> | undefined

  constructor (
    private readonly hub: { readonly failures: Failures, readonly counters: Counters },
    readonly topic: string,
    private readonly write: (writer: MessageWriter) => readonly Written[],
    /** Why it begins with a reset; undefined if it does not. */
    readonly reset?: ResetReason
  ) {
    this.sent = hub.counters.channel(channelOfKey(topic))
  }

  /** @throws Unencodable */
  as (format: Format): Buffer {
    if (this.format === format) return this.bytes!
    if (this.failed?.has(format) === true) throw new Unencodable()
    if (this.format === undefined) {
      this.bytes = this.encode(format)
      this.format = format
      return this.bytes
    }
    this.others ??= new Map()
    let bytes = this.others.get(format)
    if (bytes === undefined) this.others.set(format, bytes = this.encode(format))
    return bytes
  }

  private encode (format: Format): Buffer {
    try {
      const messages = this.write(format)
      const bytes = format.join(messages)
      this.messages = messages.length
      return bytes
    } catch (error) {
      this.failed ??= new Set()
      this.failed.add(format)
      this.hub.failures.note(this.topic, 'encode', error)
      throw new Unencodable()
    }
  }
}
