import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import jwt, { type JWT } from '@fastify/jwt'
import { type ErrorCode, ProtocolError } from '@tickwire/protocol'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { bearerToken } from '../src/auth/bearer.js'
import { identityOf } from '../src/auth/claims.js'
import { readCookie } from '../src/auth/cookie.js'
import { ANONYMOUS, type Identity, LEEWAY_MS } from '../src/auth/identity.js'
import type { Keys } from '../src/auth/keys.js'
import type { OrderKey } from '../src/auth/order-key.js'
import { cookiesAllowed } from '../src/auth/origin.js'
import { Tickets } from '../src/auth/tickets.js'
import { NOT_A_JWT, NOT_OURS, tokenFault } from '../src/auth/token-fault.js'
import { VerifiedTokens } from '../src/auth/verified-tokens.js'
import type { Coordination } from '../src/coordination/coordination.js'

export interface AuthOptions {
  readonly keys: Keys
  readonly issuer: string
  readonly audience: string
  /** Keeps the tickets. */
  readonly coordination: Coordination
  /** The origins whose pages may come with the cookie, beside the server's own. */
  readonly listedOrigins: ReadonlySet<string>
}

/**
 * What an application says of a token's user; the server adds issuer, audience and expiry: see PROTOCOL.md,
 * Credentials.
 */
export interface TokenClaims {
  readonly sub: string
  readonly name?: string
  readonly read?: readonly string[]
  readonly publish?: readonly string[]
  readonly trade?: boolean | readonly string[]
  readonly admin?: boolean
  readonly order_key?: OrderKey
}

export interface Authenticator {
  readonly tickets: Tickets
  /** Whether this server can sign tokens: it can with a secret, but not with a public key. */
  readonly signs: boolean
  /** Signs a token for a user, which is valid for some seconds. @throws Error if this server cannot sign */
  sign (claims: TokenClaims, seconds: number): string
  /** Verifies a token, and returns its user. @throws ProtocolError `unauthorized`, `overloaded` */
  verify (token: string): Promise<Identity>
  /**
   * Returns who makes a request, by its first credential (PROTOCOL.md, Credentials); anonymous if it has
   * none. It judges each request once, and returns the same answer to later calls. It spends no ticket.
   * @throws ProtocolError `unauthorized`, `overloaded`, `log_unavailable`
   */
  identify (request: FastifyRequest): Promise<Identity>
  /**
   * Spends the ticket of a request, if a ticket is its credential. Call it when nothing else can refuse the
   * request.
   * @throws ProtocolError `unauthorized`: another request has spent it; `log_unavailable`
   */
  spend (request: FastifyRequest): Promise<void>
  /** Returns the user of a request that has been identified; undefined if it is anonymous. */
  userOf (request: FastifyRequest): string | undefined
  /** Returns who makes a request, if a rule permits it. @throws ProtocolError the rule's refusal */
  demand (request: FastifyRequest, refuse: (identity: Identity) => ErrorCode | undefined): Promise<Identity>
}

declare module 'fastify' {
  interface FastifyInstance {
    authenticator: Authenticator
  }
  interface FastifyContextConfig {
    /**
     * For the stream: returns the credentials in a request's query, which count after the header and before
     * the cookie.
     */
    queryCredentials?: (request: FastifyRequest) => { readonly ticket?: string, readonly token?: string }
  }
}

/** Keeps this signer apart from that of the application that uses the plugin. */
const NAMESPACE = 'tickwire'

/**
 * Identifies who makes a request. One verifier checks all tokens, with the key of the configuration and that
 * key's algorithm.
 */
export const auth = fp<AuthOptions>(async (app, { keys, issuer, audience, coordination, listedOrigins }) => {
  await app.register(jwt, {
    namespace: NAMESPACE,
    // Without a secret, a random one that nobody knows: a token that is verified without naming a key is
    // never valid.
    secret: keys.secret ?? { public: randomBytes(32).toString('base64url') },
    decode: { complete: true },
    sign: { algorithm: 'HS256', iss: issuer, aud: audience },
    verify: {
      algorithms: ['HS256'],
      allowedIss: issuer,
      allowedAud: audience,
      requiredClaims: ['sub', 'exp', 'iss', 'aud'],
      clockTolerance: LEEWAY_MS
    }
  })

  const { [NAMESPACE]: signer } = app.jwt as unknown as Record<typeof NAMESPACE, JWT>
  const tickets = new Tickets(coordination)
  const verified = new VerifiedTokens()
  const identities = new WeakMap<FastifyRequest, Promise<Identity>>()
  const users = new WeakMap<FastifyRequest, string>()
  /** The ticket that is the credential of a request. */
  const ticketsOf = new WeakMap<FastifyRequest, string>()

  /**
   * Reads a token that nobody has verified yet: trust only its key id.
   * @throws ProtocolError `unauthorized`
   */
  function read (token: string): { readonly header: { readonly kid?: unknown }, readonly payload: unknown } {
    try {
      const parts = signer.decode<{ header: { kid?: unknown }, payload: unknown }>(token)
      if (parts !== null) return parts
    } catch {}
    throw new ProtocolError('unauthorized', NOT_A_JWT)
  }

  async function judge (request: FastifyRequest): Promise<Identity> {
    const { authorization, cookie } = request.headers
    if (authorization !== undefined) return await authenticator.verify(bearerToken(authorization))
    const { queryCredentials } = request.routeOptions.config
    if (queryCredentials === undefined) return ANONYMOUS
    const { ticket, token } = queryCredentials(request)
    if (ticket !== undefined) {
      const identity = await tickets.look(ticket)
      ticketsOf.set(request, ticket)
      return identity
    }
    if (token !== undefined) return await authenticator.verify(token)
    const kept = cookiesAllowed(request, listedOrigins) ? readCookie(cookie) : undefined
    return kept === undefined ? ANONYMOUS : await authenticator.verify(kept)
  }

  const authenticator: Authenticator = {
    tickets,
    signs: keys.secret !== undefined,

    sign (claims, seconds) {
      if (keys.secret === undefined) {
        throw new Error('this server signs no tokens: it has no JWT_SECRET, ' +
          'and only checks tokens signed elsewhere')
      }
      return signer.sign({ ...claims }, { expiresIn: `${seconds}s` })
    },

    async verify (token) {
      const known = verified.find(token)
      // A key that was withdrawn or changed since is no longer trusted.
      if (known !== undefined && isDeepStrictEqual(await keys.find(known.kid), known.key)) {
        return known.identity
      }
      const { header, payload } = read(token)
      const found = await keys.find(header.kid)
      if (found === undefined) throw new ProtocolError('unauthorized', NOT_OURS)
      let claims: unknown
      try {
        claims = signer.verify(token, { key: found.key, algorithms: [found.algorithm] })
      } catch (error) {
        throw new ProtocolError('unauthorized', tokenFault(error, () => payload))
      }
      const identity = identityOf(claims)
      verified.add(token, { identity, kid: header.kid, key: found })
      return identity
    },

    async identify (request) {
      let identity = identities.get(request)
      if (identity === undefined) identities.set(request, identity = judge(request))
      const known = await identity
      if (known.user !== undefined) users.set(request, known.user)
      return known
    },

    async spend (request) {
      const ticket = ticketsOf.get(request)
      if (ticket !== undefined) await tickets.redeem(ticket)
    },

    userOf: request => users.get(request),

    async demand (request, refuse) {
      const identity = await authenticator.identify(request)
      const code = refuse(identity)
      if (code !== undefined) throw new ProtocolError(code)
      return identity
    }
  }
  app.decorate('authenticator', authenticator)
  app.addHook('onClose', async () => { keys.close() })
}, { name: 'tickwire-auth', fastify: '5.x' })
