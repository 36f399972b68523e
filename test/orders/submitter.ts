import { setTimeout as delay } from 'node:timers/promises'
import type { Message } from '../helpers/wires.js'
import type { PlannedOrder } from './plan.js'
import type { Desk, Request } from './ways.js'

/** Requests of so many orders are under way at most. */
const MOST_UNDER_WAY = 400
const LOOK_MS = 5
const MOST_COPIES_OF_A_SEQUEL = 3

/** An order with every answer that its user got. */
export interface SentOrder {
  readonly planned: PlannedOrder
  /** One for each copy. */
  readonly answers: readonly Message[]
  /** The same of what came after it. */
  readonly sequelAnswers: readonly Message[]
}

/** Sends all orders of a plan. */
export class Submitter {
  readonly sent: SentOrder[] = []
  readonly failures: string[] = []
  begun = 0
  private underWay = 0
  /** Whether it has been abandoned. */
  isOver = false

  /** @param desks by user */
  constructor (private readonly desks: ReadonlyMap<string, Desk>) {}

  /**
   * Sends orders at a steady rate. Returns when each of their requests is answered.
   * @param rate orders a second
   */
  async send (orders: readonly PlannedOrder[], rate: number): Promise<void> {
    const began = Date.now()
    for (const [index, order] of orders.entries()) {
      const isEarly = (): boolean => (Date.now() - began) / 1000 * rate < index
      while (isEarly() || this.underWay >= MOST_UNDER_WAY) await delay(LOOK_MS)
      if (this.isOver) return
      this.underWay++
      this.begun++
      this.sendOne(order).catch((error: unknown) => {
        this.failures.push(`${order.terms.client_order_id}: ${String(error)}`)
      }).finally(() => { this.underWay-- })
    }
    while (this.underWay > 0 && !this.isOver) await delay(LOOK_MS)
  }

  /** Gives up what has no answer yet. */
  abandon (): void {
    this.isOver = true
    for (const desk of this.desks.values()) desk.close()
  }

  private async sendOne (planned: PlannedOrder): Promise<void> {
    const { user, terms, copiesAt, random } = planned
    const desk = this.desks.get(user)!
    const submit: Request = { action: 'submit_order', ...terms }
    const answers = await Promise.all(copiesAt.map(async at => {
      await delay(at)
      return await desk.send(submit, random)
    }))
    const sequel = sequelOf(planned, String(answers[0]!['order_id']))
    const copies = sequel === undefined ? 0 : random.integer(1, MOST_COPIES_OF_A_SEQUEL)
    const sequelAnswers = await Promise.all(Array.from({ length: copies }, () => desk.send(sequel!, random)))
    this.sent.push({ planned, answers, sequelAnswers })
  }
}

/** Returns the request that comes after an order. */
function sequelOf ({ sequel, terms, random }: PlannedOrder, id: string): Request | undefined {
  const more = String(Number(terms.quantity) + random.integer(1, 5))
  const named = { request_id: `later ${terms.client_order_id}`, order_id: id }
  switch (sequel) {
    case 'none': return undefined
    case 'conflict': return { action: 'submit_order', ...terms, quantity: more }
    case 'cancel': return { action: 'cancel_order', ...named }
    case 'replace': return { action: 'replace_order', ...named, quantity: more }
  }
}
