import type { Leases } from './leases.js'
import type { NodeRegistry } from './node-registry.js'

/**
 * What the nodes of a deployment share beside the log: tickets that are used once, counts of requests,
 * questions to all nodes, leases of sources, and records of nodes. It is small and short-lived, and no
 * message is lost with it.
 */

export interface Count {
  /** The count of the current window, including this one. */
  readonly count: number
  /** Milliseconds until the next window begins. */
  readonly endsInMs: number
}

export interface Coordination {
  readonly leases: Leases
  readonly registry: NodeRegistry

  /**
   * Keeps a text until somebody takes it or it expires.
   * @throws ProtocolError `overloaded`, `log_unavailable`
   */
  put (key: string, text: string, seconds: number): Promise<void>

  /**
   * Reads a text and leaves it there; undefined as for {@link take}.
   * @throws ProtocolError `log_unavailable`
   */
  look (key: string): Promise<string | undefined>

  /**
   * Takes a text, so that nobody else can. Returns undefined if it was taken, has expired, or never existed.
   * @throws ProtocolError `log_unavailable`
   */
  take (key: string): Promise<string | undefined>

  /**
   * Adds one to the count of a key's window. If the other nodes cannot be reached, this node counts alone.
   */
  count (key: string, windowMs: number): Promise<Count>

  /**
   * Asks every node, including this one, and returns the answers that come within a time.
   * @throws ProtocolError `log_unavailable` if only this node could be asked
   */
  ask (question: string, withinMs: number): Promise<readonly string[]>

  /**
   * Sets how this node answers a question; the answer must be given at once. A question is JSON with a
   * `kind`. To a kind that it does not know, an answerer answers `''`. Returns a function that ends this.
   */
  answer (answer: (question: string) => string): () => void

  close (): Promise<void>
}
