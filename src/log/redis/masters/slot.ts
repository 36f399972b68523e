/** Slots of a Redis Cluster (Redis Cluster specification, Key distribution model). */

const SLOTS = 16_384

/** The table of CRC-16/XMODEM, by the high byte of the register. */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
  return crc & 0xffff
})

/**
 * Returns the slot of a key or a sharded channel: that of the text between its first braces, or of all if
 * that is empty.
 */
export function slotOf (key: string): number {
  const open = key.indexOf('{')
  const close = open < 0 ? -1 : key.indexOf('}', open + 1)
  let crc = 0
  const hashed = close > open + 1 ? key.slice(open + 1, close) : key
  for (const byte of Buffer.from(hashed)) crc = ((crc << 8) & 0xffff) ^ table[(crc >> 8) ^ byte]!
  return crc % SLOTS
}
