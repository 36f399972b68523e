import { constants, deflateRawSync } from 'node:zlib'

/**
 * Clients share compressed bytes, so these must not depend on what one connection was sent before. Each block
 * is deflated by itself, once for all clients that read it (docs/adr/0017).
 */

/**
 * The base-2 logarithm of how far back a block may refer, in bytes. Blocks are short: 32 KiB instead of these
 * 4 KiB would save nothing and cost more to set up. Clients that keep no more than this (some ask for 12, RFC
 * 7692, 7.1.2.1) can read such blocks, too.
 */
export const WINDOW_BITS = 12
const MEMORY_LEVEL = 6

/**
 * Shorter texts are not compressed. One quote shrinks 1.5-fold, which is not worth a deflate; two joined
 * quotes shrink 2.4-fold.
 */
export const DEFLATE_FROM_BYTES = 384

/**
 * A window of one topic stays below this size (`bench/compression.js`). A page of a catch-up exceeds it, and
 * since no other client shares the cost of a page, it is compressed with less effort.
 */
const LONG_BYTES = 16_384
const LEVEL = 6
const LEVEL_OF_LONG = 1

/**
 * The size of the empty stored block at the end of a block, which fills up its last byte (`Z_SYNC_FLUSH`).
 */
export const BLOCK_END_BYTES = 4

/**
 * Returns bytes as a raw deflate block (RFC 1951), which is not final and ends with a sync flush, so that
 * others may follow it.
 */
export function deflateBlock (bytes: Uint8Array): Buffer {
  return deflateRawSync(bytes, {
    level: bytes.length > LONG_BYTES ? LEVEL_OF_LONG : LEVEL,
    windowBits: WINDOW_BITS,
    memLevel: MEMORY_LEVEL,
    finishFlush: constants.Z_SYNC_FLUSH
  })
}
