import type { Encoders, Format, MessageEncoder } from './frame.js'

/** Messages of a topic, encoded once per format that somebody reads. */
export class TopicBytes {
  /** How many messages it holds; known once it was encoded. */
  messages = 0
  private format: Format | undefined
  private bytes: Buffer | undefined
  private others: Map<Format, Buffer> | undefined

  constructor (private readonly encoders: Encoders, private readonly write: (encoder: MessageEncoder) => readonly string[]) {}

  as (format: Format): Buffer {
    if (this.format === format) return this.bytes!
    if (this.format === undefined) {
      this.format = format
      this.bytes = this.encode(format)
      return this.bytes
    }
    this.others ??= new Map()
    let bytes = this.others.get(format)
    if (bytes === undefined) this.others.set(format, bytes = this.encode(format))
    return bytes
  }

  private encode (format: Format): Buffer {
    const messages = this.write(this.encoders[format.decimals])
    this.messages = messages.length
    return format.encode(messages)
  }
}
