import { readFileSync } from 'node:fs'
import type { Masters } from '../../log/redis/masters/masters.js'
import { timeLimit } from '../../log/redis/time-limit.js'
import { MemoryStore } from '../memory.js'
import type { Count } from '../store.js'
import type { StoreKeys } from './keys.js'

/** How long a request waits for what all nodes have counted; Redis answers in a fraction of a millisecond. */
const PATIENCE_MS = 50
/** How long nothing is asked of a Redis that did not answer. */
const SILENCE_MS = 1000

const script = readFileSync(new URL('count.lua', import.meta.url), 'utf8')

/** As `defineCommand` makes it: the script goes along with the first use of a connection. */
interface Counting {
  tickwire_count (key: string, windowMs: number): Promise<[count: number, endsInMs: number]>
}

/** Counts of all nodes, each by one round trip; while Redis does not answer, those of this node. */
export class SharedCounts {
  private readonly own = new MemoryStore()
  private failing = false
  /** Milliseconds since 1970 until which nothing is asked. */
  private silentUntil = 0

  constructor (private readonly masters: Masters, private readonly keys: StoreKeys, private readonly onError: (error: unknown, message: string) => void) {
    masters.each(redis => { redis.defineCommand('tickwire_count', { lua: script, numberOfKeys: 1 }) })
  }

  async count (key: string, windowMs: number): Promise<Count> {
    // Always counted here too: who had used up what all grant is not let in anew because Redis goes away.
    const own = await this.own.count(key, windowMs)
    const now = Date.now()
    if (now < this.silentUntil) return own
    // One finds out whether it answers again; the others do not wait with it.
    if (this.failing) this.silentUntil = now + SILENCE_MS
    const name = this.keys.count(key)
    try {
      const [count, endsInMs] = await timeLimit(this.masters.send(name, redis => (redis as unknown as Counting).tickwire_count(name, windowMs)), PATIENCE_MS)
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
