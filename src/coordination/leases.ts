/** What stands of a lease: who has it, and whether it may be had. */
export interface Lease {
  /** The node that has it; undefined while none has. */
  readonly holder: string | undefined
  /** What the holder says of it; empty while there is none. */
  readonly note: string
  /** What an operator has said, or whoever was done with it; undefined where nobody has. */
  readonly switched: boolean | undefined
}

/** What {@link Leases.hold} is asked with. */
export interface Hold {
  readonly node: string
  readonly note: string
  /** How long it is had from now on, unless it is held again before. */
  readonly forMs: number
  /** Whether it may be had while no operator has said so or otherwise. */
  readonly byDefault: boolean
}

/** What was switched is remembered while some node looks at it, and so long beyond. */
export const SWITCH_KEPT_SECONDS = 86_400

/**
 * Roles that one node has at a time, each for some time. A node that was stopped may believe that it has one still: what must not be
 * done twice needs a fence beside it (`Log.raise`).
 */
export interface Leases {
  /** Takes a lease that nobody has, or keeps it; not while it is switched off. @returns how it stands then @throws ProtocolError `log_unavailable` */
  hold (name: string, hold: Hold): Promise<Lease>

  /** @throws ProtocolError `log_unavailable` */
  look (name: string): Promise<Lease>

  /** Gives it up where the node has it. @param off it is switched off as well: what it was held for is done @throws ProtocolError `log_unavailable` */
  release (name: string, node: string, off: boolean): Promise<void>

  /** Lets it be had, or not, or forgets that: whoever has it sees that when it holds it again. @throws ProtocolError `log_unavailable` */
  turn (name: string, on: boolean | undefined): Promise<void>
}
