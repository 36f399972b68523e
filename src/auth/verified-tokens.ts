import { createHash } from 'node:crypto'
import { type Identity, LEEWAY_MS } from './identity.js'
import type { VerifyingKey } from './keys.js'

/** Most tokens that are remembered, and most characters of them: what is remembered of a token is about as long as the token. */
const MAX_TOKENS = 10_000
const MAX_CHARACTERS = 16 << 20

/** A token that has been verified. */
export interface Verified {
  readonly identity: Identity
  /** What the token calls its key. */
  readonly kid: unknown
  /** What it was verified with: with another key it has to be verified anew. */
  readonly key: VerifyingKey
}

export interface VerifiedTokensOptions {
  readonly maxTokens?: number
  readonly maxCharacters?: number
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

/**
 * Tokens whose signature has been checked, until they expire: a client that publishes or polls sends the same one with each request.
 * A token is known by its hash, so that the memory of the process holds no more tokens than before.
 */
export class VerifiedTokens {
  /** Oldest first. */
  private readonly tokens = new Map<string, Verified & { readonly characters: number }>()
  private characters = 0
  private readonly maxTokens: number
  private readonly maxCharacters: number
  private readonly now: () => number

  constructor ({ maxTokens = MAX_TOKENS, maxCharacters = MAX_CHARACTERS, now = Date.now }: VerifiedTokensOptions = {}) {
    this.maxTokens = maxTokens
    this.maxCharacters = maxCharacters
    this.now = now
  }

  get size (): number {
    return this.tokens.size
  }

  /** Undefined where a token has to be verified. */
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

/** Clocks differ: up to here the verifier takes the token, too. */
const endOfLeeway = ({ expiresAt = 0 }: Identity): number => expiresAt + LEEWAY_MS
