import { setTimeout as delay } from 'node:timers/promises'
import { Fleet } from '../fleet/fleet.js'
import { Choices } from '../helpers/random.js'
import { FaultClient } from './client.js'
import type { Topic } from './topics.js'

/** One in so many takes all topics; the others some of them, by name. */
const ALL_EVERY = 10
const MOST_NAMED = 8
const WATCH_MS = 250
const LOOK_MS = 10

export interface FaultFleetOptions {
  readonly clients: number
  readonly topics: readonly Topic[]
  readonly origins: readonly string[]
  readonly heartbeatMs: number
  readonly seed: number
}

/** All clients of a run. */
export class FaultFleet extends Fleet<FaultClient> {
  private readonly watcher: NodeJS.Timeout

  constructor ({ clients, topics, origins, heartbeatMs, seed }: FaultFleetOptions) {
    super(Array.from({ length: clients }, (_, index) => {
      const random = new Choices(seed * 1000 + index)
      const own = index % ALL_EVERY === 0 ? topics : someOf(topics, random)
      const keys = own.map(({ key }) => key)
      const wanted = own === topics ? ['trades:*', 'quotes:*'] : keys
      const query = wanted.map(selector => `subscribe=${selector}`).join('&')
      return new FaultClient({ origins, heartbeatMs, random, name: `client ${index}`, topics: keys, query })
    }))
    this.watcher = setInterval(() => { for (const client of this.clients) client.watch() }, WATCH_MS)
  }

  /**
   * Resolves when every client has seen a message of each of its topics with at least that number.
   * @returns who has not
   */
  async haveSeen (numbers: ReadonlyMap<string, number>, timeoutMs: number): Promise<string[]> {
    const deadline = Date.now() + timeoutMs
    let waiting = this.clients
    for (;;) {
      waiting = waiting.filter(client => missing(client, numbers).length > 0)
      if (waiting.length === 0) return []
      if (Date.now() > deadline) break
      await delay(LOOK_MS)
    }
    return waiting.map(client => {
      const topics = missing(client, numbers).slice(0, 3).join(', ')
      return `${client.options.name} does not get on: ${topics} (${client.lately})`
    })
  }

  /** Whether clients come back to the node that they were connected to. */
  stay (stays: boolean): void {
    for (const client of this.clients) client.stays = stays
  }

  override close (): void {
    clearInterval(this.watcher)
    super.close()
  }
}

const someOf = (topics: readonly Topic[], random: Choices): readonly Topic[] =>
  [...new Set(Array.from({ length: random.integer(1, MOST_NAMED) }, () => random.pick(topics)))]

const missing = ({ witness, options }: FaultClient, numbers: ReadonlyMap<string, number>): string[] =>
  options.topics.filter(topic => witness.highest(topic) < numbers.get(topic)!)
    .map(topic => `${topic} is at ${witness.highest(topic)} of ${numbers.get(topic)!}`)
