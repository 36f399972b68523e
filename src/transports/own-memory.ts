/**
 * The same bytes, in memory that is theirs alone. Small buffers are cut from a shared one: of a client that does not read, each that
 * waits would keep all of it.
 */
export function inOwnMemory (bytes: Buffer): Buffer {
  if (bytes.length === bytes.buffer.byteLength) return bytes
  const own = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(own)
  return own
}
