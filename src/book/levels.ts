import type { BookLevel } from '@tickwire/protocol'
import { plainDecimal } from './decimals.js'

/**
 * Reads levels that a venue wrote as arrays: price, size, and whatever follows them.
 * @returns undefined if that is not what it wrote
 */
export function readLevels (levels: unknown): BookLevel[] | undefined {
  if (!Array.isArray(levels)) return undefined
  const read: BookLevel[] = []
  for (const written of levels as unknown[]) {
    const level = Array.isArray(written) ? readLevel(written[0], written[1]) : undefined
    if (level === undefined) return undefined
    read.push(level)
  }
  return read
}

/** Reads a price and a size. @returns undefined if one is not a decimal, or is longer than one may be */
export function readLevel (price: unknown, size: unknown): BookLevel | undefined {
  if (typeof price !== 'string' || typeof size !== 'string') return undefined
  const [plainPrice, plainSize] = [plainDecimal(price), plainDecimal(size)]
  return plainPrice === undefined || plainSize === undefined ? undefined : [plainPrice, plainSize]
}

/** Returns whether a part of a frame has named fields. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Writes the beginning of a frame as JSON, for the server's log. */
export const inPart = (frame: unknown): string => (JSON.stringify(frame) ?? String(frame)).slice(0, 200)
