import { channelOfKey, type ResetReason } from '@tickwire/protocol'
import type { ChannelCounters, Counters } from '../../metrics/counters.js'
import type { MessageWriter, OutgoingMessage, Written } from '../format.js'

const NO_RESETS: ReadonlyMap<ResetReason, number> = new Map()

/** Writes the messages of a catch-up, and counts them by channel; of resets also the reasons. */
export class CountingWriter implements MessageWriter {
  private resets: Map<ResetReason, number> | undefined
  private channel = ''
  private counted: ChannelCounters | undefined

  constructor (private readonly writer: MessageWriter, private readonly counters: Counters) {}

  data (message: OutgoingMessage): Written {
    return this.count(message.topic, this.writer.data(message))
  }

  reset (topic: string, reason: ResetReason): Written {
    this.resets ??= new Map()
    this.resets.set(reason, (this.resets.get(reason) ?? 0) + 1)
    return this.count(topic, this.writer.reset(topic, reason))
  }

  control (...given: Parameters<MessageWriter['control']>): Written {
    return this.writer.control(...given)
  }

  /** Returns by reason how many resets were written since the last call. */
  takeResets (): ReadonlyMap<ResetReason, number> {
    const { resets = NO_RESETS } = this
    this.resets = undefined
    return resets
  }

  private count (topic: string, written: Written): Written {
    // The dialect has nothing to say of it.
    if (written === '') return written
    const channel = channelOfKey(topic)
    if (this.counted === undefined || channel !== this.channel) {
      this.channel = channel
      this.counted = this.counters.channel(channel)
    }
    this.counted.messages++
    this.counted.bytes += Buffer.byteLength(written)
    return written
  }
}
