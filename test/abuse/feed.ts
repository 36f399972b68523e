import { setTimeout as delay } from 'node:timers/promises'
import { PATIENT_MS, publishTo } from '../fleet/publish.js'
import { LARGE_TOPIC, MOVING_SYMBOLS } from './attacks.js'

const STEP_MS = 100
const LARGE_LEVELS = 1000
const LARGE_BEFORE = 100

/** Large messages, and many that move: what attacks read, or do not. */
export class Feed {
  private turn = 0
  private over = false
  private running: Promise<void> = Promise.resolve()

  constructor (private readonly origin: string, private readonly token: string) {}

  /** Gives the topics a history. */
  async begin (): Promise<void> {
    for (let batch = 0; batch < 4; batch++) {
      await this.publish(Array.from({ length: LARGE_BEFORE / 4 }, () => this.large()))
    }
    await this.publish(Array.from({ length: MOVING_SYMBOLS }, (_, index) => this.moving(index)))
    this.running = this.run()
    // Whoever ends it is told.
    this.running.catch(() => {})
  }

  async end (): Promise<void> {
    this.over = true
    await this.running
  }

  private async run (): Promise<void> {
    while (!this.over) {
      const first = this.turn * 20
      const moving = Array.from({ length: 20 }, (_, index) => this.moving(first + index))
      await this.publish([this.large(), this.large(), ...moving])
      await delay(STEP_MS)
    }
  }

  private large (): object {
    this.turn++
    const size = String(this.turn)
    const levels = Array.from({ length: LARGE_LEVELS }, (_, index) => [String(1000 + index), size])
    const symbol = LARGE_TOPIC.split(':')[1]
    return { channel: 'book', symbol, data: { symbol, bids: levels, asks: levels } }
  }

  private moving (index: number): object {
    const symbol = `S${index % MOVING_SYMBOLS}`
    return { channel: 'quotes', symbol, data: { symbol, bid: String(this.turn) } }
  }

  private async publish (items: readonly object[]): Promise<void> {
    const { rejected } = await publishTo(this.origin, this.token, items, PATIENT_MS)
    if (rejected?.length !== 0) throw new Error(`the feed was refused: ${JSON.stringify(rejected?.[0])}`)
  }
}
