import { preferencesOf } from './preferences.js'

const CODINGS: ReadonlySet<string> = new Set(['gzip', 'x-gzip'])

/** Returns whether an `Accept-Encoding` header names gzip with a weight above 0 (RFC 9110, 12.5.3). */
export function acceptsGzip (header: string | string[] | undefined): boolean {
  return preferencesOf(header).some(({ name, weight }) => CODINGS.has(name) && weight > 0)
}
