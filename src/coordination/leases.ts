/** The state of a lease: who holds it, and whether it may be held. */
export interface Lease {
  /** The node that holds it; undefined if none does. */
  readonly holder: string | undefined
  /** What the holder says of it; empty if there is no holder. */
  readonly note: string
  /** What an operator, or a holder that was done, has switched it to; undefined if nobody has. */
  readonly switched: boolean | undefined
}

/** The arguments of {@link Leases.hold}. */
export interface Hold {
  readonly node: string
  readonly note: string
  /** How long the node holds it from now on, unless it holds it again before. */
  readonly forMs: number
  /** Whether it may be held while nobody has switched it. */
  readonly byDefault: boolean
}

/** A switch is remembered for this long after a node last looked at it. */
export const SWITCH_KEPT_SECONDS = 86_400

/**
 * Roles that one node at a time holds, for some time. A node that was stopped may still believe that it holds
 * one. So work that must not be done twice needs a fence, too (`Log.raise`).
 */
export interface Leases {
  /**
   * Takes a lease that nobody holds, or keeps the node's own, unless it is switched off.
   * @returns the lease after that
   * @throws ProtocolError `log_unavailable`
   */
  hold (name: string, hold: Hold): Promise<Lease>

  /** Reads a lease. @throws ProtocolError `log_unavailable` */
  look (name: string): Promise<Lease>

  /**
   * Gives up a lease if the node holds it.
   * @param off whether it is switched off as well, because its work is done
   * @throws ProtocolError `log_unavailable`
   */
  release (name: string, node: string, off: boolean): Promise<void>

  /**
   * Switches a lease on or off, or forgets its switch. The holder sees that when it holds the lease again.
   * @throws ProtocolError `log_unavailable`
   */
  turn (name: string, on: boolean | undefined): Promise<void>
}
