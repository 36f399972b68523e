import { setTimeout as delay } from 'node:timers/promises'
import { publish, type TestServer } from './server.js'

const PAUSE_MS = 3

/** A trade of the symbol A that its price tells from others. */
export const trade = (price: number): object =>
  ({ symbol: 'A', price: String(price), size: '1', timestamp: '2026-01-01T00:00:00Z' })

/** Publishes numbered trades until it is stopped. */
export class TradesFeed {
  count = 0
  private stopped = false
  private readonly running: Promise<void>

  constructor (server: TestServer) {
    this.running = this.run(server)
  }

  get numbers (): string[] {
    return Array.from({ length: this.count }, (_, at) => String(at + 1))
  }

  async stop (): Promise<void> {
    this.stopped = true
    await this.running
  }

  private async run ({ app }: TestServer): Promise<void> {
    while (!this.stopped) {
      await publish(app, 'trades', 'A', trade(this.count + 1))
      this.count++
      await delay(PAUSE_MS)
    }
  }
}
