import type { FastifyHelmetOptions } from '@fastify/helmet'

/** For how long a browser asks for nothing of this host but over TLS, once it has done so. */
const TLS_ONLY_SECONDS = 365 * 24 * 3600

export interface SecurityHeaders {
  /** On a developer's machine other servers of this host speak plain HTTP. */
  readonly development: boolean
  /** Where images come from, beside this server. */
  readonly images?: readonly string[]
  /** Hashes of inline styles that are let through. */
  readonly styles?: readonly string[]
}

/** For what a browser shows: all of it from this server, nothing of it inline, and in no other page's frame. */
export function securityHeaders ({ development, images = [], styles = [] }: SecurityHeaders): FastifyHelmetOptions {
  const self = "'self'"
  const none = ["'none'"]
  return {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: [self], imgSrc: [self, ...images], styleSrc: [self, ...styles], baseUri: none, formAction: none, frameAncestors: none, objectSrc: none }
    },
    frameguard: { action: 'deny' },
    hsts: development ? false : { maxAge: TLS_ONLY_SECONDS, includeSubDomains: false }
  }
}
