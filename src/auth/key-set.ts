import { createPublicKey } from 'node:crypto'
import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { ProtocolError } from '@tickwire/protocol'
import { type Keys, type VerifyingKey, verifyingKey } from './keys.js'

/** How often the server fetches the set. While it can, a withdrawn key stays valid for at most this long. */
const REFRESH_MS = 300_000
/**
 * An unknown `kid` makes the server fetch the set; for this long after that, another unknown `kid` does not.
 */
const COOL_DOWN_MS = 10_000
/** How long fetching a whole set may take. */
const TIME_LIMIT_MS = 5000
const MAX_BYTES = 256 * 1024
const MAX_KEYS = 100
const MAX_MEMBER_LENGTH = 4096

const Member = Type.Optional(Type.String({ maxLength: MAX_MEMBER_LENGTH }))

/**
 * RFC 7517, 5: skips members that it does not know, keys that are not for signatures, and keys without a
 * name.
 */
const JwkSet = Type.Object({ keys: Type.Array(Type.Object({}), { maxItems: MAX_KEYS }) })
const Jwk = Type.Object({
  kid: Type.String({ minLength: 1, maxLength: 256 }),
  kty: Type.String({ maxLength: 16 }),
  use: Type.Optional(Type.Literal('sig')),
  alg: Member,
  crv: Member,
  n: Member,
  e: Member,
  x: Member,
  y: Member
})
const setCheck = TypeCompiler.Compile(JwkSet)
const jwkCheck = TypeCompiler.Compile(Jwk)

/** Times that a test may shorten, in milliseconds. */
export interface KeySetTimes {
  readonly refreshMs?: number
  readonly coolDownMs?: number
  readonly timeLimitMs?: number
}

/**
 * The keys at an address (`JWT_JWKS_URL`), by their `kid`. The server fetches them at intervals, and at once
 * for a `kid` that is not among them. While it cannot fetch the set, the known keys stay valid.
 */
export class KeySet implements Keys {
  private keys: ReadonlyMap<string, VerifyingKey> | undefined
  private fetching: Promise<void> | undefined
  private ending: AbortController | undefined
  /** When an unknown `kid` last made the server fetch the set, by a clock that nobody sets. */
  private askedAt = -Infinity
  private closed = false
  private readonly refresher: NodeJS.Timeout
  private readonly coolDownMs: number
  private readonly timeLimitMs: number

  /** @param onError receives the reason if the set cannot be fetched */
  constructor (
    private readonly url: string,
    private readonly onError: (error: unknown, message: string) => void,
    { refreshMs = REFRESH_MS, coolDownMs = COOL_DOWN_MS, timeLimitMs = TIME_LIMIT_MS }: KeySetTimes = {}
  ) {
    this.coolDownMs = coolDownMs
    this.timeLimitMs = timeLimitMs
    this.refresher = setInterval(() => { void this.refresh() }, refreshMs).unref()
    void this.refresh()
  }

  async find (kid: unknown): Promise<VerifyingKey | undefined> {
    if (typeof kid !== 'string') return undefined
    const known = this.keys?.get(kid)
    if (known !== undefined) return known
    if (this.fetching === undefined) {
      const now = performance.now()
      if (now - this.askedAt >= this.coolDownMs) {
        this.askedAt = now
        void this.refresh()
      }
    }
    await this.fetching
    // Nobody knows whether the token is valid: its client should try again, and not ask for another token.
    if (this.keys === undefined) {
      const message = 'the keys that check tokens cannot be fetched at the moment'
      throw new ProtocolError('overloaded', message, this.coolDownMs)
    }
    return this.keys.get(kid)
  }

  close (): void {
    this.closed = true
    clearInterval(this.refresher)
    this.ending?.abort()
  }

  private async refresh (): Promise<void> {
    if (this.closed) return
    this.fetching ??= this.fetchKeys().then(
      keys => { this.keys = keys },
      (error: unknown) => {
        if (!this.closed) this.onError(error, 'the keys of JWT_JWKS_URL could not be fetched')
      }
    ).finally(() => { this.fetching = undefined })
    await this.fetching
  }

  private async fetchKeys (): Promise<ReadonlyMap<string, VerifyingKey>> {
    const ending = this.ending = new AbortController()
    const timeLimit = new Error(`no answer within ${this.timeLimitMs} ms`)
    const timer = setTimeout(() => { ending.abort(timeLimit) }, this.timeLimitMs)
    try {
      return readKeys(JSON.parse(await this.fetchText(ending.signal)))
    } finally {
      clearTimeout(timer)
    }
  }

  private async fetchText (signal: AbortSignal): Promise<string> {
    // The operator trusts this address, but no address to which it may redirect.
    const response = await fetch(this.url, {
      signal, redirect: 'error', headers: { accept: 'application/json, application/jwk-set+json' }
    })
    if (response.status !== 200 || response.body === null) {
      await response.body?.cancel()
      throw new Error(`answered with status ${response.status}`)
    }
    const chunks: Uint8Array[] = []
    let bytes = 0
    for await (const chunk of response.body) {
      chunks.push(chunk as Uint8Array)
      bytes += chunks.at(-1)!.length
      if (bytes > MAX_BYTES) throw new Error(`answered with more than ${MAX_BYTES} bytes`)
    }
    return Buffer.concat(chunks).toString()
  }
}

/** Reads the usable keys of a set. @throws Error if it is not a set of keys, or none of its keys is usable */
function readKeys (set: unknown): ReadonlyMap<string, VerifyingKey> {
  if (!setCheck.Check(set)) throw new Error(`is not a set of at most ${MAX_KEYS} keys (RFC 7517)`)
  const keys = new Map<string, VerifyingKey>()
  for (const jwk of set.keys) {
    if (!jwkCheck.Check(jwk) || keys.has(jwk.kid)) continue
    const key = readKey(jwk)
    if (key !== undefined) keys.set(jwk.kid, key)
  }
  if (keys.size === 0) throw new Error('has no key that can check tokens')
  return keys
}

/** Returns a key; undefined for a secret, and for a key of another algorithm. */
function readKey (jwk: Static<typeof Jwk>): VerifyingKey | undefined {
  try {
    const key = verifyingKey(createPublicKey({ format: 'jwk', key: jwk }))
    return jwk.alg === undefined || jwk.alg === key?.algorithm ? key : undefined
  } catch {
    return undefined
  }
}
