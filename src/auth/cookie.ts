import { ProtocolError } from '@tickwire/protocol'

/**
 * The cookie of `GET /api/ws/token?cookie=1` holds the token itself. It serves a native EventSource, which
 * cannot send headers and reconnects to the same URL, where a ticket would be spent (docs/adr/0021).
 */
const NAME = 'tickwire'

/** Browsers keep no cookie of more than 4096 bytes; some may count its name and attributes. */
const MAX_TOKEN_LENGTH = 3800

export interface CookieScope {
  /** The path of the stream. */
  readonly path: string
  readonly secure: boolean
}

/**
 * Makes the value of `Set-Cookie`.
 * @param endsAt milliseconds since 1970
 * @throws ProtocolError `message_too_big`
 */
export function makeCookie (token: string, scope: CookieScope, endsAt: number): string {
  if (token.length > MAX_TOKEN_LENGTH) {
    throw new ProtocolError('message_too_big', 'the token is longer than a cookie can be; use the ticket')
  }
  return setCookie(token, scope, Math.max(0, Math.floor((endsAt - Date.now()) / 1000)))
}

/** Makes the value of `Set-Cookie` that has the browser delete the cookie. */
export const endedCookie = (scope: CookieScope): string => setCookie('', scope, 0)

const setCookie = (value: string, { path, secure }: CookieScope, seconds: number): string =>
  `${NAME}=${value}; Path=${path}; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`

/**
 * Returns the token in a request's cookies; undefined if there is none.
 * @throws ProtocolError `unauthorized`: there are several, so somebody other than this server has set
 *   at least one of them
 */
export function readCookie (header: string | undefined): string | undefined {
  const values = (header ?? '').split(';').flatMap(pair => {
    const [name, value] = pair.trim().split('=', 2)
    return name === NAME && value !== undefined ? [value] : []
  })
  if (values.length > 1) throw new ProtocolError('unauthorized', 'there is more than one cookie with a token')
  return values[0]
}
