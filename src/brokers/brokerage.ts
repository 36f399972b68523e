import type { Command, OpenOrder } from '@tickwire/protocol'
import { Draft } from '../trading/draft.js'
import { Ledger } from '../trading/ledger.js'
import type { MarketView } from '../trading/market-view.js'
import { entryOf } from '../trading/records.js'
import { REASONS } from '../trading/rules.js'
import { dueAt, noteDays } from '../trading/sessions.js'
import { byNumber } from '../trading/symbol-orders.js'
import type { BrokerEvent } from './broker.js'
import type { BrokerNews } from './channels.js'
import { decideEvent, isStranger } from './events.js'
import { atBroker } from './order-asks.js'
import { decideBrokerRequest } from './requests.js'
import { applyBrokerDecision, type BrokerDecision, type BrokerState, strangersWith } from './state.js'

/** What is decided about. All times are in milliseconds since 1970. */
export type BrokerHappening =
  | { readonly kind: 'command', readonly user: string, readonly command: Command, readonly time: number }
  | {
    readonly kind: 'news'
    readonly news: BrokerNews
    /** Whether the log has dropped events before this one that were not decided about. */
    readonly missed: boolean
    /** In which the log took the event. */
    readonly epoch: number
    readonly time: number
  }
  /** The server knows an order by now of which the broker has spoken before. */
  | { readonly kind: 'met', readonly order: string, readonly time: number }
  /** Time has passed; see `nextDue`. */
  | { readonly kind: 'time', readonly time: number }

/** What a happening means beside the orders and accounts that it changes. */
interface Heard extends Partial<Pick<BrokerDecision, 'strangers' | 'gap' | 'epoch'>> {
  readonly position?: string | undefined
  readonly away?: boolean
  readonly fault?: string | undefined
}

/** The orders and accounts of users whose orders a broker fills. */
export class Brokerage extends Ledger<BrokerHappening, BrokerState, BrokerDecision> {
  override decide (
    state: BrokerState, market: MarketView, happening: BrokerHappening
  ): BrokerDecision | undefined {
    const draft = new Draft(state, this.indexOf(state), this.rules, market, happening.time)
    switch (happening.kind) {
      case 'command':
        decideBrokerRequest(draft, state, happening.user, happening.command)
        return decided(draft, state)
      case 'time':
        noteDays(draft, state)
        return decided(draft, state)
      case 'news':
        return this.hear(draft, state, happening)
      case 'met': {
        const [event, ...others] = state.strangers[happening.order]!
        return this.judge(draft, state, event!, { strangers: [[happening.order, others]] })
      }
    }
  }

  override nextDue (state: BrokerState, now: number): number | undefined {
    const index = this.indexOf(state)
    return dueAt(index, index.nextDay(now), now)
  }

  protected override change (state: BrokerState, decision: BrokerDecision): BrokerState {
    return applyBrokerDecision(state, decision)
  }

  private hear (
    draft: Draft, state: BrokerState, { news, missed, epoch }: Extract<BrokerHappening, { kind: 'news' }>
  ): BrokerDecision | undefined {
    // Also if a gap is known: whoever hears the broker may have begun anew before this.
    if (missed && news.type !== 'anew') return decided(draft, state, { gap: true, epoch })
    switch (news.type) {
      case 'anew': return decided(draft, state, news.after === state.position ? { gap: false, epoch } : {})
      case 'back': return decided(draft, state, { away: false })
      case 'away': {
        const waiting = Object.values(state.orders).filter(({ status }) => status === 'pending_new')
        for (const order of state.away ? [] : waiting.sort(byNumber)) {
          draft.tell(order, { reason: REASONS.brokerAway })
        }
        return decided(draft, state, { away: true })
      }
      default: return this.hearEvent(draft, state, news, epoch)
    }
  }

  private hearEvent (
    draft: Draft, state: BrokerState, event: BrokerEvent, epoch: number
  ): BrokerDecision | undefined {
    // A loss may have taken the events before it, and the decisions about them, at different points.
    if (epoch !== (state.epoch ?? epoch)) return decided(draft, state, { gap: true, epoch })
    // The broker says it again.
    if (state.gap === true) return undefined
    const { position, order_id: id } = event
    const kept = entryOf(state.strangers, id)
    // Events of one order count one after another: those that came before the server knew it are first.
    return kept === undefined || isStranger(state, event)
      ? this.judge(draft, state, event, { position, epoch })
      : decided(draft, state, { position, epoch, strangers: [[id, [...kept, event]]] })
  }

  private judge (
    draft: Draft, state: BrokerState, event: BrokerEvent, heard: Heard
  ): BrokerDecision | undefined {
    if (isStranger(state, event)) {
      // If the log has lost the order, it is decided again, perhaps after this.
      const strangers: BrokerDecision['strangers'] = [[event.order_id, strangersWith(state, event)]]
      return decided(draft, state, { ...heard, strangers, fault: 'there is no such order' })
    }
    let fault: string | undefined
    try {
      fault = decideEvent(draft, state, event)
      if (fault === undefined) return decided(draft, state, heard)
    } catch (error) {
      // Nothing that a broker says may end the processing of all orders.
      fault = error instanceof Error ? error.message : String(error)
    }
    return decided(draft.anew(), state, { ...heard, fault })
  }
}

function decided (
  draft: Draft,
  state: BrokerState,
  { position = state.position, away = state.away, strangers = [], fault, gap, epoch }: Heard = {}
): BrokerDecision | undefined {
  const changed = draft.decision()
  const isHeard = position !== state.position || away !== state.away || fault !== undefined ||
    strangers.length > 0 || gap !== undefined || (epoch !== undefined && epoch !== state.epoch)
  if (changed === undefined && !isHeard) return undefined
  const decision = changed ?? draft.whole()
  const gone = decision.open.filter(order => 'gone' in order)
  return {
    ...decision,
    ended: gone.map(({ order_id: id }) => executionsOf(draft, state, id)),
    strangers,
    away,
    ...(gap === undefined ? {} : { gap }),
    ...(epoch === undefined ? {} : { epoch }),
    ...(position === undefined ? {} : { position }),
    ...(fault === undefined ? {} : { fault })
  }
}

function executionsOf (draft: Draft, state: BrokerState, id: string): [id: string, executions: string[]] {
  const before: OpenOrder | undefined = entryOf(state.orders, id)
  return [id, before === undefined ? [] : atBroker(draft.current(before)).executions]
}
