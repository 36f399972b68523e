/** How figures are shown. Prices are exact decimals and stay text: a number would round them. */

const SECOND_MS = 1000

/** Returns a decimal with separators of thousands: `-1234567.80` becomes `−1,234,567.80`. */
export function groupDigits (decimal: string | undefined): string {
  if (decimal === undefined) return '–'
  const [whole = '', part] = decimal.replace('-', '').split('.')
  const sign = decimal.startsWith('-') ? '−' : ''
  return `${sign}${whole.replace(/\B(?=(\d{3})+$)/g, ',')}${part === undefined ? '' : `.${part}`}`
}

/** Returns a percentage with two decimals and its sign. */
export function formatPercent (decimal: string | undefined): string {
  if (decimal === undefined) return '–'
  const value = Number(decimal)
  return `${value > 0 ? '+' : value < 0 ? '−' : ''}${Math.abs(value).toFixed(2)} %`
}

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 4 })
/** Returns a large figure in few characters: `12.34M`. */
export const formatCompact = (value: string | number | undefined): string =>
  value === undefined ? '–' : compact.format(Number(value))

/** Returns the time of day of an instant, on the clock of the person. */
export const formatTime = (instant: string | number): string =>
  new Date(instant).toLocaleTimeString('en-GB', { hour12: false })

/** Returns how long something took, in few characters. */
export const formatDuration = (ms: number): string =>
  ms < SECOND_MS ? `${Math.round(ms)} ms` : `${(ms / SECOND_MS).toFixed(1)} s`

/** Returns -1, 0 or 1. */
export const signOf = (decimal: string | undefined): number => Math.sign(Number(decimal ?? 0)) || 0

/** Returns the arrow that says the same as a colour. */
export const arrowOf = (sign: number): string => sign > 0 ? '▲' : sign < 0 ? '▼' : ''
