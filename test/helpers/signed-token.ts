import { createHmac } from 'node:crypto'

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A token as whoever knows the secret makes it. @param seconds until it ends; negative: it has */
export function signedToken (claims: object, seconds = 300, secret = 'a secret for tests only'): string {
  const body = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ exp: Math.floor(Date.now() / 1000) + seconds, iss: 'tickwire', aud: 'tickwire', ...claims })}`
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`
}
