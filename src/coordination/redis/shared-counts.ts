import type { Masters } from '../../log/redis/masters/masters.js'
import { timeLimit } from '../../log/redis/time-limit.js'
import { MemoryCoordination } from '../memory/memory-coordination.js'
import type { Count } from '../coordination.js'
import { scriptCommand } from './commands.js'
import type { CoordinationKeys } from './keys.js'

/** How long a Redis that did not answer is not asked again. */
const SILENCE_MS = 1000

const COUNTING_ALONE = 'requests are counted by this server alone until Redis answers again'

/** Counts of all nodes together, one round trip each. While Redis does not answer, this node counts alone. */
export class SharedCounts {
  private readonly own = new MemoryCoordination()
  private readonly command: (key: string, windowMs: number) => Promise<[count: number, endsInMs: number]>
  private failing = false
  /** Until then, in milliseconds since 1970, Redis is not asked. */
  private silentUntil = 0

  constructor (
    masters: Masters,
    private readonly keys: CoordinationKeys,
    private readonly patienceMs: number,
    private readonly onError: (error: unknown, message: string) => void
  ) {
    this.command = scriptCommand(masters, 'count', 1)
  }

  async count (key: string, windowMs: number): Promise<Count> {
    // Counts here, too: if Redis goes away, a client that has used up its count does not begin at 0 again.
    const own = await this.own.count(key, windowMs)
    const now = Date.now()
    if (now < this.silentUntil) return own
    // If Redis has failed, this request alone finds out whether it answers again; others do not wait for it.
    if (this.failing) this.silentUntil = now + SILENCE_MS
    try {
      const [count, endsInMs] = await timeLimit(this.command(this.keys.count(key), windowMs), this.patienceMs)
      this.failing = false
      this.silentUntil = 0
      return { count, endsInMs }
    } catch (error) {
      if (!this.failing) this.onError(error, COUNTING_ALONE)
      this.failing = true
      this.silentUntil = Date.now() + SILENCE_MS
      return own
    }
  }

  async close (): Promise<void> {
    await this.own.close()
  }
}
