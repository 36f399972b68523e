import type { IncomingHttpHeaders } from 'node:http'

/** Which web pages may use a person's credentials here: those of the same origin, and those that are listed. */
export type OriginPolicy = (origin: string, host: string | undefined) => boolean

/** The origins that `ALLOWED_ORIGINS` names, a comma list. */
export function listedOrigins (list: string): ReadonlySet<string> {
  return new Set(list.split(',').map(origin => origin.trim()).filter(origin => origin !== ''))
}

/** @param list `ALLOWED_ORIGINS`: a comma list of origins, `*` for all */
export function originPolicy (list: string): OriginPolicy {
  const allowed = listedOrigins(list)
  return (origin, host) => allowed.has('*') || allowed.has(origin) || sameHost(origin, host)
}

/**
 * Whether a request, by what browsers say of it, may have been made with its cookies by a page that may use them: one of the same
 * origin, or one that is listed by its name, for which `*` is none. A browser says where a page is from with each request that
 * the page could read the answer of; a client that says nothing is none, and nobody's cookies come with it unasked.
 */
export function cookiesAllowed ({ origin, host, 'sec-fetch-site': site }: IncomingHttpHeaders, listed: ReadonlySet<string>): boolean {
  if (origin !== undefined && listed.has(origin)) return true
  return (origin === undefined || sameHost(origin, host)) && (site === undefined || site === 'same-origin')
}

/** An origin without a host (`null`, `file://`) is nobody's own, also where the request names no host either. */
function sameHost (origin: string, host: string | undefined): boolean {
  return host !== undefined && host !== '' && originHost(origin) === host
}

function originHost (origin: string): string | undefined {
  try {
    return new URL(origin).host
  } catch {
    return undefined
  }
}
