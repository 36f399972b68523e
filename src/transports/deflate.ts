import { constants, deflateRawSync } from 'node:zlib'

/**
 * What is compressed is shared, so it must not lean on what one connection was sent before: each block is deflated by
 * itself, once, for all who read it (docs/adr/0017).
 */

/**
 * Logarithm of how far back a block refers. Blocks are short: 32 KiB instead of these 4 would save nothing and cost more
 * to set up; and clients that keep as little (some ask for 12, RFC 7692, 7.1.2.1) can read them too.
 */
export const WINDOW_BITS = 12
const MEMORY_LEVEL = 6

/** Shorter texts are sent as they are: one quote shrinks 1.5-fold, which is less than a deflate is worth; two joined 2.4-fold. */
export const DEFLATE_FROM_BYTES = 384

/** `bench/compression.js`: windows of a topic stay below it. Pages of a catch-up do not, and nobody shares their cost. */
const LONG_BYTES = 16_384
const LEVEL = 6
const LEVEL_OF_LONG = 1

/** What a block ends with: an empty stored block, which brings it to a whole byte (`Z_SYNC_FLUSH`). */
export const BLOCK_END_BYTES = 4

/** Raw deflate (RFC 1951) that is not final and ends with a sync flush: such blocks may follow one another. */
export function deflateBlock (bytes: Uint8Array): Buffer {
  return deflateRawSync(bytes, {
    level: bytes.length > LONG_BYTES ? LEVEL_OF_LONG : LEVEL,
    windowBits: WINDOW_BITS,
    memLevel: MEMORY_LEVEL,
    finishFlush: constants.Z_SYNC_FLUSH
  })
}
