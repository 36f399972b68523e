import { ProtocolError } from '@tickwire/protocol'

/**
 * Which web pages may use a person's credentials here: those of the same origin, and those that are listed.
 * @param secure whether the request is known to have come over TLS: then a page that did not is of another origin
 */
export type OriginPolicy = (origin: string, host: string | undefined, secure: boolean) => boolean

/** What a request says of the page that it comes from; programs that are no browser say nothing. */
interface FromPage {
  readonly headers: { readonly origin?: string | undefined, readonly host?: string | undefined, readonly 'sec-fetch-site'?: string | string[] | undefined }
  readonly protocol: string
}

/** Of a request that a page made: its origin, if it is one that may read here. */
export function allowedOrigin (allowed: OriginPolicy, { headers: { origin, host }, protocol }: FromPage): string | undefined {
  return origin !== undefined && allowed(origin, host, protocol === 'https') ? origin : undefined
}

/** @throws ProtocolError `forbidden` */
export function refuseForeignPage (allowed: OriginPolicy, request: FromPage): void {
  if (request.headers.origin === undefined || allowedOrigin(allowed, request) !== undefined) return
  throw new ProtocolError('forbidden', 'pages of this origin may not read here; the server lists those that may')
}

/** The origins that `ALLOWED_ORIGINS` names, a comma list. */
export function listedOrigins (list: string): ReadonlySet<string> {
  return new Set(list.split(',').map(origin => origin.trim()).filter(origin => origin !== ''))
}

/** @param list `ALLOWED_ORIGINS`: a comma list of origins, `*` for all */
export function originPolicy (list: string): OriginPolicy {
  const allowed = listedOrigins(list)
  return (origin, host, secure) => allowed.has('*') || allowed.has(origin) || sameHost(origin, host, secure)
}

/**
 * Whether a request, by what browsers say of it, may have been made with its cookies by a page that may use them: one of the same
 * origin, or one that is listed by its name, for which `*` is none. A browser says where a page is from with each request that
 * the page could read the answer of; a client that says nothing is none, and nobody's cookies come with it unasked.
 */
export function cookiesAllowed ({ headers: { origin, host, 'sec-fetch-site': site }, protocol }: FromPage, listed: ReadonlySet<string>): boolean {
  if (origin !== undefined && listed.has(origin)) return true
  return (origin === undefined || sameHost(origin, host, protocol === 'https')) && (site === undefined || site === 'same-origin')
}

/** An origin without a host (`null`, `file://`) is nobody's own, also where the request names no host either. */
function sameHost (origin: string, host: string | undefined, secure: boolean): boolean {
  if (host === undefined || host === '' || !URL.canParse(origin)) return false
  const page = new URL(origin)
  return page.host === host && (!secure || page.protocol === 'https:')
}
