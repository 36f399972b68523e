import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../helpers/clients.js'
import { Choices } from '../helpers/random.js'
import { FaultClient } from './client.js'
import type { Topic } from './topics.js'

/** One in so many takes all topics; the others some of them, by name. */
const ALL_EVERY = 10
const MOST_NAMED = 8
const WATCH_MS = 250
const LOOK_MS = 10
/** Connections are not all opened in one moment. */
const OPEN_AT_ONCE = 25

export interface FleetOptions {
  readonly clients: number
  readonly topics: readonly Topic[]
  readonly origins: readonly string[]
  readonly heartbeatMs: number
  readonly seed: number
}

/** All clients of a run. */
export class Fleet {
  readonly clients: FaultClient[]
  private readonly watcher: NodeJS.Timeout

  constructor ({ clients, topics, origins, heartbeatMs, seed }: FleetOptions) {
    this.clients = Array.from({ length: clients }, (_, index) => {
      const random = new Choices(seed * 1000 + index)
      const common = { origins, heartbeatMs, random }
      if (index % ALL_EVERY === 0) return new FaultClient({ ...common, name: `client ${index}`, topics: topics.map(({ key }) => key), query: 'subscribe=trades:*&subscribe=quotes:*' })
      const own = new Set(Array.from({ length: random.integer(1, MOST_NAMED) }, () => random.pick(topics)))
      return new FaultClient({ ...common, name: `client ${index}`, topics: [...own].map(({ key }) => key), query: [...own].map(({ key }) => `subscribe=${key}`).join('&') })
    })
    this.watcher = setInterval(() => { for (const client of this.clients) client.watch() }, WATCH_MS)
  }

  /** Resolves when every client has a cursor: from then on none ever begins anew. */
  async open (): Promise<void> {
    for (const [index, client] of this.clients.entries()) {
      client.open()
      if (index % OPEN_AT_ONCE === 0) await delay(LOOK_MS)
    }
    await until('every client has a first cursor', () => this.clients.every(({ cursor }) => cursor !== undefined), 30_000)
  }

  /** Resolves when every client has seen a message of each of its topics with at least that number. @returns who has not */
  async haveSeen (numbers: ReadonlyMap<string, number>, timeoutMs: number): Promise<string[]> {
    const deadline = Date.now() + timeoutMs
    let waiting = this.clients
    for (;;) {
      waiting = waiting.filter(client => missing(client, numbers).length > 0)
      if (waiting.length === 0) return []
      if (Date.now() > deadline) return waiting.map(client => `${client.options.name} does not get on: ${missing(client, numbers).slice(0, 3).join(', ')} (${client.lately})`)
      await delay(LOOK_MS)
    }
  }

  /** Whether clients come back to the node that they were connected to. */
  stay (stays: boolean): void {
    for (const client of this.clients) client.stays = stays
  }

  close (): void {
    clearInterval(this.watcher)
    for (const client of this.clients) client.close()
  }
}

const missing = ({ witness, options }: FaultClient, numbers: ReadonlyMap<string, number>): string[] =>
  options.topics.flatMap(topic => witness.highest(topic) >= numbers.get(topic)! ? [] : [`${topic} is at ${witness.highest(topic)} of ${numbers.get(topic)!}`])
