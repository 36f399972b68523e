import { compareDecimals, isZeroDecimal, type Trade as TradeData } from '@tickwire/protocol'
import type { InstantReader } from './instant.js'

/** Most digits of a price or size before its point, and after it. Sums of them still fit the wire. */
const MAX_DIGITS = 20
/** The first instant of the year 0: what is before it has no four digits for its year. */
const FIRST_MS = -62_167_219_200_000

/** A trade as bars keep it. */
export interface Trade {
  /** Of its message. */
  readonly sequence: number
  /** Its event time: milliseconds since 1970, and nanoseconds beyond them. */
  readonly ms: number
  readonly nanos: number
  /** The `trade_id`; empty if it has none. */
  readonly id: string
  readonly price: string
  readonly size: string
  /** The id of the trade that this one replaces; empty if it replaces none. */
  readonly corrects: string
  /** Whether the bars count it now. */
  counts: boolean
  /** Whether it can still be taken back; false once its bars hold it only in their sums. */
  isKept: boolean
}

/** Reads a message of `trades`. Returns undefined if no bar can use it. */
export function readTrade (data: TradeData, sequence: number, instants: InstantReader): Trade | undefined {
  const { price, size, timestamp, trade_id: id = '', corrects = '' } = data
  if (isTooLong(price) || isTooLong(size)) return undefined
  if (size.startsWith('-') && !isZeroDecimal(size)) return undefined
  const { ms, nanos } = instants.read(timestamp)
  if (Number.isNaN(ms) || ms < FIRST_MS) return undefined
  const replaced = corrects === id ? '' : corrects
  return { sequence, ms, nanos, id, price, size, corrects: replaced, counts: false, isKept: true }
}

/** Whether a trade takes away the one that it replaces, and puts nothing in its place. */
export const isCancel = ({ corrects, size }: Trade): boolean => corrects !== '' && isZeroDecimal(size)

function isTooLong (decimal: string): boolean {
  if (decimal.length <= MAX_DIGITS) return false
  const dot = decimal.indexOf('.')
  const whole = dot < 0 ? decimal.length : dot
  return whole - (decimal.startsWith('-') ? 1 : 0) > MAX_DIGITS || decimal.length - whole - 1 > MAX_DIGITS
}

/**
 * The order of trades (PROTOCOL.md, Bars): by time, then by id, then by price and size. Spelling comes last,
 * so that the order never depends on which trade came first.
 */
export function compareTrades (a: Trade, b: Trade): number {
  if (a.ms !== b.ms) return a.ms - b.ms
  if (a.nanos !== b.nanos) return a.nanos - b.nanos
  return compareIds(a.id, b.id) || compareDecimals(a.price, b.price) || compareDecimals(a.size, b.size) ||
    compareCodePoints(a.price, b.price)
}

const DIGITS = /^[0-9]+$/

/** A trade without an id comes first. Ids of digits alone compare as numbers, and come before the others. */
function compareIds (a: string, b: string): number {
  if (a === b) return 0
  if (a === '' || b === '') return a === '' ? -1 : 1
  const isNumber = DIGITS.test(a)
  if (isNumber !== DIGITS.test(b)) return isNumber ? -1 : 1
  return (isNumber ? compareNumbers(a, b) : 0) || compareCodePoints(a, b)
}

function compareNumbers (a: string, b: string): number {
  const [first, second] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')]
  if (first.length !== second.length) return first.length - second.length
  return first < second ? -1 : first > second ? 1 : 0
}

/** JavaScript compares UTF-16, which puts U+E000 to U+FFFF behind what needs two units. */
function compareCodePoints (a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const [first, second] = [a.charCodeAt(at), b.charCodeAt(at)]
    if (first === second) continue
    const [isFirstPair, isSecondPair] = [isSurrogate(first), isSurrogate(second)]
    return isFirstPair === isSecondPair ? first - second : isFirstPair ? 1 : -1
  }
  return a.length - b.length
}

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff
