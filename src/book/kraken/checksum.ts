import type { BookLevel } from '@tickwire/protocol'
import { crc32 } from 'node:zlib'
import type { Sides } from '../order-book.js'

/** How many of the best levels of each side the checksum covers. */
const LEVELS = 10
const ZERO = 0x30

/** Returns the digits of a number, without the point and without zeros before the first other digit. */
function digitsOf (decimal: string): string {
  const point = decimal.indexOf('.')
  const all = point < 0 ? decimal : decimal.slice(0, point) + decimal.slice(point + 1)
  let first = 0
  while (all.charCodeAt(first) === ZERO) first++
  return first === 0 ? all : all.slice(first)
}

/** The best levels of a side as they were last, with their digits. Most updates change one or none. */
class BestLevels {
  private readonly levels: BookLevel[] = []
  private readonly texts: string[] = []

  /** @returns whether any of the best levels has changed. A level is never changed in place. */
  follow (side: readonly BookLevel[]): boolean {
    const { levels, texts } = this
    const length = Math.min(LEVELS, side.length)
    let isChanged = length !== levels.length
    if (isChanged) levels.length = texts.length = length
    for (let at = 0; at < length; at++) {
      const level = side[at]!
      if (levels[at] === level) continue
      levels[at] = level
      texts[at] = digitsOf(level[0]) + digitsOf(level[1])
      isChanged = true
    }
    return isChanged
  }

  get digits (): string {
    let all = ''
    for (const text of this.texts) all += text
    return all
  }
}

/**
 * Makes the function that returns the checksum that Kraken sends with each update of one book: the CRC32 of
 * the best ten asks, then bids. The function remembers what it can use again, which nearly halves the cost of
 * an update (`npm run bench -- books`: 11.0 µs before, 6.4 µs after, on a busy machine).
 */
export function createKrakenChecksum (): (book: Sides) => number {
  const [bestAsks, bestBids] = [new BestLevels(), new BestLevels()]
  let [ofAsks, ofAll] = [0, 0]
  return ({ bids, asks }) => {
    const [areAsksChanged, areBidsChanged] = [bestAsks.follow(asks), bestBids.follow(bids)]
    if (areAsksChanged) ofAsks = crc32(bestAsks.digits)
    if (areAsksChanged || areBidsChanged) ofAll = crc32(bestBids.digits, ofAsks)
    return ofAll
  }
}
