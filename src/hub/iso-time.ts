/** How many texts are cached: a window has few different times, but not in order. A power of two. */
const CACHED_TIMES = 64
const cachedTimes = new Float64Array(CACHED_TIMES).fill(-1)
const cachedTexts = new Array<string>(CACHED_TIMES).fill('')

/**
 * Writes milliseconds since 1970 as ISO 8601 UTC with milliseconds. Many messages share a millisecond, so its
 * text is cached.
 */
export function isoTime (milliseconds: number): string {
  const slot = milliseconds & (CACHED_TIMES - 1)
  if (cachedTimes[slot] !== milliseconds) {
    cachedTexts[slot] = new Date(milliseconds).toISOString()
    cachedTimes[slot] = milliseconds
  }
  return cachedTexts[slot]!
}
