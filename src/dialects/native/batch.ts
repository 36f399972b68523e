import type { Written } from '../../hub/format.js'
import { NativeDialect } from './native.js'

/** PROTOCOL.md, One URL: as much as common clients read where nobody tells them to read more. */
const MAX_BATCH_BYTES = 32_768
/** Bytes of a character (a unit of UTF-16) in UTF-8, at most. */
const CHARACTER_BYTES = 3

/**
 * PROTOCOL.md, subprotocol `tickwire.v1.batch`: a payload is an array of messages. It has at most {@link MAX_BATCH_BYTES}, or a
 * single message.
 */
export class BatchDialect extends NativeDialect {
  override payloads (messages: readonly Written[]): readonly Written[] {
    let characters = 1
    for (const { length } of messages) characters += length + 1
    // Nearly all windows: their bytes need not be counted.
    if (messages.length === 1 || characters * CHARACTER_BYTES <= MAX_BATCH_BYTES) return [`[${messages.join(',')}]`]
    const payloads: string[] = []
    let first = 0
    // Counts a bracket, and behind each message a comma or the other bracket.
    let bytes = 1
    for (let index = 0; index < messages.length; index++) {
      const more = Buffer.byteLength(messages[index]!) + 1
      if (index > first && bytes + more > MAX_BATCH_BYTES) {
        payloads.push(`[${messages.slice(first, index).join(',')}]`)
        first = index
        bytes = 1
      }
      bytes += more
    }
    payloads.push(`[${messages.slice(first).join(',')}]`)
    return payloads
  }
}
