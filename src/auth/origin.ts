/** Which web pages may use a person's credentials here: those of the same origin, and those that are listed. */
export type OriginPolicy = (origin: string, host: string | undefined) => boolean

/** @param list `ALLOWED_ORIGINS`: a comma list of origins, `*` for all */
export function originPolicy (list: string): OriginPolicy {
  const allowed = new Set(list.split(',').map(origin => origin.trim()).filter(origin => origin !== ''))
  return (origin, host) => allowed.has('*') || allowed.has(origin) || sameHost(origin, host)
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
