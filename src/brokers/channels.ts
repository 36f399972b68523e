import { type Static, Type } from '@sinclair/typebox'
import { COMMAND_SECONDS, defineChannel } from '@tickwire/protocol'
import { BrokerEvent } from './broker.js'

/** The most events that the log keeps: a server that takes over reads on from where the last one was. */
const MAX_EVENTS = 100_000
const closed = { additionalProperties: false } as const

/**
 * An event of the broker, or that nobody can reach it, or that somebody can again; or that its events begin
 * anew behind a position, because the log has dropped some.
 */
export const BrokerNews = Type.Union([
  BrokerEvent,
  Type.Object({ type: Type.Literal('away') }, closed),
  Type.Object({ type: Type.Literal('back') }, closed),
  Type.Object({ type: Type.Literal('anew'), after: Type.Optional(Type.String()) }, closed)
])
export type BrokerNews = Static<typeof BrokerNews>

/** What the broker says, in the order in which the server heard it. */
export const brokerEvents = defineChannel({
  name: 'broker.events',
  type: 'broker.event',
  description: 'What the broker says of orders.',
  keyed: false,
  access: 'internal',
  retention: { seconds: COMMAND_SECONDS, messages: MAX_EVENTS },
  schema: BrokerNews
})

/**
 * The position up to which the accounts and open orders that were published have all events. If the log has
 * forgotten the journal, the broker is asked for those after it.
 */
export const brokerPosition = defineChannel({
  name: 'broker.position',
  type: 'broker.position',
  description: 'How far the server has heard the broker.',
  keyed: false,
  access: 'internal',
  retention: { messages: 1 },
  schema: Type.Object({ position: Type.String() }, closed),
  reduce: 'last',
  compacted: true
})
