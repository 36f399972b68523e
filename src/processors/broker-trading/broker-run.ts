import { type Command, commands, quotes, type Trade, trades } from '@tickwire/protocol'
import type { Brokerage, BrokerHappening } from '../../brokers/brokerage.js'
import { brokerEvents, type BrokerNews, brokerPosition } from '../../brokers/channels.js'
import { type BrokerDecision, type BrokerState, metStranger } from '../../brokers/state.js'
import type { Input, Output } from '../processor.js'
import { LedgerRun, type LedgerRunOptions, type Ordered } from '../trading/ledger-run.js'
import { isFill } from '../trading/market-memory.js'

export interface BrokerRunOptions extends LedgerRunOptions<Brokerage> {
  /** Called for an event of the broker that cannot be true. */
  onFault (news: BrokerNews, fault: string): void
}

/** A run of the orders that a broker fills: prices only value what users have, and what orders may cost. */
export class BrokerRun extends LedgerRun<BrokerHappening, BrokerState, BrokerDecision, Brokerage> {
  private saidPosition: string | undefined

  constructor (state: BrokerState, private readonly own: BrokerRunOptions) {
    super(state, own)
  }

  override concerns (topic: string): boolean {
    return topic === brokerEvents.name || super.concerns(topic)
  }

  override decide (message: Input): BrokerDecision | undefined {
    const { topic: { channel, symbol = '', user }, data, missed, epoch, timestamp: time } = message
    if (channel === commands.name) {
      return this.decideOn({ kind: 'command', user: user!, command: data as Command, time })
    }
    if (channel === brokerEvents.name) {
      const news = data as BrokerNews
      return this.decideNews({ kind: 'news', news, missed, epoch, time }, news)
    }
    this.market.observe(message)
    if (channel === quotes.name || (channel === trades.name && isFill(data as Trade))) {
      this.standing.notePrice(symbol)
    }
    return undefined
  }

  override nextDue (): number | undefined {
    return metStranger(this.state) === undefined ? super.nextDue() : 0
  }

  override decideDue (now: number): BrokerDecision | undefined {
    const order = metStranger(this.state)
    if (order !== undefined) {
      return this.decideNews({ kind: 'met', order, time: now }, this.state.strangers[order]![0]!)
    }
    return this.isDue(now) ? this.decideOn({ kind: 'time', time: now }) : undefined
  }

  protected override followOrder (order: Ordered, now: number): string[] {
    return [...this.interest.add(order.symbol, 'last', now), ...super.followOrder(order, now)]
  }

  /** A position is published once everything that follows from the events before it is. */
  override takeStates (now: number): readonly Output[] {
    const outputs = super.takeStates(now)
    const { position } = this.state
    if (position === undefined || position === this.saidPosition || !this.standing.isSaid) return outputs
    this.saidPosition = position
    return [...outputs, { channel: brokerPosition.name, data: { position } }]
  }

  private decideNews (happening: BrokerHappening, news: BrokerNews): BrokerDecision | undefined {
    const decision = this.decideOn(happening)
    if (decision?.fault !== undefined) this.own.onFault(news, decision.fault)
    return decision
  }
}
