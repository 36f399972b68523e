import { type ClientPolicy, errorPolicies } from '@tickwire/protocol/error-policies'
import type { End } from './transports/transport.js'

/** The bound of the first wait. With a random part of it, nearly all clients are back within a second. */
const FIRST_MS = 800
const LONGEST_MS = 30_000
/** What a client adds to the wait that the server asked for, so that clients do not come back in step. */
const JITTER_MS = 250

/** Returns what a client does after an end (PROTOCOL.md, Errors and closing). */
export const policyOf = ({ code }: Pick<End, 'code'>): ClientPolicy =>
  code === undefined ? 'backoff' : errorPolicies[code][2]

/**
 * Returns the wait before the next attempt, in milliseconds: what the server asked for, else a random part
 * (full jitter, from the first wait on) of a bound that doubles with each failure.
 * @param failures how many attempts have failed since the last stable connection
 */
export function waitAfter ({ retryAfterMs }: End, failures: number, random: () => number): number {
  if (retryAfterMs !== undefined) return retryAfterMs + random() * JITTER_MS
  return random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** failures)
}
