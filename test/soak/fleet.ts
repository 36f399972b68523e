import { setTimeout as delay } from 'node:timers/promises'
import { Choices } from '../helpers/random.js'
import { type ClientOptions, SoakClient, type Tally } from './client.js'
import { PollAgent } from './wires.js'

/** How many are opened a second: all at once would be another test. */
const OPENED_PER_S = 200

export interface FleetOptions extends Omit<ClientOptions, 'name' | 'random' | 'polls' | 'bulk'> {
  readonly clients: number
  readonly seed: number
  /** One client of so many reads all that is large. */
  readonly bulkEvery: number
}

/** All clients of a soak, in this process. */
export class Fleet {
  readonly tally: Tally = { connected: 0, connects: 0, resumes: 0, stalls: 0, drops: 0, lost: 0, lagged: 0, resets: {}, faults: 0, shown: [] }
  readonly clients: readonly SoakClient[]
  private readonly polls = new PollAgent()
  private left = false

  constructor (options: FleetOptions) {
    const { clients, seed, bulkEvery, ...common } = options
    this.clients = Array.from({ length: clients }, (_, index) => new SoakClient({
      ...common, name: `c${index}`, random: new Choices(seed * 100_003 + index), polls: this.polls, bulk: index % bulkEvery === 0
    }, this.tally))
  }

  /** Data messages that came to all. */
  get delivered (): number {
    return this.clients.reduce((sum, { ledger }) => sum + ledger.received, 0)
  }

  async open (): Promise<void> {
    for (const [index, client] of this.clients.entries()) {
      if (this.left) return
      client.open()
      if (index % (OPENED_PER_S / 10) === OPENED_PER_S / 10 - 1) await delay(100)
    }
  }

  watch (): void {
    const now = Date.now()
    for (const client of this.clients) client.watch(now)
  }

  leave (): void {
    this.left = true
    for (const client of this.clients) client.leave()
    this.polls.destroy()
  }
}
