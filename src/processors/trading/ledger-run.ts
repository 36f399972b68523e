import { commands, type Command, parseTopicKey, type SubmitCommand, topicKey } from '@tickwire/protocol'
import type { Ledger } from '../../trading/ledger.js'
import { portfolioOf, ratesFrom, type Valuation } from '../../trading/portfolio.js'
import type { Decision, ExchangeState } from '../../trading/state.js'
import type { Following, Input, Output } from '../processor.js'
import { Interest, type MarketDemand } from './interest.js'
import { MarketMemory } from './market-memory.js'
import { Standing } from './standing.js'

export type Ordered = Pick<SubmitCommand, 'symbol' | 'market' | 'currency'>

const COMMANDS_PREFIX = topicKey({ channel: commands.name, user: '' })

export interface LedgerRunOptions<Kept> {
  readonly ledger: Kept
  /** The currency of totals. */
  readonly base: string
  /** What an account has before its first request. */
  readonly currencies: readonly string[]
  readonly demand: MarketDemand
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/**
 * What a run keeps beside the orders and accounts of users: what it follows of the market, and who must be
 * told how things stand.
 */
export abstract class LedgerRun<
  Happening, State extends ExchangeState, Decided extends Decision,
  Kept extends Ledger<Happening, State, Decided> = Ledger<Happening, State, Decided>
> implements Following<Decided> {
  protected readonly market = new MarketMemory()
  protected readonly interest: Interest
  protected readonly standing: Standing
  private readonly valuation: Valuation
  /** By currency, whether its rates are followed. */
  private readonly rated = new Set<string>()

  /** @param state before the first decision of the run */
  constructor (protected readonly state: State, protected readonly options: LedgerRunOptions<Kept>) {
    const { ledger, base, demand } = options
    this.interest = new Interest(demand)
    const prices = (symbol: string): string | undefined => this.market.last(symbol)
    this.valuation = { base, prices, rates: ratesFrom(prices, base) }
    this.standing = new Standing({
      account: user => state.accounts[user],
      openOrders: user => {
        const orders = [...ledger.openOrdersOf(state, user)].sort((a, b) => a.number - b.number)
        return orders.length === 0 ? null : { orders }
      },
      portfolio: user => portfolioOf(
        state.accounts[user]!, ledger.openOrdersOf(state, user), this.valuation, options.now()
      )
    }, symbol => ledger.holdersOf(state, symbol))
  }

  begin (): readonly string[] {
    const { state, options: { now, currencies } } = this
    for (const currency of currencies) this.rated.add(currency)
    for (const [user, { balances }] of Object.entries(state.accounts)) {
      for (const { currency } of balances) this.rated.add(currency)
      this.standing.noteAccount(user)
      this.standing.noteOrders(user)
    }
    return this.followAll(now())
  }

  concerns (topic: string): boolean {
    return this.interest.has(topic) || topic.startsWith(COMMANDS_PREFIX)
  }

  needs ({ topic, data }: Input): readonly string[] {
    if (topic.channel !== commands.name) return []
    const command = data as Command
    return command.action === 'submit_order' ? this.followOrder(command, this.options.now()) : []
  }

  learn (topic: string, state: unknown): void {
    this.market.learn(parseTopicKey(topic), state)
  }

  abstract decide (message: Input): Decided | undefined

  abstract decideDue (now: number): Decided | undefined

  takeStates (now: number): readonly Output[] {
    for (const topic of this.interest.prune(now, () => { this.followAll(now) })) {
      this.market.forget(parseTopicKey(topic))
    }
    return this.standing.take(now)
  }

  nextDue (): number | undefined {
    const { state, options: { ledger, now } } = this
    const times = [ledger.nextDue(state, now()), this.standing.nextDue()]
    const known = times.filter((time): time is number => time !== undefined)
    return known.length === 0 ? undefined : Math.min(...known)
  }

  end (): void {
    this.interest.end()
  }

  /** Whether time alone changes something now. */
  protected isDue (now: number): boolean {
    const due = this.options.ledger.nextDue(this.state, now)
    return due !== undefined && due <= now
  }

  protected decideOn (happening: Happening): Decided | undefined {
    const decision = this.options.ledger.decide(this.state, this.market, happening)
    if (decision === undefined) return undefined
    for (const { user } of decision.accounts) this.standing.noteAccount(user)
    for (const { user } of decision.open) this.standing.noteOrders(user)
    return decision
  }

  /** Follows what an order needs. Returns the keys of topics with a state that were not followed. */
  protected followOrder ({ symbol, currency }: Ordered, now: number): string[] {
    return [...this.interest.add(symbol, 'price', now), ...this.followRates(currency, now)]
  }

  /** Follows the pairs that say what a currency is worth in the base currency. */
  private followRates (currency: string, now: number): string[] {
    const { base } = this.options
    this.rated.add(currency)
    if (currency === base) return []
    const pairs = [`${currency}-${base}`, `${base}-${currency}`]
    return pairs.flatMap(pair => this.interest.add(pair, 'price', now))
  }

  /** Follows everything that matters now. Returns the keys of topics with a state that were not followed. */
  private followAll (now: number): string[] {
    const { state, options: { ledger } } = this
    return [
      ...Object.values(state.orders).flatMap(order => this.followOrder(order, now)),
      ...Array.from(ledger.symbolsInUse(state)).flatMap(symbol => this.interest.add(symbol, 'price', now)),
      ...Array.from(this.rated).flatMap(currency => this.followRates(currency, now))
    ]
  }
}
