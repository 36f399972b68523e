import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import Big from 'big.js'
import type { BrokerEvent, BrokerOrder, BrokerReplace } from '../../src/index.js'

/** What a broker says, before it gives it a position. */
type Untold<Event> = Event extends BrokerEvent ? Omit<Event, 'position'> : never
type Level = [price: string, size: string]

interface HeldOrder extends Omit<BrokerOrder, 'quantity' | 'limit_price'> {
  quantity: string
  limit_price?: string
  filled: Big
  isOpen: boolean
  /** The requests about it that are done. */
  readonly done: Set<string>
}

/**
 * A broker elsewhere, as `examples/broker/http-broker.js` knows it: an HTTP server with books and orders of
 * its own. It may lose requests and answers, repeat and hold back what it says, go away and come back.
 */
export class RemoteBroker {
  readonly orders = new Map<string, HeldOrder>()
  readonly events: BrokerEvent[] = []
  /** The next requests that are lost before they are done, and the next whose answers are lost. */
  loseRequests = 0
  loseAnswers = 0
  /** Whether everything is said twice. */
  repeats = false
  /** How many events before the position come again. */
  rewind = 0
  /** Of each fill. */
  fee = '0'
  /** How often each order came. */
  readonly submitted = new Map<string, number>()
  private readonly books = new Map<string, { bids: Level[], asks: Level[] }>()
  private readonly readers = new Map<ServerResponse, number>()
  private isHeld = false
  private executions = 0

  private constructor (private server: Server, private readonly port: number) {}

  static async start (): Promise<RemoteBroker> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const broker = new RemoteBroker(server, (server.address() as AddressInfo).port)
    broker.serve()
    return broker
  }

  get url (): string {
    return `http://127.0.0.1:${this.port}`
  }

  async goAway (): Promise<void> {
    this.readers.clear()
    this.server.closeAllConnections()
    await new Promise(resolve => { this.server.close(resolve) })
  }

  async comeBack (): Promise<void> {
    this.server = createServer()
    this.server.listen(this.port, '127.0.0.1')
    await once(this.server, 'listening')
    this.serve()
  }

  /** Cuts all who read events. */
  cut (): void {
    for (const reader of this.readers.keys()) reader.destroy()
    this.readers.clear()
  }

  hold (isHeld: boolean): void {
    this.isHeld = isHeld
    this.write()
  }

  /** Displays a book, and fills orders that wait for it. */
  show (symbol: string, bids: Level[], asks: Level[]): void {
    this.books.set(symbol, { bids: bids.map(([...level]) => level), asks: asks.map(([...level]) => level) })
    for (const order of this.orders.values()) if (order.symbol === symbol) this.match(order)
  }

  /** Says something, whether it is true or not. */
  say (event: Untold<BrokerEvent>): void {
    this.events.push({ ...event, position: String(this.events.length + 1) } as BrokerEvent)
    this.write()
  }

  private serve (): void {
    this.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.answer(request, response).catch(() => { response.destroy() })
    })
  }

  private async answer (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url!, this.url)
    if (pathname === '/events') {
      response.writeHead(200).flushHeaders()
      this.readers.set(response, Math.max(0, Number(searchParams.get('after')) - this.rewind))
      response.on('close', () => { this.readers.delete(response) })
      this.write()
      return
    }
    const body = await json(request)
    if (this.loseRequests > 0) {
      this.loseRequests--
      response.destroy()
      return
    }
    const [, , id = '', action = 'submit'] = pathname.split('/')
    const refusal = this.perform(action, id, body)
    if (this.loseAnswers > 0) {
      this.loseAnswers--
      response.destroy()
    } else response.writeHead(refusal === undefined ? 200 : 422).end(refusal)
  }

  /** Returns why it cannot be done. */
  private perform (action: string, id: string, body: unknown): string | undefined {
    if (action === 'submit') return this.submit(body as BrokerOrder)
    const { request_id: request, ...terms } = body as BrokerReplace
    const order = this.orders.get(id)
    if (order === undefined) return 'there is no such order'
    if (order.done.has(request)) return undefined
    if (!order.isOpen) return 'the order has ended'
    if (action === 'replace' && order.filled.gte(terms.quantity)) return 'too much is filled'
    order.done.add(request)
    if (action === 'cancel') this.end(order, 'canceled')
    else {
      Object.assign(order, terms)
      this.say({ type: 'replaced', order_id: id, request_id: request, quantity: terms.quantity })
      this.match(order)
    }
    return undefined
  }

  private submit (order: BrokerOrder): string | undefined {
    const { order_id: id } = order
    this.submitted.set(id, (this.submitted.get(id) ?? 0) + 1)
    if (this.orders.has(id)) return undefined
    if (order.symbol === 'REFUSED') return 'this broker does not know REFUSED'
    const held: HeldOrder = { ...order, filled: new Big(0), isOpen: true, done: new Set() }
    this.orders.set(id, held)
    if (order.order_type === 'market' && this.offers(held).length === 0) {
      this.end(held, 'rejected', 'no liquidity')
    } else {
      this.say({ type: 'accepted', order_id: id })
      this.match(held)
    }
    return undefined
  }

  private end (order: HeldOrder, type: 'canceled' | 'rejected', reason?: string): void {
    order.isOpen = false
    this.say({ type, order_id: order.order_id, ...reason === undefined ? {} : { reason } })
  }

  private offers ({ symbol, side, limit_price: limit }: HeldOrder): Level[] {
    const { bids, asks } = this.books.get(symbol) ?? { bids: [], asks: [] }
    return (side === 'buy' ? asks : bids).filter(([price, size]) => new Big(size).gt(0) &&
      (limit === undefined || (side === 'buy' ? new Big(price).lte(limit) : new Big(price).gte(limit))))
  }

  private match (order: HeldOrder): void {
    for (const level of order.isOpen ? this.offers(order) : []) {
      const left = new Big(order.quantity).minus(order.filled)
      const quantity = left.lt(level[1]) ? left : new Big(level[1])
      if (quantity.eq(0)) break
      level[1] = new Big(level[1]).minus(quantity).toFixed()
      order.filled = order.filled.plus(quantity)
      order.isOpen = order.filled.lt(order.quantity)
      this.say({
        type: 'filled', order_id: order.order_id, execution_id: `x${++this.executions}`, quantity: quantity.toFixed(), price: level[0], fee: this.fee
      })
    }
    if (order.isOpen && order.order_type === 'market') this.end(order, 'canceled', 'no liquidity')
  }

  private write (): void {
    if (this.isHeld) return
    for (const [reader, from] of this.readers) {
      for (const event of this.events.slice(from)) {
        const line = `${JSON.stringify(event)}\n`
        reader.write(this.repeats ? line + line : line)
      }
      this.readers.set(reader, this.events.length)
    }
  }
}
