import type { Order } from '@tickwire/protocol'
import type { Message } from '../helpers/wires.js'
import { decimal, quotient, shown, times } from './decimal.js'
import type { Entry } from './reading.js'
import type { SentOrder } from './submitter.js'

/** Of the notional, of every market of a run. */
export const FEE = '0.001'

type Status = Order['status']

const BEGINNINGS: readonly Status[] = ['pending_new', 'new', 'rejected']
const GOES_ON: readonly Status[] = ['partially_filled', 'filled', 'canceled', 'replaced', 'expired']
/** What may come behind each status (PROTOCOL.md, Orders). A status that is not here ends its order. */
const NEXT: Readonly<Record<Status, readonly Status[]>> = {
  pending_new: ['new', 'rejected', 'canceled'],
  new: GOES_ON,
  partially_filled: GOES_ON,
  replaced: GOES_ON
}

export const isOpen = (status: Status): boolean => NEXT[status] !== undefined

/** A fill, with what says where it came from. */
export interface Fill {
  readonly id: string
  readonly symbol: string
  readonly side: 'buy' | 'sell'
  readonly quantity: bigint
  readonly price: string
  readonly fee: bigint
  /** When the exchange decided it, in milliseconds since 1970. */
  readonly time: number
}

/** What the messages of one user say. */
export interface JudgedUser {
  /** In the order in which they came. */
  readonly fills: readonly Fill[]
  /** The last message of each order, by its client_order_id. */
  readonly last: ReadonlyMap<string, Order>
  readonly violations: readonly string[]
}

/** Judges the messages of `orders` of one user, and the answers that the user got. */
export function judgeOrders (
  user: string, entries: ReadonlyArray<Entry<Order>>, sent: readonly SentOrder[]
): JudgedUser {
  const violations: string[] = []
  const fault = (text: string): void => { violations.push(`${user}: ${text}`) }
  for (const [index, { sequence }] of entries.entries()) {
    if (sequence !== index + 1) fault(`message ${index + 1} of the history has the sequence ${sequence}`)
  }
  const byName = new Map<string, Order[]>()
  for (const { data } of entries) {
    const name = data.client_order_id ?? ''
    const messages = byName.get(name)
    if (messages === undefined) byName.set(name, [data])
    else messages.push(data)
  }
  const known = new Set(sent.map(({ planned }) => planned.terms.client_order_id))
  for (const name of byName.keys()) if (!known.has(name)) fault(`nobody has sent '${name}'`)
  const last = new Map<string, Order>()
  for (const order of sent) {
    const name = order.planned.terms.client_order_id
    const messages = byName.get(name) ?? []
    const faults = [...answerFaults(order), ...messageFaults(order, messages)]
    for (const text of faults) fault(`${name}: ${text}`)
    if (messages.length > 0) last.set(name, messages.at(-1)!)
  }
  const fills = entries.flatMap(({ data }) => data.exec_id === undefined ? [] : [fillOf(data)])
  return { fills, last, violations }
}

function fillOf (order: Order): Fill {
  return {
    id: order.exec_id!,
    symbol: order.symbol,
    side: order.side as Fill['side'],
    quantity: decimal(order.last_qty ?? '0'),
    price: order.last_price ?? '0',
    fee: decimal(order.fee ?? '0'),
    time: Date.parse(order.updated_at ?? '')
  }
}

/** Judges what a user was answered: each copy of a request alike. */
function answerFaults ({ planned: { terms, sequel }, answers, sequelAnswers }: SentOrder): string[] {
  const { client_order_id: name } = terms
  const faults: string[] = []
  const expect = (answer: Message, expected: object): void => {
    const wrong = Object.entries(expected).filter(([field, value]) => answer[field] !== value)
    if (wrong.length > 0) faults.push(`${JSON.stringify(answer)} is no answer with ${JSON.stringify(expected)}`)
  }
  const id = answers[0]?.['order_id']
  if (typeof id !== 'string') faults.push('it has no order_id')
  for (const answer of answers) expect(answer, { type: 'order_accepted', order_id: id, client_order_id: name })
  for (const answer of sequelAnswers) {
    expect(answer, sequel === 'conflict'
      ? { type: 'error', code: 'conflict' }
      : { type: 'order_accepted', order_id: id, request_id: `later ${name}` })
  }
  return faults
}

/** Judges the messages of one order, from its beginning to what is known of it last. */
function messageFaults ({ planned, answers }: SentOrder, messages: readonly Order[]): string[] {
  const { terms, sequel } = planned
  const faults: string[] = []
  const beginnings = messages.filter(message => (message.status === 'new' || message.status === 'rejected') && !isAnswer(message, messages))
  if (beginnings.length !== 1) faults.push(`it begins ${beginnings.length} times`)
  let before: Order | undefined
  let [filled, notional] = [0n, 0n]
  let fills = 0
  // Requests that came after the submit, by their effects.
  let effects = 0
  for (const message of messages) {
    const what = `${before?.status ?? 'nothing'} → ${message.status}`
    if (message.order_id !== answers[0]?.['order_id']) faults.push(`it is ${message.order_id}, too`)
    const changed = changedFields(before ?? { ...message, ...terms, filled_qty: '0' }, message)
    if (changed.length > 0) faults.push(`${what}: has another ${changed.join(', ')}`)
    if (message.exec_id === undefined) {
      if (decimal(message.filled_qty) !== filled) faults.push(`${what}: filled_qty ${message.filled_qty} without a fill`)
    } else {
      const fill = fillOf(message)
      filled += fill.quantity
      notional += times(fill.quantity, decimal(fill.price))
      faults.push(...fillFaults(message, ++fills, filled, notional).map(text => `${what}: ${text}`))
    }
    if (decimal(message.quantity) !== filled + decimal(message.leaves_qty ?? '-1')) {
      faults.push(`${what}: quantity ${message.quantity} is not ${message.filled_qty} + ${message.leaves_qty}`)
    }
    if (isNote(before, message)) effects += message.reason === 'triggered' ? 0 : 1
    else {
      const next = before === undefined ? BEGINNINGS : NEXT[before.status] ?? []
      if (!next.includes(message.status)) faults.push(`${what} must not be`)
      if (message.status === 'replaced' || isOwnCancel(message)) effects++
    }
    before = message
  }
  const requests = sequel === 'cancel' || sequel === 'replace' ? 1 : 0
  if (effects > requests) faults.push(`${requests} requests after the submit were answered ${effects} times`)
  if (sequel === 'cancel' && before !== undefined && isOpen(before.status)) faults.push(`canceled, and ${before.status}`)
  return faults
}

/** A user's cancel has no reason; the exchange gives its own. */
const isOwnCancel = ({ status, reason }: Order): boolean => status === 'canceled' && reason === undefined

/** Whether a message only says why nothing has changed, or that a stop price was reached. */
function isNote (before: Order | undefined, { status, exec_id: fill, reason }: Order): boolean {
  return before?.status === status && fill === undefined && reason !== undefined
}

function isAnswer (message: Order, messages: readonly Order[]): boolean {
  return isNote(messages[messages.indexOf(message) - 1], message)
}

const FIXED = [
  'order_id', 'client_order_id', 'symbol', 'side', 'order_type', 'time_in_force', 'created_at', 'stop_price', 'limit_price'
] as const

/** Returns the fields that may not change, and have. Only a replacement has another quantity. */
function changedFields (before: Order, after: Order): string[] {
  const changed: string[] = FIXED.filter(field => before[field] !== after[field])
  if (after.status !== 'replaced' && before.quantity !== after.quantity) changed.push('quantity')
  return changed
}

/** @param filled of all fills up to this one, as `notional` is */
function fillFaults (message: Order, number: number, filled: bigint, notional: bigint): string[] {
  const { order_id: id, exec_id: exec, status, last_qty: quantity, last_price: price, fee } = message
  const faults: string[] = []
  if (exec !== `${id}.${number}`) faults.push(`fill ${number} is ${exec}`)
  if (quantity === undefined || price === undefined || fee === undefined) return [...faults, 'a fill without its figures']
  if (status !== 'partially_filled' && status !== 'filled') faults.push('a fill changes the status to it')
  if ((status === 'filled') !== (message.leaves_qty === '0')) faults.push(`${status} with ${message.leaves_qty} left`)
  if (decimal(message.filled_qty) !== filled) faults.push(`filled_qty ${message.filled_qty} is not ${shown(filled)}`)
  const average = quotient(notional, filled)
  if (decimal(message.avg_price ?? '0') !== average) faults.push(`avg_price ${message.avg_price} is not ${shown(average)}`)
  const due = times(times(decimal(quantity), decimal(price)), decimal(FEE))
  if (decimal(fee) !== due) faults.push(`fee ${fee} is not ${shown(due)}`)
  const limit = message.limit_price
  if (limit === undefined) return faults
  const beyond = decimal(price) - decimal(limit)
  if (message.side === 'buy' ? beyond > 0n : beyond < 0n) faults.push(`a fill at ${price} beyond the limit ${limit}`)
  return faults
}
