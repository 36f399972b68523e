import type { Endpoint } from './address.js'

/**
 * Where the masters are. One Redis has one that stays; Sentinels know one that changes; the nodes of a Cluster know who holds
 * which slots. Whoever sends commands tells what it is told by servers, so that a change is known with the first command.
 */
export interface Topology {
  /** Whether keys belong to different masters. */
  readonly sharded: boolean
  /** Whether the one master is what the address says. */
  readonly fixed: boolean
  /** Resolves when the masters are known. @throws AtServer, LogSetupError */
  start (): Promise<void>
  /** Undefined while it is not known. */
  masterOf (slot: number): Endpoint | undefined
  /** All of them, each once. */
  masters (): readonly Endpoint[]
  /** A server has said where a slot is now. */
  moved (slot: number, to: Endpoint): void
  /** What is known may be over: it is looked up anew, at once. */
  refresh (): void
  /** Calls back when a master is another than before. */
  onChange (listener: () => void): void
  close (): void
}

/** One Redis, whatever it becomes. */
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
