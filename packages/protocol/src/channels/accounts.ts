import { type Static, Type } from '@sinclair/typebox'
import { SubmitCommand } from './commands.js'
import { closed, Decimal, defineChannel, Identifier, SymbolName, Text, Timestamp } from './channel.js'
import { ORDER_STATUSES } from './orders.js'

/** The most open orders that a user may have in any deployment. */
export const MOST_OPEN_ORDERS = 1000
/** The most currencies that an account may have. */
export const MOST_CURRENCIES = 100
const MAX_POSITIONS = 10_000

/** What a user owns. Amounts are exact, and belong to the currency of their balance or position. */
export const Account = Type.Object({
  opened_at: Timestamp(),
  balances: Type.Array(Type.Object({
    currency: Text(16),
    cash: Decimal({ description: 'without what is reserved taken away' }),
    fees: Decimal({ description: 'that have been paid' }),
    realized: Decimal({ description: 'profit and loss of what was sold, before fees' })
  }, closed), { maxItems: MOST_CURRENCIES }),
  positions: Type.Array(Type.Object({
    symbol: SymbolName(),
    currency: Text(16),
    quantity: Decimal(),
    cost: Decimal({ description: 'what was paid for it' })
  }, closed), { maxItems: MAX_POSITIONS }),
  /** The total value when the day began, and that day in UTC. */
  day: Type.Optional(Type.Object({ date: Text(10), value: Decimal() }, closed))
}, closed)
export type Account = Static<typeof Account>

/** What a broker was asked to do with an order, and has not answered yet. Terms are whole, not changes. */
const BrokerAsk = Type.Union([
  Type.Object({ action: Type.Literal('cancel'), request_id: Identifier() }, closed),
  Type.Object({
    action: Type.Literal('replace'),
    request_id: Identifier(),
    quantity: Decimal(),
    limit_price: Type.Optional(Decimal()),
    stop_price: Type.Optional(Decimal())
  }, closed)
])

/** What only an order has that a broker fills. */
const AtBroker = Type.Object({
  executions: Type.Array(Identifier(), { description: 'the ids that the broker gave to its fills' }),
  asks: Type.Array(BrokerAsk),
  answered: Type.Array(Identifier(), { description: 'the ids of replacements that the broker has done' }),
  moves: Type.Optional(Type.Array(Type.String(), {
    description: 'the positions of replacements that the broker has made by itself'
  })),
  /** The status to which it goes back if the broker does not cancel it. */
  before: Type.Optional(Type.Union(ORDER_STATUSES.map(status => Type.Literal(status))))
}, closed)

/** An order that may still change, as the exchange keeps it. */
export const OpenOrder = Type.Object({
  ...SubmitCommand.properties,
  action: Type.Optional(SubmitCommand.properties.action),
  user: Identifier(),
  /** Counts accepted orders: of two at one price, the lower is filled first. */
  number: Type.Integer({ minimum: 1 }),
  status: Type.Union(ORDER_STATUSES.map(status => Type.Literal(status))),
  filled_qty: Decimal(),
  notional: Decimal({ description: 'price by quantity, of all fills' }),
  decimals: Type.Integer({ minimum: 0, description: 'the most decimals of a price of its fills' }),
  fills: Type.Integer({ minimum: 0, description: 'how many' }),
  /** Of the notional. An order keeps the fee that it was accepted with, so that its reservation covers it. */
  fee_rate: Decimal(),
  reserved: Decimal({ description: 'cash for what is left, if it buys' }),
  triggered: Type.Optional(Type.Literal(true, { description: 'a stop order that has reached its price' })),
  waiting: Type.Optional(Type.Literal(true, {
    description: 'it has not met the book yet: its market was not open, or its book not known'
  })),
  broker: Type.Optional(AtBroker),
  created_at: Timestamp()
}, closed)
export type OpenOrder = Static<typeof OpenOrder>

/** The accounts of users: a topic for each user. */
export const accounts = defineChannel({
  name: 'accounts',
  type: 'account',
  description: 'What users own.',
  keyed: false,
  access: 'internal',
  retention: { messages: 1 },
  schema: Account,
  reduce: 'last',
  compacted: true
})

/** The open orders of users: a topic for each user that has one. */
export const openOrders = defineChannel({
  name: 'open_orders',
  type: 'open_orders',
  description: 'The orders of users that may still change.',
  keyed: false,
  access: 'internal',
  retention: { messages: 1 },
  schema: Type.Object({ orders: Type.Array(OpenOrder, { maxItems: MOST_OPEN_ORDERS }) }, closed),
  reduce: 'last',
  compacted: true
})
