import { createHash } from 'node:crypto'
import { type Identity, LEEWAY_MS } from './identity.js'
import type { VerifyingKey } from './keys.js'

/**
 * Bounds on the remembered tokens: their number, and their characters, since an entry is about as long as its
 * token.
 */
const MAX_TOKENS = 10_000
const MAX_CHARACTERS = 16 << 20

/** What {@link VerifiedTokens} remembers of a token. */
export interface Verified {
  readonly identity: Identity
  /** The `kid` of the token's header. */
  readonly kid: unknown
  /** The key that verified it; if the key has changed, the token must be verified again. */
  readonly key: VerifyingKey
}

export interface VerifiedTokensOptions {
  readonly maxTokens?: number
  readonly maxCharacters?: number
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

/**
 * Remembers tokens whose signature has been verified, until they expire: a client that publishes or polls
 * sends the same token with each request. It knows a token by its hash, so that the process holds no more
 * tokens in memory than before.
 */
export class VerifiedTokens {
  /** Oldest first. */
  private readonly tokens = new Map<string, Verified & { readonly characters: number }>()
  private characters = 0
  private readonly maxTokens: number
  private readonly maxCharacters: number
  private readonly now: () => number

  constructor (
    { maxTokens = MAX_TOKENS, maxCharacters = MAX_CHARACTERS, now = Date.now }: VerifiedTokensOptions = {}
  ) {
    this.maxTokens = maxTokens
    this.maxCharacters = maxCharacters
    this.now = now
  }

  get size (): number {
    return this.tokens.size
  }

  /** Returns the entry of a token; undefined if the token must be verified. */
  find (token: string): Verified | undefined {
    const name = nameOf(token)
    const known = this.tokens.get(name)
    if (known === undefined || this.now() < endOfLeeway(known.identity)) return known
    this.forget(name)
    return undefined
  }

  add (token: string, verified: Verified): void {
    const name = nameOf(token)
    this.forget(name)
    this.tokens.set(name, { ...verified, characters: token.length })
    this.characters += token.length
    for (const oldest of this.tokens.keys()) {
      if (this.tokens.size <= this.maxTokens && this.characters <= this.maxCharacters) break
      this.forget(oldest)
    }
  }

  private forget (name: string): void {
    this.characters -= this.tokens.get(name)?.characters ?? 0
    this.tokens.delete(name)
  }
}

const nameOf = (token: string): string => createHash('sha256').update(token).digest('base64')

/** Clocks differ: the verifier, too, accepts a token up to this moment. */
const endOfLeeway = ({ expiresAt = 0 }: Identity): number => expiresAt + LEEWAY_MS
