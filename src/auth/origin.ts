import { ProtocolError } from '@tickwire/protocol'

export type Scheme = 'http' | 'https'

/**
 * Which web pages may use a person's credentials here: those of the same origin, and those that are listed.
 * @param scheme of the request, where it is known
 */
export type OriginPolicy = (origin: string, host: string | undefined, scheme: Scheme | undefined) => boolean

/** What a request says of the page that it comes from, and of the way that it came; programs that are no browser say nothing of a page. */
interface FromPage {
  readonly headers: {
    readonly origin?: string | undefined
    readonly host?: string | undefined
    readonly 'sec-fetch-site'?: string | string[] | undefined
    readonly 'x-forwarded-proto'?: string | string[] | undefined
  }
  /** What a trusted proxy says, else how this server was reached. */
  readonly protocol: string
  /** Undefined where no proxy is trusted. */
  readonly ips?: string[] | undefined
}

/** Of a request that a page made: its origin, if it is one that may read here. */
export function allowedOrigin (allowed: OriginPolicy, request: FromPage): string | undefined {
  const { origin, host } = request.headers
  return origin !== undefined && allowed(origin, host, schemeOf(request)) ? origin : undefined
}

/** @throws ProtocolError `forbidden` */
export function refuseForeignPage (allowed: OriginPolicy, request: FromPage): void {
  if (request.headers.origin === undefined || allowedOrigin(allowed, request) !== undefined) return
  throw new ProtocolError('forbidden', 'pages of this origin may not read here; the server lists those that may')
}

/** Whether an `OPTIONS` is a browser's question on behalf of a page (CORS). */
export function isPreflight (headers: { readonly origin?: string | undefined, readonly 'access-control-request-method'?: string | undefined }): boolean {
  return headers.origin !== undefined && headers['access-control-request-method'] !== undefined
}

/** The origins that `ALLOWED_ORIGINS` names, a comma list. */
export function listedOrigins (list: string): ReadonlySet<string> {
  return new Set(list.split(',').map(origin => origin.trim()).filter(origin => origin !== '').map(normalized))
}

/** Whether a list names an origin; `*` is no name. */
export const isListed = (listed: ReadonlySet<string>, origin: string | undefined): boolean => origin !== undefined && origin !== '*' && listed.has(normalized(origin))

/** @param list `ALLOWED_ORIGINS`: a comma list of origins, `*` for all */
export function originPolicy (list: string): OriginPolicy {
  const listed = listedOrigins(list)
  return (origin, host, scheme) => listed.has('*') || isListed(listed, origin) || isOwn(origin, host, scheme)
}

/**
 * Whether a request, by what browsers say of it, may have been made with its cookies by a page that may use them: one of the same
 * origin, or one that is listed by its name, for which `*` is none. A browser says where a page is from with each request that
 * the page could read the answer of; a client that says nothing is none, and nobody's cookies come with it unasked.
 */
export function cookiesAllowed (request: FromPage, listed: ReadonlySet<string>): boolean {
  const { origin, host, 'sec-fetch-site': site } = request.headers
  if (isListed(listed, origin)) return true
  return (origin === undefined || isOwn(origin, host, schemeOf(request))) && (site === undefined || site === 'same-origin')
}

/** Plain HTTP says nothing: a proxy that nobody trusts, or that does not say it, may have ended TLS. */
function schemeOf ({ headers, protocol, ips }: FromPage): Scheme | undefined {
  const told = ips !== undefined && headers['x-forwarded-proto'] !== undefined
  return told || protocol === 'https' ? SCHEMES.get(`${protocol.toLowerCase()}:`) : undefined
}

/** Programs write the scheme that they connect with, and some proxies, too. */
const SCHEMES: ReadonlyMap<string, Scheme> = new Map([['http:', 'http'], ['ws:', 'http'], ['https:', 'https'], ['wss:', 'https']])

/** Scheme, host and port in one spelling, without a port that is the scheme's default; of an origin without a host (`null`, `file://`) its text. */
function normalized (origin: string): string {
  const { protocol, host } = URL.canParse(origin) ? new URL(origin) : { protocol: '', host: '' }
  const scheme = SCHEMES.get(protocol)
  return scheme === undefined || host === '' ? origin : `${scheme}://${host}`
}

/** What a Host may hold: no part of a URL beside host and port. */
const HOST = /^[^\s/\\?#@]+$/

/**
 * Whether an origin is the server's own: scheme, host and port are those that the request came to. Where the scheme of the request is
 * not known it is that of the origin, and a Host without a port means the default of that.
 * An origin without a host is nobody's own, also where the request names no host either.
 */
function isOwn (origin: string, host: string | undefined, scheme: Scheme | undefined): boolean {
  const page = normalized(origin)
  const [pageScheme] = /^https?(?=:)/.exec(page) ?? []
  if (pageScheme === undefined || host === undefined || !HOST.test(host)) return false
  return page === normalized(`${scheme ?? pageScheme}://${host}`)
}
