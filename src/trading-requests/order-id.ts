import { createHash } from 'node:crypto'

/** How much of the hash is the id. */
const ID_BYTES = 16

/**
 * Returns the id of a user's order (PROTOCOL.md, Orders). It follows from what the client sent, so a request
 * that the log has lost makes an order of the same id when it comes again. The lengths keep the order of one
 * user from having the id of another's, whatever characters the names have.
 */
export function orderIdOf (user: string, clientOrderId: string): string {
  const hash = createHash('sha256')
  for (const text of [user, clientOrderId]) hash.update(`${Buffer.byteLength(text)}:${text}`)
  return hash.digest().subarray(0, ID_BYTES).toString('base64url')
}
