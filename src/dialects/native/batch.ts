import { MAX_ARRAY_BYTES } from '@tickwire/protocol'
import type { Written } from '../../hub/format.js'
import { NativeDialect } from './native.js'

/** The most bytes that a character (a unit of UTF-16) takes in UTF-8. */
const CHARACTER_BYTES = 3

/**
 * The subprotocol `tickwire.v1.batch` (PROTOCOL.md, One URL): a payload is an array of messages. It has at
 * most {@link MAX_ARRAY_BYTES}, or holds a single message.
 */
export class BatchDialect extends NativeDialect {
  override readonly arrays = true

  override payloads (messages: readonly Written[]): readonly Written[] {
    let characters = 1
    for (const { length } of messages) characters += length + 1
    // Nearly all windows are this small, so that their bytes need not be counted.
    const isSmall = characters * CHARACTER_BYTES <= MAX_ARRAY_BYTES
    if (messages.length === 1 || isSmall) return [`[${messages.join(',')}]`]
    const payloads: string[] = []
    let first = 0
    // Counts the opening bracket, and after each message a comma or the closing bracket.
    let bytes = 1
    for (let index = 0; index < messages.length; index++) {
      const more = Buffer.byteLength(messages[index]!) + 1
      if (index > first && bytes + more > MAX_ARRAY_BYTES) {
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
