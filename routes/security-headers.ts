import type { FastifyHelmetOptions } from '@fastify/helmet'

/** For how long a browser uses nothing but TLS with this host, once it has done so. */
const TLS_ONLY_SECONDS = 365 * 24 * 3600

export interface SecurityHeaders {
  /** Leaves HSTS out: on a developer's machine, other servers of the same host speak plain HTTP. */
  readonly development: boolean
  /** Sources of images beside this server. */
  readonly images?: readonly string[]
  /** Hashes of the inline styles that are allowed. */
  readonly styles?: readonly string[]
}

/**
 * Returns the headers for what a browser shows: everything from this server, nothing inline, and in no other
 * page's frame.
 */
export function securityHeaders (
  { development, images = [], styles = [] }: SecurityHeaders
): FastifyHelmetOptions {
  const self = "'self'"
  const none = ["'none'"]
  return {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: [self],
        imgSrc: [self, ...images],
        styleSrc: [self, ...styles],
        baseUri: none,
        formAction: none,
        frameAncestors: none,
        objectSrc: none
      }
    },
    frameguard: { action: 'deny' },
    hsts: development ? false : { maxAge: TLS_ONLY_SECONDS, includeSubDomains: false }
  }
}
