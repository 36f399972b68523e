import {
  type Command, commands, market as marketChannel, parseTopicKey, quotes, type SubmitCommand, topicKey,
  type Trade, trades
} from '@tickwire/protocol'
import type { Exchange, Happening } from '../../trading/exchange.js'
import { portfolioOf, ratesFrom, type Valuation } from '../../trading/portfolio.js'
import type { Decision, ExchangeState } from '../../trading/state.js'
import type { Following, Input, Output } from '../processor.js'
import { Interest, type MarketDemand } from './interest.js'
import { isFill, MarketMemory } from './market-memory.js'
import { Standing } from './standing.js'

type Ordered = Pick<SubmitCommand, 'symbol' | 'market' | 'currency'>
type Untimed<Kind> = Kind extends Happening ? Omit<Kind, 'time'> : never
/** Something that has happened, at a time that nobody noted. */
type Pending = Untimed<Extract<Happening, { kind: 'book' | 'market' | 'last' }>>

const COMMANDS_PREFIX = topicKey({ channel: commands.name, user: '' })

export interface TradingRunOptions {
  readonly exchange: Exchange
  readonly state: ExchangeState
  /** The currency of totals. */
  readonly base: string
  /** What an account has before its first request. */
  readonly currencies: readonly string[]
  readonly demand: MarketDemand
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/**
 * What a run of the paper exchange keeps beside its state: what it follows of the market, and who must be
 * told how things stand.
 */
export class TradingRun implements Following<Decision> {
  private readonly market = new MarketMemory()
  private readonly interest: Interest
  private readonly standing: Standing
  private readonly valuation: Valuation
  /**
   * What has happened and was not decided about yet: by key, the newest of its kind. When a run begins, books
   * and statuses may have changed while no server ran the exchange.
   */
  private readonly pending = new Map<string, Pending>()
  /** By currency, whether its rates are followed. */
  private readonly rated = new Set<string>()

  constructor (private readonly options: TradingRunOptions) {
    const { exchange, state, base, demand } = options
    this.interest = new Interest(demand)
    const prices = (symbol: string): string | undefined => this.market.last(symbol)
    this.valuation = { base, prices, rates: ratesFrom(prices, base) }
    this.standing = new Standing({
      account: user => state.accounts[user],
      openOrders: user => {
        const orders = [...exchange.openOrdersOf(state, user)].sort((a, b) => a.number - b.number)
        return orders.length === 0 ? null : { orders }
      },
      portfolio: user => portfolioOf(
        state.accounts[user]!, exchange.openOrdersOf(state, user), this.valuation, options.now()
      )
    }, symbol => exchange.holdersOf(state, symbol))
  }

  begin (): readonly string[] {
    const { state, now, currencies } = this.options
    for (const currency of currencies) this.rated.add(currency)
    for (const [user, { balances }] of Object.entries(state.accounts)) {
      for (const { currency } of balances) this.rated.add(currency)
      this.standing.noteAccount(user)
      this.standing.noteOrders(user)
    }
    const orders = Object.values(state.orders)
    for (const { symbol } of orders) this.postpone({ kind: 'book', symbol })
    for (const { market } of orders) if (market !== undefined) this.postpone({ kind: 'market', market })
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

  decide (message: Input): Decision | undefined {
    const { topic: { channel, symbol = '', user }, data, timestamp: time } = message
    if (channel === commands.name) {
      return this.decideOn({ kind: 'command', user: user!, command: data as Command, time })
    }
    this.market.observe(message)
    if (channel === marketChannel.name) return this.decideOn({ kind: 'market', market: symbol, time })
    if (channel === quotes.name) return this.decideQuote(symbol, time)
    if (channel !== trades.name) return this.decideOn({ kind: 'book', symbol, time })
    const trade = data as Trade
    if (!isFill(trade)) return undefined
    this.standing.notePrice(symbol)
    return this.decideOn({ kind: 'trade', symbol, price: trade.price, size: trade.size, time })
  }

  decideDue (now: number): Decision | undefined {
    for (const [key, happening] of this.pending) {
      this.pending.delete(key)
      const decision = this.decideOn({ ...happening, time: now })
      if (decision !== undefined) return decision
    }
    const { exchange, state } = this.options
    const due = exchange.nextDue(state, now)
    return due === undefined || due > now ? undefined : this.decideOn({ kind: 'time', time: now })
  }

  takeStates (now: number): readonly Output[] {
    for (const topic of this.interest.prune(now, () => { this.followAll(now) })) {
      this.market.forget(parseTopicKey(topic))
    }
    return this.standing.take(now)
  }

  nextDue (): number | undefined {
    if (this.pending.size > 0) return 0
    const { exchange, state, now } = this.options
    const times = [exchange.nextDue(state, now()), this.standing.nextDue()]
    const known = times.filter((time): time is number => time !== undefined)
    return known.length === 0 ? undefined : Math.min(...known)
  }

  end (): void {
    this.interest.end()
  }

  private postpone (happening: Pending): void {
    const of = 'symbol' in happening ? happening.symbol : happening.market
    this.pending.set(`${happening.kind} ${of}`, happening)
  }

  private decideOn (happening: Happening): Decision | undefined {
    const { exchange, state } = this.options
    const decision = exchange.decide(state, this.market, happening)
    if (decision === undefined) return undefined
    for (const { user } of decision.accounts) this.standing.noteAccount(user)
    for (const { user } of decision.open) this.standing.noteOrders(user)
    return decision
  }

  /** A quote is a book where there is no other, and tells of a last price. */
  private decideQuote (symbol: string, time: number): Decision | undefined {
    this.standing.notePrice(symbol)
    const decision = this.market.hasBook(symbol) ? undefined : this.decideOn({ kind: 'book', symbol, time })
    const price = this.market.last(symbol)
    if (price === undefined) return decision
    if (decision === undefined) return this.decideOn({ kind: 'last', symbol, price, time })
    this.postpone({ kind: 'last', symbol, price })
    return decision
  }

  private followOrder ({ symbol, market, currency }: Ordered, now: number): string[] {
    return [
      ...this.interest.add(symbol, 'order', now),
      ...market === undefined ? [] : this.interest.addMarket(market, now),
      ...this.followRates(currency, now)
    ]
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
    const { exchange, state } = this.options
    return [
      ...Object.values(state.orders).flatMap(order => this.followOrder(order, now)),
      ...Array.from(exchange.symbolsInUse(state)).flatMap(symbol => this.interest.add(symbol, 'price', now)),
      ...Array.from(this.rated).flatMap(currency => this.followRates(currency, now))
    ]
  }
}
