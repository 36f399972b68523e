import type { Instrument } from '@tickwire/protocol'
import type { Entry } from '../../log/log.js'
import { moveInstrument } from './entrances.js'
import type { HubParts } from '../hub-parts.js'
import type { LiveCursor } from '../shards/live-cursor.js'
import { persist } from '../persist.js'

export interface InstrumentMovesOptions {
  /** It stays before the message of an instrument until the instrument is in its new sets. */
  readonly cursor: LiveCursor
  readonly onMoved: () => void
  readonly onError: (error: unknown) => void
  /** Whether the hub has closed. */
  readonly isClosed: () => boolean
}

/** Moves instruments between sets, one after another. */
export class InstrumentMoves {
  private last: Promise<void> = Promise.resolve()

  constructor (private readonly hub: HubParts, private readonly options: InstrumentMovesOptions) {}

  /**
   * Moves an instrument once those before it have been moved.
   * @param entry its message, which names its sets
   */
  enqueue (entry: Entry): void {
    const { cursor, onMoved, onError, isClosed } = this.options
    cursor.stayBefore(entry)
    const move = (): Promise<void> => moveInstrument(this.hub, JSON.parse(entry.payload) as Instrument)
    this.last = this.last.then(() => persist(move, isClosed))
      .catch(onError)
      .finally(() => {
        cursor.release(entry)
        onMoved()
      })
  }
}
