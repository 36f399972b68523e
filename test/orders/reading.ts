import { setTimeout as delay } from 'node:timers/promises'
import type { Account, Book, Order, Portfolio, Trade } from '@tickwire/protocol'
import type { Message } from '../helpers/wires.js'
import type { ShownMarket } from './judge-displayed.js'

/** What a server says at the end of a run, page by page. */

const PAGE = 1000
const PATIENCE_MS = 30_000
const RETRY_MS = 200

/** A message of a topic's history. */
export interface Entry<Data> {
  readonly sequence: number
  readonly data: Data
  /** When the log took it, in milliseconds since 1970. */
  readonly time: number
  readonly isSnapshot: boolean
}

/** The answer to `GET /v1/account`, as far as it is judged. */
export interface ReadAccount {
  readonly balances: ReadonlyArray<Account['balances'][number] & { readonly reserved: string, readonly available: string }>
  readonly positions: Account['positions']
  readonly portfolio: Portfolio | null
  readonly open_orders: readonly Order[]
}

export interface ReadFill {
  readonly exec_id: string
  readonly order_id: string
  readonly quantity: string
  readonly price: string
}

/** Asks again while a server has not found its log again. @throws Error for any other answer but 200 */
async function get (origin: string, path: string, token: string): Promise<unknown> {
  for (const deadline = Date.now() + PATIENCE_MS; ; await delay(RETRY_MS)) {
    const response = await fetch(origin + path, { headers: { authorization: `Bearer ${token}` } })
    const text = await response.text()
    if (response.status === 200) return JSON.parse(text)
    if (response.status !== 503 || Date.now() > deadline) throw new Error(`${path}: ${response.status} ${text}`)
  }
}

/** Reads all that the log has of a topic. */
async function history<Data> (origin: string, topic: string, token: string): Promise<Array<Entry<Data>>> {
  const entries: Array<Entry<Data>> = []
  for (let more = true; more;) {
    const after = entries.at(-1)?.sequence ?? 0
    const path = `/v1/history?topic=${encodeURIComponent(topic)}&after=${after}&limit=${PAGE}`
    const page = await get(origin, path, token) as { messages: readonly Message[], more: boolean }
    for (const { sequence, data, timestamp, snapshot } of page.messages) {
      if (sequence === undefined) throw new Error(`${topic}: the log has lost messages`)
      entries.push({
        sequence, data: data as Data, time: Date.parse(String(timestamp)), isSnapshot: snapshot === true
      })
    }
    more = page.more
  }
  return entries
}

export const readOrders = async (origin: string, token: string): Promise<Array<Entry<Order>>> =>
  await history(origin, 'orders', token)
/** What the log has of the books and the trades of a symbol. */
export async function readMarket (origin: string, symbol: string, token: string): Promise<ShownMarket> {
  return {
    symbol,
    books: await history<Book>(origin, `book:${symbol}`, token),
    trades: await history<Trade>(origin, `trades:${symbol}`, token)
  }
}
export const readAccount = async (origin: string, token: string): Promise<ReadAccount> =>
  await get(origin, '/v1/account', token) as ReadAccount

/** Reads what `GET /v1/orders` and `GET /v1/fills` say, all pages. */
export async function readRows<Row> (origin: string, name: 'orders' | 'fills', token: string): Promise<Row[]> {
  const rows: Row[] = []
  for (let place: string | null | undefined; place !== null;) {
    const after = place === undefined ? '' : `&after=${encodeURIComponent(place)}`
    const page = await get(origin, `/v1/${name}?limit=${PAGE}${after}`, token) as { next: string | null, more: boolean } & Record<typeof name, Row[]>
    rows.push(...page[name])
    place = page.more ? page.next : null
  }
  return rows
}
