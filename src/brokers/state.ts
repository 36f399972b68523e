import { type Static, Type } from '@sinclair/typebox'
import { entryOf, setEntry } from '../trading/records.js'
import { applyDecision, Decision, type ExchangeState, initialState } from '../trading/state.js'

/** The ended orders whose fills are remembered, so that a fill that comes again is known. */
const REMEMBERED_ORDERS = 2000

const Executions = Type.Array(Type.String())

/** What the server has decided about a request, or about what the broker says. */
export const BrokerDecision = Type.Object({
  ...Decision.properties,
  /** The position of the newest event that was decided about. */
  position: Type.Optional(Type.String()),
  /** The orders that have ended, each with the ids of its fills. */
  ended: Type.Array(Type.Tuple([Type.String(), Executions])),
  /** Whether the broker is away. */
  away: Type.Boolean(),
  /** Why an event of the broker was refused. */
  fault: Type.Optional(Type.String())
})
export type BrokerDecision = Static<typeof BrokerDecision>

/** The orders and accounts of users, and how far the server has heard the broker: plain JSON. */
export interface BrokerState extends ExchangeState {
  position?: string
  /** By id, the fills of orders that have ended, the oldest order first. */
  executions: Record<string, string[]>
  away: boolean
}

export const initialBrokerState = (): BrokerState => ({ ...initialState(), executions: {}, away: false })

/** Applies a decision: changes the state, and returns it. */
export function applyBrokerDecision (state: BrokerState, decision: BrokerDecision): BrokerState {
  applyDecision(state, decision)
  if (decision.position !== undefined) state.position = decision.position
  state.away = decision.away
  for (const [id, executions] of decision.ended) setEntry(state.executions, id, executions)
  const ids = decision.ended.length === 0 ? [] : Object.keys(state.executions)
  for (const id of ids.slice(0, -REMEMBERED_ORDERS)) delete state.executions[id]
  return state
}

/** Returns the fills of an order that has ended; undefined if no such order is remembered. */
export const executionsOf = ({ executions }: BrokerState, id: string): readonly string[] | undefined =>
  entryOf(executions, id)
