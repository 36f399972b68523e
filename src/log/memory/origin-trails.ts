import { firstThat } from '../entry-queue.js'
import type { Entry, KeptOrigin } from '../log.js'

/** So many forgotten origins are removed from an array at once: each removal moves all others. */
const REMOVED_AT_ONCE = 1000

/** Origins of one processor, oldest first. Those before `start` are forgotten. */
interface Trail {
  readonly origins: KeptOrigin[]
  start: number
}

/**
 * The origins of one output topic by processor: the newest, and older ones that become the newest if the log
 * loses the newest messages.
 */
export class OriginTrails {
  /** By processor. */
  private readonly trails = new Map<string, Trail>()

  newest (processor: string): KeptOrigin | undefined {
    return this.trails.get(processor)?.origins.at(-1)
  }

  get allNewest (): KeptOrigin[] {
    return Array.from(this.trails.values(), ({ origins }) => origins.at(-1)!)
  }

  add (origin: KeptOrigin): void {
    const trail = this.trails.get(origin.processor)
    if (trail === undefined) this.trails.set(origin.processor, { origins: [origin], start: 0 })
    else trail.origins.push(origin)
  }

  withOrigin (entry: Entry): Entry {
    for (const { origins, start } of this.trails.values()) {
      const found = origins[
        firstThat(start, origins.length, index => origins[index]!.outputOffset >= entry.offset)
      ]
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
      const { origins } = trail
      const last = origins.length - 1
      while (trail.start < last && origins[trail.start + 1]!.outputOffset <= offset) trail.start++
      if (trail.start < REMOVED_AT_ONCE) continue
      origins.splice(0, trail.start)
      trail.start = 0
    }
  }

  loseBeyond (offset: number): void {
    for (const [processor, { origins, start }] of this.trails) {
      while (origins.length > start && origins.at(-1)!.outputOffset > offset) origins.pop()
      if (origins.length === start) this.trails.delete(processor)
    }
  }
}
