import { type Static, Type } from '@sinclair/typebox'
import { entryOf, setEntry } from '../trading/records.js'
import { applyDecision, Decision, type ExchangeState, initialState } from '../trading/state.js'
import { BrokerEvent } from './broker.js'

/** The ended orders whose fills are remembered, so that a fill that comes again is known. */
const REMEMBERED_ORDERS = 2000

/** Orders that the server does not know, and events of each, that are kept until it may know them. */
const KEPT_STRANGERS = 100
const KEPT_EVENTS = 100

const Executions = Type.Array(Type.String())

/** What the server has decided about a request, or about what the broker says. */
export const BrokerDecision = Type.Object({
  ...Decision.properties,
  /** The position of the newest event that was decided about. */
  position: Type.Optional(Type.String()),
  /** The orders that have ended, each with the ids of its fills. */
  ended: Type.Array(Type.Tuple([Type.String(), Executions])),
  /** Orders that the server does not know, each with all events that came of it and do not count yet. */
  strangers: Type.Array(Type.Tuple([Type.String(), Type.Array(BrokerEvent)])),
  /** Whether the broker is away. */
  away: Type.Boolean(),
  /** Whether the log lacks events that nobody decided about; absent if that stays as it was. */
  gap: Type.Optional(Type.Boolean()),
  /** The epoch whose events count; absent if that stays as it was. */
  epoch: Type.Optional(Type.Integer()),
  /** Why an event of the broker was refused. */
  fault: Type.Optional(Type.String())
})
export type BrokerDecision = Static<typeof BrokerDecision>

/** The orders and accounts of users, and how far the server has heard the broker: plain JSON. */
export interface BrokerState extends ExchangeState {
  position?: string
  /** By id, the fills of orders that have ended, the oldest order first. */
  executions: Record<string, string[]>
  /** By id of an order that the server does not know, what the broker says of it, the oldest order first. */
  strangers: Record<string, BrokerEvent[]>
  away: boolean
  /** The log lacks events. No event counts until the broker has begun anew behind the position. */
  gap?: boolean
  /** The epoch of the shard of events in which the position was heard, or the gap was noted. */
  epoch?: number
}

export const initialBrokerState = (): BrokerState =>
  ({ ...initialState(), executions: {}, strangers: {}, away: false })

/** Applies a decision: changes the state, and returns it. */
export function applyBrokerDecision (state: BrokerState, decision: BrokerDecision): BrokerState {
  applyDecision(state, decision)
  if (decision.position !== undefined) state.position = decision.position
  state.away = decision.away
  if (decision.gap !== undefined) state.gap = decision.gap
  if (decision.epoch !== undefined) state.epoch = decision.epoch
  for (const [id, executions] of decision.ended) setEntry(state.executions, id, executions)
  if (decision.ended.length > 0) forgetOldest(state.executions, REMEMBERED_ORDERS)
  for (const [id, events] of decision.strangers) {
    if (events.length === 0) delete state.strangers[id]
    else setEntry(state.strangers, id, events)
  }
  forgetOldest(state.strangers, KEPT_STRANGERS)
  return state
}

function forgetOldest (record: Record<string, unknown>, most: number): void {
  for (const id of Object.keys(record).slice(0, -most)) delete record[id]
}

/** Returns the fills of an order that has ended; undefined if no such order is remembered. */
export const executionsOf = ({ executions }: BrokerState, id: string): readonly string[] | undefined =>
  entryOf(executions, id)

/** Returns the events of an order that the server does not know, with one that has come of it. */
export function strangersWith ({ strangers }: BrokerState, event: BrokerEvent): BrokerEvent[] {
  const known = entryOf(strangers, event.order_id) ?? []
  const text = JSON.stringify(event)
  const isKept = known.length >= KEPT_EVENTS || known.some(one => JSON.stringify(one) === text)
  return isKept ? known : [...known, event]
}

/** Returns an order that the server knows by now, and of which it has events that do not count yet. */
export const metStranger = ({ strangers, orders, executions }: BrokerState): string | undefined =>
  Object.keys(strangers).find(id => Object.hasOwn(orders, id) || Object.hasOwn(executions, id))
