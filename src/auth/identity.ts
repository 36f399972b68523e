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
