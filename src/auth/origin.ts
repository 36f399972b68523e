import { ProtocolError } from '@tickwire/protocol'

export type Scheme = 'http' | 'https'

/**
 * Tells whether a page of an origin may use a person's credentials here: if it is of the server's own origin,
 * or listed.
 * @param scheme the scheme of the request, if it is known
 */
export type OriginPolicy = (origin: string, host: string | undefined, scheme: Scheme | undefined) => boolean

/**
 * What a request says of the page that made it, and of how it came. Programs that are not browsers name no
 * page.
 */
interface FromPage {
  readonly headers: {
    readonly origin?: string | undefined
    readonly host?: string | undefined
    readonly 'sec-fetch-site'?: string | string[] | undefined
    readonly 'x-forwarded-proto'?: string | string[] | undefined
  }
  /** The scheme by the word of a trusted proxy, or else of the connection. */
  readonly protocol: string
  /** Undefined if the server trusts no proxy. */
  readonly ips?: string[] | undefined
}

/** Returns the origin of the page that made a request, if that page may read here. */
export function allowedOrigin (allowed: OriginPolicy, request: FromPage): string | undefined {
  const { origin, host } = request.headers
  return origin !== undefined && allowed(origin, host, schemeOf(request)) ? origin : undefined
}

/** Refuses a request from a page that may not read here. @throws ProtocolError `forbidden` */
export function refuseForeignPage (allowed: OriginPolicy, request: FromPage): void {
  if (request.headers.origin === undefined || allowedOrigin(allowed, request) !== undefined) return
  const message = 'pages of this origin may not read here; the server lists those that may'
  throw new ProtocolError('forbidden', message)
}

/** Tells whether an `OPTIONS` request is a browser's question on behalf of a page (CORS). */
export function isPreflight (headers: {
  readonly origin?: string | undefined
  readonly 'access-control-request-method'?: string | undefined
}): boolean {
  return headers.origin !== undefined && headers['access-control-request-method'] !== undefined
}

/** Returns the origins that `ALLOWED_ORIGINS`, a comma list, names. */
export function listedOrigins (list: string): ReadonlySet<string> {
  return new Set(list.split(',').map(origin => origin.trim()).filter(origin => origin !== '').map(normalized))
}

/** Tells whether a list names an origin; `*` names none. */
export const isListed = (listed: ReadonlySet<string>, origin: string | undefined): boolean =>
  origin !== undefined && origin !== '*' && listed.has(normalized(origin))

/** Makes the policy of a setting. @param list `ALLOWED_ORIGINS`: a comma list of origins, `*` for all */
export function originPolicy (list: string): OriginPolicy {
  const listed = listedOrigins(list)
  return (origin, host, scheme) => listed.has('*') || isListed(listed, origin) || isOwn(origin, host, scheme)
}

/**
 * Tells whether a request may use its cookies: whether the page that made it is of the server's own origin,
 * or listed by name; `*` names no page. A browser says where a page is from with each request whose answer
 * the page could read. A client that says nothing is not a browser, and sends nobody's cookies unasked.
 */
export function cookiesAllowed (request: FromPage, listed: ReadonlySet<string>): boolean {
  const { origin, host, 'sec-fetch-site': site } = request.headers
  if (isListed(listed, origin)) return true
  if (site !== undefined && site !== 'same-origin') return false
  return origin === undefined || isOwn(origin, host, schemeOf(request))
}

/**
 * Returns the scheme of a request, if it is known. Plain HTTP does not tell: an untrusted or silent proxy may
 * have ended TLS.
 */
function schemeOf ({ headers, protocol, ips }: FromPage): Scheme | undefined {
  const told = ips !== undefined && headers['x-forwarded-proto'] !== undefined
  return told || protocol === 'https' ? SCHEMES.get(`${protocol.toLowerCase()}:`) : undefined
}

/** Programs, and some proxies, write the scheme with which they connect: ws and wss, too. */
const SCHEMES: ReadonlyMap<string, Scheme> = new Map([
  ['http:', 'http'], ['ws:', 'http'], ['https:', 'https'], ['wss:', 'https']
])

/**
 * Writes scheme, host and port in one spelling, without the scheme's default port. An origin without a host
 * (`null`, `file://`) keeps its text.
 */
function normalized (origin: string): string {
  const { protocol, host } = URL.canParse(origin) ? new URL(origin) : { protocol: '', host: '' }
  const scheme = SCHEMES.get(protocol)
  return scheme === undefined || host === '' ? origin : `${scheme}://${host}`
}

/** Matches a Host header that holds a host and a port, and no other part of a URL. */
const HOST = /^[^\s/\\?#@]+$/

/**
 * Tells whether an origin is the server's own: whether the request came to its scheme, host and port. If the
 * scheme of the request is not known, that of the origin counts, and a Host without a port means the default
 * port of that scheme. An origin without a host is never the server's own, even if the request names no host
 * either.
 */
function isOwn (origin: string, host: string | undefined, scheme: Scheme | undefined): boolean {
  const page = normalized(origin)
  const [pageScheme] = /^https?(?=:)/.exec(page) ?? []
  if (pageScheme === undefined || host === undefined || !HOST.test(host)) return false
  return page === normalized(`${scheme ?? pageScheme}://${host}`)
}
