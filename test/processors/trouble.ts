import { setTimeout as delay } from 'node:timers/promises'
import type { NodeProcess } from '../fleet/node-process.js'
import type { Choices } from '../helpers/random.js'

/** What may be done to a server. */
const DEEDS = ['kill', 'stop', 'end'] as const

export interface TroubleOptions {
  readonly random: Choices
  readonly seconds: number
  /** Returns the server that is next, and whether it runs what the test is about. */
  next (): Promise<{ readonly node: NodeProcess, readonly isHolder?: boolean }>
  /** What is drawn from; what stands there twice is done twice as often. Default: each of {@link DEEDS}. */
  readonly deeds?: ReadonlyArray<typeof DEEDS[number]>
}

/**
 * Kills servers, stops them for a while, and ends them, one after another; each comes back.
 * @returns what was done to which server; a star marks the holder
 */
export async function troubleServers (
  { random, seconds, next, deeds = DEEDS }: TroubleOptions
): Promise<string[]> {
  const happened: string[] = []
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await delay(random.integer(500, 2500))) {
    const { node, isHolder = false } = await next()
    const deed = random.pick(deeds)
    happened.push(`${deed} ${node.name}${isHolder ? '*' : ''}`)
    if (deed === 'stop') {
      // Longer than its leases last, so that it goes on as if it still had them.
      node.signal('SIGSTOP')
      await delay(random.integer(500, 4500))
      node.signal('SIGCONT')
    } else {
      if (deed === 'end') {
        node.signal('SIGTERM')
        await delay(300)
      }
      await node.kill()
      await node.start()
    }
  }
  return happened
}
