import type { Instrument } from '@tickwire/protocol'
import type { Entry } from '../../log/log.js'
import { moveInstrument } from './entrances.js'
import type { HubParts } from '../hub-parts.js'
import type { LiveCursor } from '../shards/live-cursor.js'
import { persist } from '../persist.js'

export interface InstrumentMovesOptions {
  /** Stays before an instrument until it is in its new sets. */
  readonly cursor: LiveCursor
  readonly onMoved: () => void
  readonly onError: (error: unknown) => void
  /** Whether there is nobody to do it for any more. */
  readonly over: () => boolean
}

/** Moves instruments between sets, one after another. */
export class InstrumentMoves {
  private last: Promise<void> = Promise.resolve()

  constructor (private readonly hub: HubParts, private readonly options: InstrumentMovesOptions) {}

  /** @param entry what says in which sets an instrument is now */
  begin (entry: Entry): void {
    const { cursor, onMoved, onError, over } = this.options
    cursor.stayBefore(entry)
    this.last = this.last.then(() => persist(() => moveInstrument(this.hub, JSON.parse(entry.payload) as Instrument), over))
      .catch(onError)
      .finally(() => {
        cursor.release(entry)
        onMoved()
      })
  }
}
