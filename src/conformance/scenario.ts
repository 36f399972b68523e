import type { Play } from './play.js'
import type { Setup, Transport } from './setup.js'

/** One step of a script; it throws a Failure if the client does not play along. */
export type Step = (play: Play) => Promise<void>

export interface Scenario extends Setup {
  /** `group/name`. */
  readonly name: string
  /** Behind "The client must …". */
  readonly must: string
  /** The clause of PROTOCOL.md that says so, or the page under docs and its paragraph. */
  readonly clause: string
  /** The scenario runs once over each of these; default all. */
  readonly over?: readonly Transport[]
  /** The scenario runs once, with a client that may use these, the first one first. */
  readonly allows?: readonly Transport[]
  readonly steps: readonly Step[]
}
