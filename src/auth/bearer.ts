import { ProtocolError } from '@tickwire/protocol'
import { NOT_A_JWT } from './token-fault.js'

const BEARER = /^Bearer +(.*)$/i
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/

/**
 * Returns the token of an `Authorization` header.
 * @throws ProtocolError `unauthorized`: the header holds something else
 */
export function bearerToken (header: string): string {
  const token = BEARER.exec(header)?.[1]
  if (token === undefined) {
    throw new ProtocolError('unauthorized', "Authorization must be 'Bearer' and a token")
  }
  if (!JWT.test(token)) throw new ProtocolError('unauthorized', NOT_A_JWT)
  return token
}
