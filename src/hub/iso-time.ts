/** How many milliseconds keep their text. A window has few different ones, but not in order. A power of two. */
const KEPT_TIMES = 64
const keptTimes = new Float64Array(KEPT_TIMES).fill(-1)
const keptTexts = new Array<string>(KEPT_TIMES).fill('')

/** Writes milliseconds since 1970 as ISO 8601 UTC with milliseconds. Many messages share a millisecond, so its text is kept. */
export function isoTime (milliseconds: number): string {
  const place = milliseconds & (KEPT_TIMES - 1)
  if (keptTimes[place] !== milliseconds) {
    keptTexts[place] = new Date(milliseconds).toISOString()
    keptTimes[place] = milliseconds
  }
  return keptTexts[place]!
}
