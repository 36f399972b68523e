import type { Kind } from './backing.js'
import type { World } from './world.js'

/** What goes wrong in a run. It returns when its cause is removed; that all goes on is waited for outside. */
export interface Fault {
  readonly name: string
  readonly about: string
  /** What the log may be on. */
  readonly on: readonly Kind[]
  /**
   * Whether acknowledged messages are lost; only then does any reset occur. `perhaps`: only messages that
   * were on their way when a master ended can be lost.
   */
  readonly loses: boolean | 'perhaps'
  run (world: World): Promise<void>
}
