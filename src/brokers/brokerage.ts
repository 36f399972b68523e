import type { Command, OpenOrder } from '@tickwire/protocol'
import { Draft } from '../trading/draft.js'
import { Ledger } from '../trading/ledger.js'
import type { MarketView } from '../trading/market-view.js'
import { entryOf } from '../trading/records.js'
import { REASONS } from '../trading/rules.js'
import { dueAt, noteDays } from '../trading/sessions.js'
import { byNumber } from '../trading/symbol-orders.js'
import type { BrokerNews } from './channels.js'
import { decideEvent } from './events.js'
import { atBroker } from './order-asks.js'
import { decideBrokerRequest } from './requests.js'
import { applyBrokerDecision, type BrokerDecision, type BrokerState } from './state.js'

/** What is decided about. All times are in milliseconds since 1970. */
export type BrokerHappening =
  | { readonly kind: 'command', readonly user: string, readonly command: Command, readonly time: number }
  | { readonly kind: 'news', readonly news: BrokerNews, readonly time: number }
  /** Time has passed; see `nextDue`. */
  | { readonly kind: 'time', readonly time: number }

/** What a happening means beside the orders and accounts that it changes. */
interface Heard {
  readonly position?: string | undefined
  readonly away?: boolean
  readonly fault?: string | undefined
}

/** The orders and accounts of users whose orders a broker fills. */
export class Brokerage extends Ledger<BrokerHappening, BrokerState, BrokerDecision> {
  override decide (
    state: BrokerState, market: MarketView, happening: BrokerHappening
  ): BrokerDecision | undefined {
    const draft = this.draft(state, market, happening)
    switch (happening.kind) {
      case 'command':
        decideBrokerRequest(draft, state, happening.user, happening.command)
        return decided(draft, state)
      case 'time':
        noteDays(draft, state)
        return decided(draft, state)
      case 'news':
        return this.hear(draft, state, market, happening)
    }
  }

  override nextDue (state: BrokerState, now: number): number | undefined {
    const index = this.indexOf(state)
    return dueAt(index, index.nextDay(now), now)
  }

  protected override change (state: BrokerState, decision: BrokerDecision): BrokerState {
    return applyBrokerDecision(state, decision)
  }

  private draft (state: BrokerState, market: MarketView, { time }: BrokerHappening): Draft {
    return new Draft(state, this.indexOf(state), this.rules, market, time)
  }

  private hear (
    draft: Draft,
    state: BrokerState,
    market: MarketView,
    happening: Extract<BrokerHappening, { kind: 'news' }>
  ): BrokerDecision | undefined {
    const { news } = happening
    if (news.type === 'back') return decided(draft, state, { away: false })
    if (news.type === 'away') {
      const waiting = Object.values(state.orders).filter(({ status }) => status === 'pending_new')
      for (const order of state.away ? [] : waiting.sort(byNumber)) {
        draft.tell(order, { reason: REASONS.brokerAway })
      }
      return decided(draft, state, { away: true })
    }
    const { position } = news
    try {
      const fault = decideEvent(draft, state, news)
      if (fault === undefined) return decided(draft, state, { position })
      return decided(this.draft(state, market, happening), state, { position, fault })
    } catch (error) {
      // Nothing that a broker says may end the processing of all orders.
      const fault = error instanceof Error ? error.message : String(error)
      return decided(this.draft(state, market, happening), state, { position, fault })
    }
  }
}

function decided (
  draft: Draft, state: BrokerState, { position = state.position, away = state.away, fault }: Heard = {}
): BrokerDecision | undefined {
  const changed = draft.decision()
  const isHeard = position !== state.position || away !== state.away || fault !== undefined
  if (changed === undefined && !isHeard) return undefined
  const decision = changed ?? draft.whole()
  return {
    ...decision,
    ended: decision.open.flatMap(order => 'gone' in order ? [executionsOf(draft, state, order.order_id)] : []),
    away,
    ...(position === undefined ? {} : { position }),
    ...(fault === undefined ? {} : { fault })
  }
}

function executionsOf (draft: Draft, state: BrokerState, id: string): [id: string, executions: string[]] {
  const before: OpenOrder | undefined = entryOf(state.orders, id)
  return [id, before === undefined ? [] : atBroker(draft.current(before)).executions]
}
