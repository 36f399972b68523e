/** Clocks differ by this much; what claims to be from later has a wrong date. */
export const MAX_AHEAD_MS = 300_000

/** Zones that feeds write and JavaScript does not know, in minutes east of Greenwich. */
const ZONES: Readonly<Record<string, string>> = {
  KST: '+0900',
  JST: '+0900',
  HKT: '+0800',
  SGT: '+0800',
  IST: '+0530',
  CET: '+0100',
  CEST: '+0200',
  BST: '+0100',
  AEST: '+1000',
  AEDT: '+1100',
  Z: '+0000'
}

const ISO = /^(\d{4})-(\d{2})(?:-(\d{2})(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?)?)?(.*)$/

/**
 * Returns when an item was published, in milliseconds since 1970.
 * @returns undefined for a text that is no date, or for a date that is yet to come
 */
export function publishTime (text: string, now: number): number | undefined {
  const time = isoTime(text.trim()) ?? mailTime(text.trim())
  return time <= now + MAX_AHEAD_MS ? Math.min(time, now) : undefined
}

/** ISO 8601; without a zone it is UTC, wherever the server stands. */
function isoTime (text: string): number | undefined {
  const parts = ISO.exec(text)
  if (parts === null) return undefined
  const [, year, month, day = '01', zone = ''] = parts
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`)
  // JavaScript takes February 30 for a day in March.
  if (Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(day)) return NaN
  const complete = text.replace(' ', 'T').replace(',', '.')
  if (zone === '') return Date.parse(complete.includes('T') ? `${complete}Z` : complete)
  return Date.parse(complete.replace(/T?([+-]\d{2})(\d{2})$/, '$1:$2'))
}

/** The dates of mail (RFC 822), with or without the day of the week. */
function mailTime (text: string): number {
  const zoned = text.replace(/\b([A-Z]{1,4})$/, zone => ZONES[zone] ?? zone)
  const day = /\b(\d{1,2}) [A-Z][a-z]{2}[a-z]* \d{2,4}\b/.exec(zoned)
  if (day === null || new Date(`${day[0]} GMT`).getUTCDate() !== Number(day[1])) return NaN
  const hasZone = /([+-]\d{2}:?\d{2}|\b[A-Z]{1,4})$/.test(zoned)
  return Date.parse(hasZone ? zoned : `${zoned} GMT`)
}
