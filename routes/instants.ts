import { instantMs, ProtocolError, Timestamp } from '@tickwire/protocol'

const INSTANT = new RegExp(Timestamp().pattern!)

/**
 * Reads an instant of a query.
 * @returns milliseconds since 1970; undefined without a text
 * @throws ProtocolError `bad_request` if it is no instant
 */
export function parseInstant (name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (INSTANT.test(text)) return instantMs(text)
  const allowed = 'a real date and time with a zone: 2026-01-31T09:00:00Z, with + written as %2B'
  throw new ProtocolError('bad_request', `'${name}' must be ${allowed}`)
}
