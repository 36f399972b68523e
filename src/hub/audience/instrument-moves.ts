import { parseTopicKey } from '@tickwire/protocol'
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
   * @param entry a message of an instrument's topic, which the directory has read already
   */
  enqueue (entry: Entry): void {
    const { cursor, onMoved } = this.options
    cursor.stayBefore(entry)
    void this.move(parseTopicKey(entry.topic).symbol!).finally(() => {
      cursor.release(entry)
      onMoved()
    })
  }

  /** Moves every instrument whose sets differ from the directory, which happens if the log loses messages. */
  settle (): void {
    const { directory, membership } = this.hub
    const known = [...directory.instruments()].map(({ symbol }) => symbol)
    for (const symbol of new Set([...known, ...membership.members()])) {
      const instrument = directory.instrument(symbol) ?? { symbol }
      if (membership.entrance(instrument) !== undefined) void this.move(symbol)
    }
  }

  private async move (symbol: string): Promise<void> {
    const { onError, isClosed } = this.options
    const instrument = this.hub.directory.instrument(symbol) ?? { symbol }
    const move = (): Promise<void> => moveInstrument(this.hub, instrument)
    this.last = this.last.then(() => persist(move, isClosed)).catch(onError)
    await this.last
  }
}
