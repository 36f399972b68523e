import type { Endpoint } from './address.js'

/**
 * Where the masters are. A single Redis has one master that stays. Sentinels know one that changes. The nodes
 * of a Cluster know which master holds which slots. Whoever sends commands passes on what servers say of
 * moved slots, so that the first command that meets a change makes it known.
 */
export interface Topology {
  /** Whether keys belong to different masters. */
  readonly sharded: boolean
  /** Whether the one master is the one that the address names. */
  readonly fixed: boolean
  /** Finds the masters. @throws AtServer, LogSetupError */
  start (): Promise<void>
  /** Returns undefined while the master is not known. */
  masterOf (slot: number): Endpoint | undefined
  /** Returns all masters, each once. */
  masters (): readonly Endpoint[]
  /** Notes that a server has said where a slot is now. */
  moved (slot: number, to: Endpoint): void
  /** Looks soon for the masters again, because what is known may be outdated. */
  refresh (): void
  /** Calls `listener` when a master has changed. */
  onChange (listener: () => void): void
  close (): void
}

/** One Redis, whatever role it takes. */
export class SingleTopology implements Topology {
  readonly sharded = false
  readonly fixed = true

  constructor (private readonly endpoint: Endpoint) {}

  async start (): Promise<void> {}
  masterOf (): Endpoint { return this.endpoint }
  masters (): readonly Endpoint[] { return [this.endpoint] }
  moved (): void {}
  refresh (): void {}
  onChange (): void {}
  close (): void {}
}
