const POLYNOMIAL = 0xedb88320

/** Returns the CRC32 of a text of ASCII characters, as zlib and Ethernet have it. */
export function crc32 (text: string): number {
  let crc = -1
  for (let at = 0; at < text.length; at++) {
    crc ^= text.charCodeAt(at)
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (-(crc & 1) & POLYNOMIAL)
  }
  return ~crc >>> 0
}
