import type { CancelCommand, Command, OpenOrder, ReplaceCommand, SubmitCommand } from '@tickwire/protocol'
import { fieldsOf } from '../fields-of.js'
import {
  boundsFault, isKnown, newOrder, openOf, shortageOf, termsFault
} from '../trading/admission.js'
import type { Draft } from '../trading/draft.js'
import { format } from '../trading/money.js'
import { leavesOf, messageOf } from '../trading/order.js'
import { REASONS } from '../trading/rules.js'
import { pendCancel } from './events.js'
import {
  atBroker, firstReserved, isBeingCanceled, mayBeSold, NOTHING, reservingFor, TERMS, withAsk, withWantedTerms
} from './order-asks.js'
import { shortened } from './reason.js'
import type { BrokerState } from './state.js'

/**
 * Decides whether a user's request is one for the broker. The order of the request then says so, and whoever
 * gives requests to the broker reads it there.
 */
export function decideBrokerRequest (draft: Draft, state: BrokerState, user: string, command: Command): void {
  switch (command.action) {
    case 'submit_order': return submit(draft, state, user, command)
    case 'cancel_order': return cancel(draft, state, user, command)
    case 'replace_order': return replace(draft, state, user, command)
    // What users own is at the broker, so that nobody here can begin it anew.
    case 'reset_account': break
  }
}

function submit (draft: Draft, state: BrokerState, user: string, command: SubmitCommand): void {
  if (isKnown(state, user, command.order_id)) return
  const order: OpenOrder = { ...newOrder(draft, user, command), broker: NOTHING }
  const fault = termsFault(order) ?? currencyFault(draft, order) ?? boundsFault(draft, order)
  if (fault === undefined) order.reserved = format(firstReserved(order, draft.view.last(order.symbol)))
  const refusal = fault ?? shortage(draft, order)
  if (refusal !== undefined) {
    draft.change(order, 'rejected', refusal)
    return
  }
  draft.put(order)
  draft.tell(order, state.away ? { reason: REASONS.brokerAway } : {})
}

/** An order may reserve nothing, so cash that is not there does not stop it. */
function currencyFault (draft: Draft, { user, currency }: OpenOrder): string | undefined {
  const known = draft.account(user).balances.map(balance => balance.currency)
  return known.includes(currency)
    ? undefined
    : shortened(`the account has no ${currency}; it has ${known.join(', ')}`)
}

function cancel (draft: Draft, state: BrokerState, user: string, command: CancelCommand): void {
  const order = openOf(draft, state, user, command.order_id)
  if (order === undefined) return
  if (isBeingCanceled(order)) return draft.refuse(user, messageOf(order, draft.time), REASONS.asked)
  const next = withAsk(order, { action: 'cancel', request_id: command.request_id })
  draft.put(next)
  pendCancel(draft, next)
}

function replace (draft: Draft, state: BrokerState, user: string, command: ReplaceCommand): void {
  const order = openOf(draft, state, user, command.order_id)
  if (order === undefined) return
  const isAsked = atBroker(order).asks.length > 0
  const last = draft.view.last(order.symbol)
  const next = isAsked ? REASONS.asked : withWantedTerms(order, command, last)
  const refusal = typeof next === 'string' ? next : shortage(draft, next)
  if (typeof next === 'string' || refusal !== undefined) {
    return draft.refuse(user, messageOf(order, draft.time), refusal!)
  }
  const ask = { action: 'replace', request_id: command.request_id, ...fieldsOf(next, TERMS) } as const
  draft.put(reservingFor(withAsk(order, ask), next))
}

function shortage (draft: Draft, order: OpenOrder): string | undefined {
  const fault = shortageOf(draft, order)
  if (fault !== undefined || order.side === 'buy') return fault
  const free = draft.freePosition(order).minus(mayBeSold(draft, order))
  return free.lt(leavesOf(order)) ? REASONS.insufficientPosition : undefined
}
