import type { Coordination } from '../coordination/coordination.js'
import type { Address, Registry } from './registry.js'

/** How long the other nodes may take to say whether they had a connection at the address. */
const PATIENCE_MS = 1000

const KIND = 'disconnect'

/**
 * Makes this node close its own connections when any node asks to disconnect an address. Returns the
 * function that ends this.
 */
export function answerDisconnects (coordination: Coordination, registry: Registry): () => void {
  return coordination.answer(question => {
    const { kind, address } = JSON.parse(question) as { readonly kind?: unknown, readonly address: Address }
    if (kind !== KIND) return ''
    const message = 'an operator closed the connection'
    return String(registry.close(address, { code: 'going_away', message }))
  })
}

/**
 * Closes one connection or held poll, or all those of a user, on whichever nodes they are.
 * @returns whether any node had one
 * @throws ProtocolError `log_unavailable`: this node closed its own, but could not ask the others
 */
export async function disconnect (coordination: Coordination, address: Address): Promise<boolean> {
  const answers = await coordination.ask(JSON.stringify({ kind: KIND, address }), PATIENCE_MS)
  return answers.some(count => Number(count) > 0)
}
