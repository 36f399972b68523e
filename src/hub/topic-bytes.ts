import type { Format } from './frame.js'

/** A topic's messages of one window, encoded once per format that somebody reads. */
export class TopicBytes {
  private format: Format | undefined
  private bytes: Buffer | undefined
  private others: Map<Format, Buffer> | undefined

  constructor (private readonly messages: readonly string[]) {}

  as (format: Format): Buffer {
    if (this.format === format) return this.bytes!
    if (this.format === undefined) {
      this.format = format
      this.bytes = format.encode(this.messages)
      return this.bytes
    }
    this.others ??= new Map()
    let bytes = this.others.get(format)
    if (bytes === undefined) this.others.set(format, bytes = format.encode(this.messages))
    return bytes
  }
}
