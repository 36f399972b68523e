import type { Leases } from './leases.js'
import type { NodeRegistry } from './node-registry.js'

/**
 * What the nodes of a deployment know together beside the log: tickets that are used once, counts of requests, questions that
 * one asks all, who runs which source, and who is there. Small, short-lived, and lost without harm to any message.
 */

export interface Count {
  /** Of the window that goes on now, this one too. */
  readonly count: number
  /** Milliseconds until the next window begins. */
  readonly endsInMs: number
}

export interface Coordination {
  readonly leases: Leases
  readonly registry: NodeRegistry

  /** Keeps a text for whoever takes it first. @throws ProtocolError `overloaded`, `log_unavailable` */
  put (key: string, text: string, seconds: number): Promise<void>

  /** The text, which is left for whoever takes it; undefined as for {@link take}. @throws ProtocolError `log_unavailable` */
  look (key: string): Promise<string | undefined>

  /** The text, once; undefined where it was taken, has expired, or never was. @throws ProtocolError `log_unavailable` */
  take (key: string): Promise<string | undefined>

  /** Counts one more in the window of a key. Where the others cannot be reached, this node counts alone. */
  count (key: string, windowMs: number): Promise<Count>

  /**
   * Asks every node, this one too, and gathers what they answer within a time; who does not answer in it has said nothing.
   * @throws ProtocolError `log_unavailable`: this node has been asked, and the others could not be
   */
  ask (question: string, withinMs: number): Promise<readonly string[]>

  /**
   * How this node answers what is asked, at once. A question is JSON with a `kind`; what does not know the kind answers with nothing (`''`).
   * Returns the function that ends it.
   */
  answer (answer: (question: string) => string): () => void

  close (): Promise<void>
}
