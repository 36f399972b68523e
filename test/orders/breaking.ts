import { setTimeout as delay } from 'node:timers/promises'
import type { NodeProcess } from '../fleet/node-process.js'
import type { Choices } from '../helpers/random.js'
import type { RedisServer } from '../helpers/redis-server.js'

/** What happens to servers and Redis while orders are sent. */

/** How long what was ended is away, in milliseconds. */
const AWAY_MS = [0, 1500] as const
const PAUSE_MS = [300, 1500] as const

export interface Breakable {
  readonly nodes: readonly NodeProcess[]
  readonly redis: RedisServer
  readonly random: Choices
}

export const breakageNames = ['kill -9 of a node', 'SIGTERM to a node', 'kill -9 of Redis'] as const
export type BreakageName = typeof breakageNames[number]

/** Ends something, and starts it again. */
async function happen (name: BreakageName, { nodes, redis, random }: Breakable): Promise<void> {
  const node = random.pick(nodes)
  switch (name) {
    case 'kill -9 of a node':
      await node.kill()
      await delay(random.integer(...AWAY_MS))
      await node.start()
      break
    case 'SIGTERM to a node':
      await node.stop()
      await delay(random.integer(...AWAY_MS))
      await node.start()
      break
    case 'kill -9 of Redis':
      await redis.kill()
      await delay(random.integer(...AWAY_MS))
      await redis.start()
      break
  }
}

/** Breaks one thing after another. */
export class Breaking {
  readonly counts = new Map<BreakageName, number>()
  /** Why it has ended by itself. */
  failure: string | undefined
  private over = false
  private running: Promise<void> = Promise.resolve()

  constructor (private readonly breakable: Breakable, private readonly say: (line: string) => void) {}

  get eachHappened (): boolean {
    return this.counts.size === breakageNames.length
  }

  start (): void {
    this.running = this.run().catch((error: unknown) => { this.failure = String(error) })
  }

  /** Ends when what is under way is up again. */
  async stop (): Promise<void> {
    this.over = true
    await this.running
  }

  private async run (): Promise<void> {
    const { random } = this.breakable
    // Each kind once, in any order, and then by chance.
    const first: BreakageName[] = [...breakageNames]
    while (!this.over) {
      await delay(random.integer(...PAUSE_MS))
      const name = random.pick(first.length > 0 ? first : breakageNames)
      if (first.length > 0) first.splice(first.indexOf(name), 1)
      const began = Date.now()
      await happen(name, this.breakable)
      this.say(`${name}: up again after ${Date.now() - began} ms`)
      this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
    }
  }
}
