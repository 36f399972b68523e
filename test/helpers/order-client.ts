import Big from 'big.js'
import type { Order } from '@tickwire/protocol'
import type { Test } from 'tap'
import { type ReadAccount, readAccount, readOrders } from '../orders/reading.js'
import { askJson, type JsonAnswer } from './ask-json.js'
import { eventually } from './eventually.js'
import type { TestServer } from './server.js'

/** What an account begins with. */
const CASH = '100000'
/** Where an order may go from each status, after docs/trading.md. */
const AFTER: Readonly<Record<string, readonly string[]>> = {
  pending_new: ['new', 'rejected', 'canceled'],
  new: ['partially_filled', 'filled', 'pending_cancel', 'canceled', 'replaced', 'expired'],
  partially_filled: ['partially_filled', 'filled', 'pending_cancel', 'canceled', 'replaced', 'expired'],
  replaced: ['partially_filled', 'filled', 'pending_cancel', 'canceled', 'replaced', 'expired'],
  pending_cancel: ['new', 'partially_filled', 'replaced', 'filled', 'canceled', 'expired']
}

/** A user who trades over REST, with any server. */
export class OrderClient {
  private requests = 0

  /** @param symbol what the user trades */
  constructor (public server: TestServer, readonly user = 'alice', readonly symbol = 'A') {}

  /** Submits an order: `buy 5 limit 185.50`. Returns its id. */
  async submit (name: string, text: string, symbol = this.symbol): Promise<string> {
    const [side, quantity, type, price] = text.split(' ')
    const { status, body } = await this.ask('POST', '/v1/orders', {
      client_order_id: name, symbol, side, quantity, order_type: type, time_in_force: 'gtc', ...price === undefined ? {} : { limit_price: price }
    })
    if (status !== 202) throw new Error(`${status} ${JSON.stringify(body)}`)
    return String(body['order_id'])
  }

  async cancel (id: string): Promise<void> {
    await this.ask('DELETE', `/v1/orders/${id}?request_id=r${++this.requests}`)
  }

  async replace (id: string, terms: object): Promise<void> {
    await this.ask('PATCH', `/v1/orders/${id}`, { request_id: `r${++this.requests}`, ...terms })
  }

  async ask (method: string, path: string, body?: object): Promise<JsonAnswer> {
    return await askJson(this.server, method, path, body, { sub: this.user, trade: true })
  }

  /** Returns the messages of an order, or of all. */
  async messages (id?: string): Promise<Order[]> {
    const entries = await readOrders(this.server.origin, this.token).catch((error: unknown) => {
      if (String(error).includes('the log has no such topic')) return []
      throw error
    })
    return entries.map(({ data }) => data).filter(order => id === undefined || order.order_id === id)
  }

  /** Returns how often an order was filled. */
  async fills (id: string): Promise<number> {
    return (await this.messages(id)).filter(({ exec_id: execution }) => execution !== undefined).length
  }

  /** Waits until the last message of an order has a status, and what else is expected. */
  async reaches (id: string, status: string, more: Partial<Order> = {}): Promise<Order> {
    let last: Order | undefined
    const expected = Object.entries({ status, ...more })
    await eventually(`${id} is ${status}`, async () => {
      last = (await this.messages(id)).at(-1)
      return expected.every(([name, value]) => last?.[name as keyof Order] === value)
    }).catch((error: unknown) => { throw new Error(`${String(error)}; it is ${JSON.stringify(last)}`) })
    return last!
  }

  async account (): Promise<ReadAccount> {
    return await readAccount(this.server.origin, this.token)
  }

  /** Checks all messages of the user, and that the account is what they say. */
  async judge (t: Test): Promise<void> {
    const messages = await this.messages()
    let cash = new Big(CASH)
    let position = new Big(0)
    const last = new Map<string, Order>()
    const executions = messages.flatMap(({ exec_id: execution }) => execution ?? [])
    t.same(executions.filter((id, index) => executions.indexOf(id) !== index), [], 'each fill comes once')
    for (const order of messages) {
      const { order_id: id, status, quantity, filled_qty: filled, leaves_qty: leaves, last_qty: size, last_price: price, fee = '0', reason } = order
      t.ok(new Big(filled).plus(leaves!).eq(quantity), `${id} ${status}: ${quantity} = ${filled} + ${leaves}`)
      const before = last.get(id)
      const isSaidAgain = reason !== undefined && before?.status === status
      if (before !== undefined && !isSaidAgain) t.ok(AFTER[before.status]?.includes(status), `${id}: ${before.status} to ${status}`)
      t.ok(new Big(filled).minus(before?.filled_qty ?? '0').eq(size ?? '0'), `${id}: ${size ?? 'nothing'} more is filled`)
      last.set(id, order)
      if (size === undefined) continue
      const side = order.side === 'buy' ? 1 : -1
      cash = cash.minus(new Big(size).times(price!).times(side)).minus(fee)
      position = position.plus(new Big(size).times(side))
    }
    let account: ReadAccount | undefined
    await eventually('the account is published', async () => {
      account = await this.account()
      return account.balances[0]?.cash === cash.toFixed()
    }).catch(() => {})
    t.equal(account!.balances[0]?.cash, cash.toFixed(), 'the cash follows from the fills')
    t.equal(account!.positions[0]?.quantity ?? '0', position.toFixed(), 'and so does the position')
  }

  private get token (): string {
    return this.server.token({ sub: this.user, trade: true })
  }
}
