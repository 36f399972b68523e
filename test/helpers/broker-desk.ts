import { TypeCompiler } from '@sinclair/typebox/compiler'
import type { Account, Command, OpenOrder, ReplaceCommand, SubmitCommand } from '@tickwire/protocol'
import type { BrokerEvent } from '../../src/brokers/broker.js'
import { Brokerage, type BrokerHappening } from '../../src/brokers/brokerage.js'
import { BrokerDecision, initialBrokerState, metStranger } from '../../src/brokers/state.js'
import { paperRules } from './paper-desk.js'
import { ShownMarket } from './shown-market.js'

const isDecision = TypeCompiler.Compile(BrokerDecision)

/** The orders of one user, `u`, at a broker that is moved by hand. */
export class BrokerDesk extends ShownMarket {
  readonly brokerage: Brokerage
  state = initialBrokerState()
  decision: BrokerDecision | undefined
  private now = Date.parse('2026-02-07T14:30:00Z')
  private requests = 0

  constructor (rules = paperRules()) {
    super()
    this.brokerage = new Brokerage(rules)
  }

  /** Submits an order: `buy 5 limit 185.50`. */
  submit (id: string, text: string, more: Partial<SubmitCommand> = {}): string[] {
    const [side, quantity, type, price] = text.split(' ')
    return this.command({
      action: 'submit_order',
      order_id: id,
      client_order_id: id,
      symbol: 'A',
      currency: 'USD',
      side: side as 'buy',
      order_type: type as 'limit',
      time_in_force: 'gtc',
      quantity: quantity!,
      ...price === undefined ? {} : { limit_price: price },
      ...more
    })
  }

  /** The requests are called r1, r2 and so on. */
  replace (id: string, terms: Partial<ReplaceCommand>): string[] {
    return this.command({ action: 'replace_order', request_id: `r${++this.requests}`, order_id: id, ...terms })
  }

  hear (...events: BrokerEvent[]): string[] {
    return events.flatMap(news => this.happen({ kind: 'news', news, missed: false, epoch: 1, time: ++this.now }))
  }

  fill (id: string, execution: string, quantity: string, price: string): string[] {
    return this.hear({ type: 'filled', order_id: id, execution_id: execution, quantity, price, fee: '0' })
  }

  /** Decides about one kept event of an order that was unknown. */
  meet (): string[] {
    return this.happen({ kind: 'met', order: metStranger(this.state)!, time: ++this.now })
  }

  price (last: string): void {
    this.lasts.set('A', last)
  }

  order (id: string): OpenOrder {
    return this.state.orders[id]!
  }

  get account (): Account {
    return this.state.accounts['u']!
  }

  private command (command: Command): string[] {
    return this.happen({ kind: 'command', user: 'u', command, time: ++this.now })
  }

  /** Decides about something, and returns what is said about it, a line for each message. */
  private happen (happening: BrokerHappening): string[] {
    const decision = this.brokerage.decide(this.state, this, happening)
    this.decision = decision
    if (decision === undefined) return []
    if (!isDecision.Check(decision)) throw new Error(JSON.stringify([...isDecision.Errors(decision)]))
    this.state = this.brokerage.apply(this.state, JSON.parse(JSON.stringify(decision)) as BrokerDecision)
    return decision.orders.map(({ order: { order_id: id, status, filled_qty: filled, quantity, reason } }) =>
      `${id} ${status} ${filled}/${quantity}${reason === undefined ? '' : ` (${reason})`}`)
  }
}
