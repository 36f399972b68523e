import jwt, { type JWT } from '@fastify/jwt'
import { type ErrorCode, ProtocolError } from '@tickwire/protocol'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { identityOf, LEEWAY_SECONDS } from '../src/auth/claims.js'
import { ANONYMOUS, type Identity } from '../src/auth/identity.js'

export interface AuthOptions {
  readonly secret: string
  readonly issuer: string
  readonly audience: string
}

/** What a token says beside when it ends, who made it and for whom: see PROTOCOL.md, Credentials. */
export interface TokenClaims {
  readonly sub: string
  readonly name?: string
  readonly read?: readonly string[]
  readonly publish?: readonly string[]
  readonly admin?: boolean
}

export interface Authenticator {
  /** A token for a user, good for some seconds. */
  sign (claims: TokenClaims, seconds: number): string
  /** @throws ProtocolError `unauthorized` */
  verify (token: string): Promise<Identity>
  /** By the `Authorization` header, else by the query's token, else nobody. @throws ProtocolError `unauthorized` */
  identify (request: FastifyRequest, queryToken?: string): Promise<Identity>
  /** The user of a request that has been identified; undefined for nobody. */
  userOf (request: FastifyRequest): string | undefined
  /** The identity of a request that a rule lets through. @throws ProtocolError what the rule answered */
  demand (request: FastifyRequest, refuse: (identity: Identity) => ErrorCode | undefined): Promise<Identity>
}

declare module 'fastify' {
  interface FastifyInstance {
    authenticator: Authenticator
  }
}

/** Keeps our signing apart from that of the application that we are part of. */
const NAMESPACE = 'tickwire'

const BEARER = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i

/** Who a request comes from: tokens signed with one secret (HS256 and nothing else). */
export const auth = fp<AuthOptions>(async (app, { secret, issuer, audience }) => {
  await app.register(jwt, {
    namespace: NAMESPACE,
    secret,
    sign: { algorithm: 'HS256', iss: issuer, aud: audience },
    verify: {
      algorithms: ['HS256'], allowedIss: issuer, allowedAud: audience, requiredClaims: ['sub', 'exp', 'iss', 'aud'], clockTolerance: LEEWAY_SECONDS * 1000
    }
  })

  const { [NAMESPACE]: signer } = app.jwt as unknown as Record<typeof NAMESPACE, JWT>

  const identified = new WeakMap<FastifyRequest, Identity>()
  const identify = async (request: FastifyRequest, queryToken: string | undefined): Promise<Identity> => {
    const header = request.headers.authorization
    if (header !== undefined) {
      const token = BEARER.exec(header)?.[1]
      if (token === undefined) throw new ProtocolError('unauthorized', 'Authorization is not a bearer token')
      return await authenticator.verify(token)
    }
    return queryToken === undefined ? ANONYMOUS : await authenticator.verify(queryToken)
  }

  const authenticator: Authenticator = {
    sign: (claims, seconds) => signer.sign({ ...claims }, { expiresIn: `${seconds}s` }),

    async verify (token) {
      let claims: unknown
      try {
        claims = signer.verify(token)
      } catch {
        throw new ProtocolError('unauthorized', 'the token is not valid')
      }
      return identityOf(claims)
    },

    async identify (request, queryToken) {
      const identity = await identify(request, queryToken)
      identified.set(request, identity)
      return identity
    },

    userOf: request => identified.get(request)?.user,

    async demand (request, refuse) {
      const identity = await authenticator.identify(request)
      const code = refuse(identity)
      if (code !== undefined) throw new ProtocolError(code)
      return identity
    }
  }
  app.decorate('authenticator', authenticator)
}, { name: 'tickwire-auth', fastify: '5.x' })
