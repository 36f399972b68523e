/**
 * Returns the same bytes in memory of their own. Node cuts small buffers from a shared one, and if a client
 * does not read, each small buffer that waits for it would keep all of the shared one.
 */
export function inOwnMemory (bytes: Buffer): Buffer {
  if (bytes.length === bytes.buffer.byteLength) return bytes
  const own = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(own)
  return own
}
