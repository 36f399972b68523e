import type {
  AlertRule, CancelOrder, NewAlertRule, Order, OrderAnswer, PublishAnswer, PublishItem, ReplaceOrder,
  SubmitOrder
} from '@tickwire/protocol'
import { signRequest, type SigningKey } from '@tickwire/protocol/signing'
import type { Client } from '../client.js'
import { pendingOrdersOf } from '../pending-orders.js'
import { randomId } from '../random-id.js'
import { refusalOf } from '../transports/refusals.js'
import { ActionError, ActionQueue, type MakeRequest } from './action-queue.js'

export interface ActionsOptions {
  /** Signs requests about orders, where the token has an `order_key`: a key of WebCrypto. */
  readonly signingKey?: SigningKey
  /** For how long a request about an order is tried, in milliseconds: default 10,000. */
  readonly ordersExpireInMs?: number
  /** For how long everything else is tried, in milliseconds: default 120,000. */
  readonly expiresInMs?: number
  /** How many actions of a kind may wait: default 1000. */
  readonly most?: number
}

type Unsigned<Request> = Omit<Request, 'action' | 'timestamp' | 'signature' | 'client_order_id'>
/** An order; without a `client_order_id` the client makes one. */
export type OrderInput = Unsigned<SubmitOrder> & { readonly client_order_id?: string }
/** Names an order by one of its ids, and may name the request. */
export type OrderName = Pick<CancelOrder, 'order_id' | 'client_order_id'> & { readonly request_id?: string }
/** New terms of an order; what is absent stays. */
export type OrderTerms = Pick<ReplaceOrder, 'quantity' | 'limit_price' | 'stop_price'>

type OrderRequest = SubmitOrder | CancelOrder | ReplaceOrder
type Fields = Readonly<Record<string, string>>
/** Makes a request over HTTP of the fields of an action, with its signature. */
type Write = (fields: Fields) => Awaited<ReturnType<MakeRequest>>

/** The oldest goes when there is one more; its order is then named by its `order_id`. */
const MOST_ORDER_IDS = 10_000
const JSON_HEADERS = { 'Content-Type': 'application/json' }
const post = (body: object): RequestInit =>
  ({ method: 'POST', headers: JSON_HEADERS, body: JSON.stringify(body) })

/**
 * What an application does on the server: orders, publishing, acknowledgements, alert rules. Without a
 * connection, actions wait; each is done once, however often it is sent. An action whose promise is rejected
 * with `expired` may have been taken: the stream says so.
 */
export class Actions {
  readonly #client: Client
  readonly #options: ActionsOptions
  readonly #orders: ActionQueue
  readonly #others: ActionQueue
  /** The last orders of this client by `client_order_id`, to name them in a URL. */
  readonly #orderIds = new Map<string, string>()

  constructor (client: Client, options: ActionsOptions = {}) {
    this.#client = client
    this.#options = options
    const { most = 1000 } = options
    this.#orders = new ActionQueue(client, most)
    this.#others = new ActionQueue(client, most)
    client.on('state', ({ name }) => {
      if (name !== 'live') return
      this.#orders.wake()
      this.#others.wake()
    })
  }

  /** How many actions wait for their answer. */
  get waiting (): number {
    return this.#orders.length + this.#others.length
  }

  /**
   * Sends an order. Views show it as `pending_new` at once, and take it back if the server refuses it.
   * @throws ActionError
   */
  async submitOrder (input: OrderInput): Promise<OrderAnswer> {
    const order: SubmitOrder = { action: 'submit_order', client_order_id: randomId(), ...input }
    const { client_order_id: id, action, ...terms } = order
    const shown = { ...terms, client_order_id: id, order_id: id, status: 'pending_new', filled_qty: '0' }
    const pending = pendingOrdersOf(this.#client)
    pending.add(id, { ...shown, created_at: new Date(this.#client.serverNow()).toISOString() })
    try {
      const answer = await this.#request(order, body => ({ path: 'v1/orders', init: post(body) }))
      this.#orderIds.set(id, answer.order_id)
      if (this.#orderIds.size > MOST_ORDER_IDS) this.#orderIds.delete(this.#orderIds.keys().next().value!)
      return answer
    } catch (error) {
      pending.takeBack(id)
      throw error
    }
  }

  /** Asks to cancel an order. Views show it as `pending_cancel` at once. @throws ActionError */
  async cancelOrder (name: OrderName): Promise<OrderAnswer> {
    const orderId = this.#orderId(name)
    const request: CancelOrder = { action: 'cancel_order', order_id: orderId, request_id: requestId(name) }
    return await this.#changing(orderId, { status: 'pending_cancel' }, request, fields => {
      const parameters = new URLSearchParams(withoutOrder(fields))
      return { path: `v1/orders/${orderId}?${parameters.toString()}`, init: { method: 'DELETE' } }
    })
  }

  /** Asks for new terms of an order, which keeps its id. Views show them at once. @throws ActionError */
  async replaceOrder (name: OrderName, terms: OrderTerms): Promise<OrderAnswer> {
    const orderId = this.#orderId(name)
    const named = { order_id: orderId, request_id: requestId(name) }
    const request: ReplaceOrder = { action: 'replace_order', ...named, ...terms }
    return await this.#changing(orderId, terms as Partial<Order>, request, fields => ({
      path: `v1/orders/${orderId}`, init: { ...post(withoutOrder(fields)), method: 'PATCH' }
    }))
  }

  /** Publishes messages. Those without an `idempotency_key` get one, so that none is doubled. */
  async publish (messages: readonly PublishItem[]): Promise<PublishAnswer> {
    const named = messages.map(message => ({ idempotency_key: randomId(), ...message }))
    return await this.#send(post(named), 'v1/publish') as PublishAnswer
  }

  /** Says that all messages of `orders` or `alerts` up to a sequence were dealt with. */
  async acknowledge (channel: 'orders' | 'alerts', sequence: number, epoch?: string): Promise<void> {
    await this.#send(post({ channel, sequence, ...(epoch === undefined ? {} : { epoch }) }), 'v1/ack')
  }

  /**
   * Makes an alert rule. It is sent once and does not wait for a connection: sent again, it would be another
   * rule.
   * @throws ActionError, TypeError of the network
   */
  async createAlert (rule: NewAlertRule): Promise<AlertRule> {
    return await (await this.#once('v1/alerts', post(rule))).json() as AlertRule
  }

  /** Deletes an alert rule. */
  async deleteAlert (ruleId: string): Promise<void> {
    await this.#once(`v1/alerts/${encodeURIComponent(ruleId)}`, { method: 'DELETE' })
  }

  async #once (path: string, init: RequestInit): Promise<Response> {
    const response = await this.#client.fetch(path, init)
    if (response.ok) return response
    const { code, reason } = await refusalOf(response)
    throw new ActionError(code ?? 'internal', reason)
  }

  async #send (init: RequestInit, path: string): Promise<unknown> {
    const { expiresInMs = 120_000 } = this.#options
    return await this.#others.add(async () => ({ path, init }), expiresInMs)
  }

  async #request ({ action, ...request }: OrderRequest, write: Write): Promise<OrderAnswer> {
    const { signingKey, ordersExpireInMs = 10_000 } = this.#options
    const fields: Fields = request
    const make: MakeRequest = async () => {
      if (signingKey === undefined) return write(fields)
      const timed = { ...fields, timestamp: new Date(this.#client.serverNow()).toISOString() }
      return write({ ...timed, signature: await signRequest(signingKey, action, timed) })
    }
    return await this.#orders.add(make, ordersExpireInMs) as OrderAnswer
  }

  async #changing (
    orderId: string, change: Partial<Order>, request: OrderRequest, write: Write
  ): Promise<OrderAnswer> {
    const pending = pendingOrdersOf(this.#client)
    pending.change(orderId, change)
    try {
      return await this.#request(request, write)
    } catch (error) {
      pending.takeBack(orderId)
      throw error
    }
  }

  #orderId ({ order_id: orderId, client_order_id: clientOrderId }: OrderName): string {
    const known = orderId ?? this.#orderIds.get(clientOrderId ?? '')
    if (known !== undefined) return known
    const what = `this client has sent no order '${String(clientOrderId)}'`
    throw new ActionError('not_found', `${what}; name it by its order_id`)
  }
}

/** The path names the order. */
const withoutOrder = ({ order_id: orderId, ...fields }: Fields): Record<string, string> => fields

const requestId = ({ request_id: id = randomId() }: OrderName): string => id
