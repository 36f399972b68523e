/** Between these, a number counts microseconds since 1970 and not milliseconds: the years 1973 to 2286. */
const MICROSECONDS_FROM = 1e14
const MICROSECONDS_TO = 1e16

/**
 * Writes an instant as ISO 8601: milliseconds or, where they are more exact, microseconds since 1970. What is
 * none stays as it is, for the publisher to refuse.
 */
export function instantOf (time: unknown): unknown {
  if (typeof time !== 'number' || !Number.isSafeInteger(time) || time < 0) return time
  const isExact = time >= MICROSECONDS_FROM && time < MICROSECONDS_TO
  const date = new Date(isExact ? Math.floor(time / 1000) : time)
  if (Number.isNaN(date.getTime())) return time
  const text = date.toISOString()
  return isExact ? `${text.slice(0, -1)}${String(time % 1000).padStart(3, '0')}Z` : text
}

/** Returns when the server received a trade, as a field of it, to the microsecond. */
export function receivedAtOf (milliseconds: number | undefined): { readonly received_at?: string } {
  if (milliseconds === undefined) return {}
  return { received_at: instantOf(Math.round(milliseconds * 1000)) as string }
}
