import { firstThat } from '../entry-queue.js'
import type { Entry, KeptOrigin } from '../log.js'

/**
 * The origins of one output topic by processor: the newest, and older ones that become the newest if the log
 * loses the newest messages.
 */
export class OriginTrails {
  /** By processor, oldest first. */
  private readonly trails = new Map<string, KeptOrigin[]>()

  newest (processor: string): KeptOrigin | undefined {
    return this.trails.get(processor)?.at(-1)
  }

  add (origin: KeptOrigin): void {
    const trail = this.trails.get(origin.processor)
    if (trail === undefined) this.trails.set(origin.processor, [origin])
    else trail.push(origin)
  }

  withOrigin (entry: Entry): Entry {
    for (const trail of this.trails.values()) {
      const found = trail[firstThat(0, trail.length, index => trail[index]!.outputOffset >= entry.offset)]
      if (found?.outputOffset !== entry.offset) continue
      const { sequence: _sequence, outputOffset: _outputOffset, ...origin } = found
      return { ...entry, origin }
    }
    return entry
  }

  /**
   * Forgets origins that cannot become the newest again, because messages up to `offset` cannot be lost any
   * more.
   */
  settle (offset: number): void {
    for (const trail of this.trails.values()) {
      const later = trail.findIndex(({ outputOffset }) => outputOffset > offset)
      const settled = (later < 0 ? trail.length : later) - 1
      if (settled > 0) trail.splice(0, settled)
    }
  }

  loseBeyond (offset: number): void {
    for (const [processor, trail] of this.trails) {
      while (trail.length > 0 && trail.at(-1)!.outputOffset > offset) trail.pop()
      if (trail.length === 0) this.trails.delete(processor)
    }
  }
}
