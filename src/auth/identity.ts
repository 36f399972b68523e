import type { OrderKey } from './order-key.js'

/** Who makes a request or has a connection, and what their token permits. */
export interface Identity {
  /** The token's `sub`; undefined without a token. */
  readonly user?: string
  readonly name?: string
  /** Milliseconds since 1970. */
  readonly expiresAt?: number
  /** Topic patterns (`quotes:*`, `orders`, `*`); absent: the public channels and the user's own topics. */
  readonly read?: readonly string[]
  readonly publish?: readonly string[]
  /** The symbols whose orders the user may send (`AAPL`, `*`), or all of them; absent: none. */
  readonly trade?: true | readonly string[]
  readonly admin: boolean
  /** With which the user signs orders; absent: the user does not sign, and need not unless all must. */
  readonly orderKey?: OrderKey
}

export const ANONYMOUS: Identity = { admin: false }

/** How far clocks may differ. */
export const LEEWAY_MS = 60_000

/**
 * Returns until when somebody who is connected now may stay, in milliseconds since 1970: until their token
 * expires. If it has expired already, and they were let in because clocks differ, they may stay for the
 * leeway.
 */
export function endOf ({ expiresAt = Infinity }: Identity, now: number): number {
  return expiresAt > now ? expiresAt : expiresAt + LEEWAY_MS
}
