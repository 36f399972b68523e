import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../helpers/clients.js'
import type { FleetClient } from './client.js'

const OPENED_AT_ONCE = 20
const SETTLE_TIMEOUT_MS = 60_000

/** All clients of a run, in this process. */
export class Fleet<Client extends FleetClient> {
  private over = false

  constructor (readonly clients: readonly Client[]) {}

  get connected (): number {
    return this.clients.filter(({ settled }) => settled).length
  }

  /** Opens the clients in groups, so that they do not all connect in one moment. */
  async open (everyMs = 10): Promise<void> {
    for (const [index, client] of this.clients.entries()) {
      if (this.over) return
      client.open()
      if ((index + 1) % OPENED_AT_ONCE === 0) await delay(everyMs)
    }
  }

  /** Resolves when every client has a cursor of its present connection. */
  async settled (): Promise<void> {
    await until('every client has a cursor', () => this.connected === this.clients.length, SETTLE_TIMEOUT_MS)
  }

  sum (of: (client: Client) => number): number {
    return this.clients.reduce((total, client) => total + of(client), 0)
  }

  close (): void {
    this.over = true
    for (const client of this.clients) client.close()
  }
}
