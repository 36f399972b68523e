import { isDeepStrictEqual } from 'node:util'
import { setTimeout as delay } from 'node:timers/promises'
import type { Order, Portfolio } from '@tickwire/protocol'
import { type Approach, FleetClient } from '../fleet/client.js'
import type { Choices } from '../helpers/random.js'
import { type Message, type TransportName, transportNames } from '../helpers/wires.js'
import { termsOf } from './plan.js'
import type { SentOrder } from './submitter.js'
import { type Desk, overRest, type Request } from './ways.js'

/**
 * A connection is cut so many milliseconds after its first cursor, if it was not cut between messages before;
 * the next begins so long after.
 */
const LASTS_MS = [0, 80] as const
const AWAY_MS = [1, 60] as const
const POLL_PAUSE_MS = 5
/** How often a connection begins without a position. */
const FRESH = 0.3
/** How often a message of `orders` makes the user acknowledge it, or one before it. */
const ACKNOWLEDGES = 0.15
const ANSWER_TIMEOUT_MS = 5000

/** Where the messages of `orders` must go on: behind one of `low` to `high`. */
interface Behind {
  readonly low: number
  readonly high: number
}

export interface TraderOptions {
  readonly user: string
  readonly token: string
  readonly origins: readonly string[]
  readonly symbols: readonly string[]
  readonly orders: number
  readonly cuts: number
  /** The ways over which requests go that have no connection, or lost it. */
  readonly desk: Desk
  readonly random: Choices
}

/**
 * A user who trades while the stream of `orders` and `portfolio` is cut again and again. The user resumes
 * with the last cursor, or without one behind what is acknowledged, on any transport and either node.
 */
export class Trader extends FleetClient {
  /** By sequence, every message of `orders`. */
  readonly messages = new Map<number, Order>()
  readonly sent: SentOrder[] = []
  readonly faults: string[] = []
  portfolio: Portfolio | undefined
  cuts = 0
  resumed = 0
  fresh = 0
  /** Messages of `orders` that a connection brought again, because no cursor had covered them. */
  repeated = 0
  traded = false
  /** Sequences of the messages of `orders` that the present connection brought. */
  received: number[] = []
  /** Up to where the server has said that the messages are acknowledged, and up to where it was asked to. */
  private confirmed = 0
  private asked = 0
  private origin = ''
  private transport: TransportName = 'ws-json'
  /** What the cursor that is kept covers. */
  private covered: Behind = { low: 0, high: 0 }
  /** What the present connection must go on behind. */
  private behind: Behind = { low: 0, high: 0 }
  /** Messages until the connection is cut, if it is one that is cut between messages. */
  private countdown = 0
  private readonly answers = new Map<string, (answer: Message | undefined) => void>()
  private cutting = true

  constructor (readonly options: TraderOptions) {
    super()
  }

  /** Sends orders, one after another, each until it is answered. */
  async trade (): Promise<void> {
    const { user, symbols, orders, random } = this.options
    for (let index = 0; index < orders; index++) {
      const terms = termsOf(`${user}-${index}`, random.pick(symbols), random)
      const request: Request = { action: 'submit_order', ...terms }
      const answer = await this.send(request)
      this.sent.push({
        planned: { user, terms, copiesAt: [0], sequel: 'none', random }, answers: [answer], sequelAnswers: []
      })
      await delay(random.integer(0, 30))
    }
    this.traded = true
  }

  /** Begins without a position, on a transport, and is cut no more. */
  beginFresh (transport: TransportName): void {
    this.cutting = false
    this.detach()?.cut()
    this.cursor = undefined
    this.received = []
    this.transport = transport
    this.openIn(0)
  }

  /** Acknowledges everything up to a message, and demands that the server says so. */
  async acknowledge (sequence: number): Promise<void> {
    this.asked = Math.max(this.asked, sequence)
    const { origins, token, random } = this.options
    const response = await fetch(`${random.pick(origins)}/v1/ack`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ channel: 'orders', sequence })
    })
    const answer = await response.json() as Message
    if (answer.type === 'acknowledged') this.confirmed = Math.max(this.confirmed, Number(answer.sequence))
    else this.faults.push(`an acknowledgement was answered ${JSON.stringify(answer)}`)
  }

  get acknowledged (): number {
    return this.confirmed
  }

  protected approach (): Approach {
    const { random, origins, token } = this.options
    if (this.cutting) {
      this.transport = random.pick(transportNames)
      if (random.chance(FRESH)) this.cursor = undefined
    }
    if (this.cursor === undefined) {
      this.fresh++
      this.behind = { low: this.confirmed, high: this.asked }
    } else {
      this.resumed++
      this.behind = this.covered
    }
    this.countdown = random.chance(0.5) ? random.integer(1, 8) : Infinity
    this.received = []
    this.origin = random.pick(origins)
    const { transport, origin } = this
    const query = `subscribe=orders&subscribe=portfolio&token=${token}`
    return { transport, origin, query, compressed: random.chance(0.5), pollPauseMs: POLL_PAUSE_MS }
  }

  protected take (message: Message): void {
    const { type, channel, sequence, data } = message
    if (type === 'order') this.takeOrder(sequence!, data as Order)
    else if (type === 'portfolio') this.portfolio = data as Portfolio
    else if (type === 'acknowledged') this.confirmed = Math.max(this.confirmed, sequence!)
    else if (type === 'reset' || type === 'closing' || type === 'lagging') this.fault(`was told ${JSON.stringify(message)}`)
    else if (message['id'] !== undefined) this.takeAnswer(String(message['id']), message)
    if (channel !== undefined && channel !== 'orders' && channel !== 'portfolio') this.fault(`got ${channel}`)
    if (type === 'order' && this.cutting && --this.countdown <= 0) this.cut()
  }

  protected override mark (cursor: string): void {
    const isFirst = !this.settled
    super.mark(cursor)
    this.covered = this.behind
    if (isFirst && this.cutting) this.next(this.options.random.integer(...LASTS_MS), () => { this.cut() })
  }

  protected lost (): void {
    this.drop()
    this.openIn(this.options.random.integer(...AWAY_MS))
  }

  protected override refused (reason: string): void {
    this.fault(`was refused: ${reason}`)
  }

  private takeAnswer (id: string, answer: Message): void {
    const resolve = this.answers.get(id)
    if (resolve !== undefined) resolve(answer)
    else if (answer.type === 'error') this.fault(`was answered ${JSON.stringify(answer)}`)
  }

  private takeOrder (sequence: number, order: Order): void {
    const { low, high } = this.behind
    if (sequence <= low) this.fault(`${sequence} came behind ${low}`)
    else if (sequence > high + 1) this.fault(`${sequence} came, and nothing between it and ${high}`)
    this.behind = { low: sequence, high: sequence }
    this.received.push(sequence)
    if (order.client_order_id?.startsWith(`${this.options.user}-`) !== true) this.fault(`got ${order.client_order_id}`)
    const before = this.messages.get(sequence)
    if (before === undefined) this.messages.set(sequence, order)
    else if (isDeepStrictEqual(before, order)) this.repeated++
    else this.fault(`${sequence} came with other contents`)
    const { random } = this.options
    if (this.cutting && random.chance(ACKNOWLEDGES)) this.ask(random.integer(1, sequence))
  }

  /** Asks to acknowledge over the connection; a cut may lose the answer. */
  private ask (sequence: number): void {
    if (!this.transport.startsWith('ws')) {
      // A message that came may be acknowledged while the connection that brought it is gone.
      void this.acknowledge(sequence).catch((error: unknown) => { this.fault(String(error)) })
      return
    }
    this.asked = Math.max(this.asked, sequence)
    this.wire?.send({ action: 'ack', id: `ack ${sequence}`, channel: 'orders', sequence })
  }

  /** Sends a request over the connection if that is a WebSocket, and else over REST, until it is answered. */
  private async send (request: Request): Promise<Message> {
    const { token, random, desk } = this.options
    const answer = this.transport.startsWith('ws')
      ? await this.overConnection(request)
      : await overRest(this.origin, token, request)
    return answer?.type === 'order_accepted' ? answer : await desk.send(request, random)
  }

  private async overConnection (request: Request): Promise<Message | undefined> {
    const { wire } = this
    if (wire === undefined) return undefined
    const id = String(request['client_order_id'])
    const timeout = setTimeout(() => { this.drop() }, ANSWER_TIMEOUT_MS)
    const answer = await new Promise<Message | undefined>(resolve => {
      this.answers.set(id, resolve)
      wire.send({ ...request, id })
    })
    clearTimeout(timeout)
    this.answers.delete(id)
    return answer
  }

  private cut (): void {
    const { cuts } = this.options
    this.detach()?.cut()
    this.drop()
    this.cuts++
    if (this.cuts >= cuts && this.traded) this.cutting = false
    this.openIn(this.options.random.integer(...AWAY_MS))
  }

  /** What was asked over a connection that is gone has no answer. */
  private drop (): void {
    for (const resolve of this.answers.values()) resolve(undefined)
  }

  private fault (text: string): void {
    this.faults.push(`${this.options.user} (${this.transport}): ${text}`)
  }
}
