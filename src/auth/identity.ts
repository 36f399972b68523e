/** Who stands behind a request or a connection, and what the token says they may do. */
export interface Identity {
  /** The token's `sub`; undefined for somebody without a token. */
  readonly user?: string
  readonly name?: string
  /** Milliseconds since 1970. */
  readonly expiresAt?: number
  /** Topic patterns (`quotes:*`, `orders`, `*`); absent means the public channels and the user's own. */
  readonly read?: readonly string[]
  readonly publish?: readonly string[]
  readonly admin: boolean
}

export const ANONYMOUS: Identity = { admin: false }

/** Most that clocks may differ. */
export const LEEWAY_MS = 60_000

/**
 * Until when somebody who is here now may stay, in milliseconds since 1970: until their token expires; for who was let in because
 * clocks differ, until those may differ no more.
 */
export function endOf ({ expiresAt = Infinity }: Identity, now: number): number {
  return expiresAt > now ? expiresAt : expiresAt + LEEWAY_MS
}
