import type { Coordination } from '../coordination/coordination.js'
import type { Address, Registry } from './registry.js'

/** How long the nodes may take to say whether they had what is to be ended. */
const PATIENCE_MS = 1000

const KIND = 'disconnect'

/** Has this node end what any node wants to have ended. Returns the function that stops it. */
export function answerDisconnects (coordination: Coordination, registry: Registry): () => void {
  return coordination.answer(question => {
    const { kind, address } = JSON.parse(question) as { readonly kind?: unknown, readonly address: Address }
    if (kind !== KIND) return ''
    return String(registry.close(address, { code: 'going_away', message: 'an operator closed the connection' }))
  })
}

/**
 * Ends a connection or a held poll, or all of a user, on whichever node they are.
 * @returns whether any node had one
 * @throws ProtocolError `log_unavailable`: those of this node are ended, the others could not be asked
 */
export async function disconnect (coordination: Coordination, address: Address): Promise<boolean> {
  const answers = await coordination.ask(JSON.stringify({ kind: KIND, address }), PATIENCE_MS)
  return answers.some(count => Number(count) > 0)
}
