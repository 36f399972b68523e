import type { Order } from '@tickwire/protocol'
import { judgeAccount, judgeRows } from './judge-account.js'
import { judgeDisplayed, type DisplayedVerdict, type ShownMarket } from './judge-displayed.js'
import { judgeOrders } from './judge-orders.js'
import { type Entry, readAccount, type ReadAccount, type ReadFill, readOrders, readRows } from './reading.js'
import type { SentOrder } from './submitter.js'

/** What the servers say of one user at the end. */
export interface UserReading {
  readonly entries: ReadonlyArray<Entry<Order>>
  readonly account: ReadAccount
  readonly orders: readonly Order[]
  readonly fills: readonly ReadFill[]
}

export interface Reading {
  readonly users: ReadonlyMap<string, UserReading>
  readonly markets: readonly ShownMarket[]
}

export async function readUser (origin: string, token: string): Promise<UserReading> {
  return {
    entries: await readOrders(origin, token),
    account: await readAccount(origin, token),
    orders: await readRows<Order>(origin, 'orders', token),
    fills: await readRows<ReadFill>(origin, 'fills', token)
  }
}

export interface Verdict {
  readonly violations: readonly string[]
  /** How many orders ended so, or stand so. */
  readonly statuses: ReadonlyMap<string, number>
  readonly messages: number
  readonly fills: DisplayedVerdict['fills']
}

/** Judges all that came of the orders that were sent. */
export function judge (sent: readonly SentOrder[], { users, markets }: Reading): Verdict {
  const violations: string[] = []
  const statuses = new Map<string, number>()
  const ids = new Map<unknown, string>()
  for (const { planned: { terms: { client_order_id: name } }, answers } of sent) {
    const id = answers[0]?.['order_id']
    if (ids.has(id)) violations.push(`${name} and ${ids.get(id)} are both ${String(id)}`)
    ids.set(id, name)
  }
  const fills = [...users].flatMap(([user, { entries, account, orders, fills: rows }]) => {
    const own = sent.filter(({ planned }) => planned.user === user)
    const judged = judgeOrders(user, entries, own)
    const last = [...judged.last.values()]
    for (const { status } of last) statuses.set(status, (statuses.get(status) ?? 0) + 1)
    violations.push(
      ...judged.violations,
      ...judgeAccount(user, judged.fills, last, account),
      ...judgeRows(user, judged.fills, last, orders, rows)
    )
    return judged.fills
  })
  const figures = { atLevels: 0, atLimits: 0, others: 0 }
  for (const market of markets) {
    const verdict = judgeDisplayed(market, fills.filter(({ symbol }) => symbol === market.symbol))
    violations.push(...verdict.violations)
    for (const kind of ['atLevels', 'atLimits', 'others'] as const) figures[kind] += verdict.fills[kind]
  }
  const messages = [...users.values()].reduce((sum, { entries }) => sum + entries.length, 0)
  return { violations, statuses, messages, fills: figures }
}
