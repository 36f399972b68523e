import type { Masters } from '../../log/redis/masters/masters.js'
import { timeLimit } from '../../log/redis/time-limit.js'
import { MemoryCoordination } from '../memory/memory-coordination.js'
import type { Count } from '../coordination.js'
import { scriptCommand } from './commands.js'
import type { CoordinationKeys } from './keys.js'

/** How long nothing is asked of a Redis that did not answer. */
const SILENCE_MS = 1000

/** Counts of all nodes, each by one round trip; while Redis does not answer, those of this node. */
export class SharedCounts {
  private readonly own = new MemoryCoordination()
  private readonly command: (key: string, windowMs: number) => Promise<[count: number, endsInMs: number]>
  private failing = false
  /** Milliseconds since 1970 until which nothing is asked. */
  private silentUntil = 0

  constructor (masters: Masters, private readonly keys: CoordinationKeys, private readonly patienceMs: number, private readonly onError: (error: unknown, message: string) => void) {
    this.command = scriptCommand(masters, 'count', 1)
  }

  async count (key: string, windowMs: number): Promise<Count> {
    // Always counted here too: who had used up what all grant is not let in anew because Redis goes away.
    const own = await this.own.count(key, windowMs)
    const now = Date.now()
    if (now < this.silentUntil) return own
    // One finds out whether it answers again; the others do not wait with it.
    if (this.failing) this.silentUntil = now + SILENCE_MS
    try {
      const [count, endsInMs] = await timeLimit(this.command(this.keys.count(key), windowMs), this.patienceMs)
      this.failing = false
      this.silentUntil = 0
      return { count, endsInMs }
    } catch (error) {
      if (!this.failing) this.onError(error, 'requests are counted by this server alone until Redis answers again')
      this.failing = true
      this.silentUntil = Date.now() + SILENCE_MS
      return own
    }
  }

  async close (): Promise<void> {
    await this.own.close()
  }
}
