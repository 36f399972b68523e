/**
 * Returns an instant of a message in milliseconds since 1970. A leap second counts as the start of the next
 * second (PROTOCOL.md, Data).
 * @param instant a text that the schema of a channel has let through
 */
export function instantMs (instant: string): number {
  const leap = /^(.{17})60(?:\.\d+)?(.*)$/.exec(instant)
  return leap === null ? Date.parse(instant) : Date.parse(`${leap[1]}59${leap[2]}`) + 1000
}
