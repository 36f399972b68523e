import { parseTopicKey } from '@tickwire/protocol'
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

  /** @param entry what says something of an instrument, which the directory knows by now */
  begin (entry: Entry): void {
    const { cursor, onMoved } = this.options
    cursor.hold(entry)
    void this.move(parseTopicKey(entry.topic).symbol!).finally(() => {
      cursor.release(entry)
      onMoved()
    })
  }

  /** Moves every instrument whose sets are not what the directory says, because the log lost messages. */
  settle (): void {
    const { directory, membership } = this.hub
    const symbols = new Set([...directory.instruments()].map(({ symbol }) => symbol).concat([...membership.members()]))
    for (const symbol of symbols) {
      if (membership.entrance(directory.instrument(symbol) ?? { symbol }) !== undefined) void this.move(symbol)
    }
  }

  private async move (symbol: string): Promise<void> {
    const { onError, over } = this.options
    const instrument = this.hub.directory.instrument(symbol) ?? { symbol }
    this.last = this.last.then(() => persist(() => moveInstrument(this.hub, instrument), over)).catch(onError)
    await this.last
  }
}
