import { ProtocolError } from '@tickwire/protocol'

const BEARER = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i

/** The token of an `Authorization` header. @throws ProtocolError `unauthorized`: it holds something else */
export function bearerToken (header: string): string {
  const token = BEARER.exec(header)?.[1]
  if (token === undefined) throw new ProtocolError('unauthorized', 'Authorization is not a bearer token')
  return token
}
