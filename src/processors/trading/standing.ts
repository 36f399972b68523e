import { accounts, openOrders, portfolio } from '@tickwire/protocol'
import type { Output } from '../processor.js'

/** Accounts, open orders, and the portfolios of users who traded, are published this often at most, in ms. */
const CHANGED_MS = 250
/** Portfolios whose prices have moved are published this often at most, in milliseconds. */
const MOVED_MS = 1000
/** Most users whose portfolios are valued in one turn. */
const AT_ONCE = 200
/**
 * Of these, so many at most because their accounts or orders have changed, who come first: others would wait
 * for ever if users traded all the time.
 */
const CHANGED_AT_ONCE = 150

/** Says how things stand for a user. */
export interface Tells {
  account (user: string): unknown
  /** Null if the user has no open orders. */
  openOrders (user: string): unknown
  portfolio (user: string): unknown
}

/**
 * Publishes the accounts, open orders and portfolios of users now and then: those that have changed, and
 * portfolios whose prices have moved.
 */
export class Standing {
  /** Users whose accounts, and whose open orders, have changed since they were published. */
  private readonly accounts = new Set<string>()
  private readonly orders = new Set<string>()
  /** Users whose portfolios may be worth something else. */
  private readonly portfolios = new Set<string>()
  /** Symbols with new prices. */
  private readonly moved = new Set<string>()
  private changedAt = 0
  private movedAt = 0

  /** @param holders returns the users whose portfolios depend on the price of a symbol */
  constructor (
    private readonly tells: Tells,
    private readonly holders: (symbol: string) => Iterable<string>
  ) {}

  noteAccount (user: string): void {
    this.accounts.add(user)
    this.portfolios.add(user)
  }

  noteOrders (user: string): void {
    this.orders.add(user)
    // What open orders reserve is part of the portfolio.
    this.portfolios.add(user)
  }

  notePrice (symbol: string): void {
    this.moved.add(symbol)
  }

  /** Returns when something is to be published, in milliseconds since 1970; undefined if nothing is. */
  nextDue (): number | undefined {
    if (this.portfolios.size > 0 || this.accounts.size > 0) return this.changedAt + CHANGED_MS
    return this.moved.size > 0 ? this.movedAt + MOVED_MS : undefined
  }

  /** Whether all accounts and open orders are published as they are. */
  get isSaid (): boolean {
    return this.accounts.size === 0 && this.orders.size === 0
  }

  take (now: number): Output[] {
    if (this.moved.size > 0 && now >= this.movedAt + MOVED_MS) {
      this.movedAt = now
      for (const symbol of this.moved) for (const user of this.holders(symbol)) this.portfolios.add(user)
      this.moved.clear()
    }
    if (now < this.changedAt + CHANGED_MS || this.portfolios.size === 0) return []
    this.changedAt = now
    const outputs: Output[] = []
    for (const user of this.nextUsers()) {
      this.portfolios.delete(user)
      if (this.accounts.delete(user)) {
        outputs.push({ channel: accounts.name, user, data: this.tells.account(user) })
      }
      if (this.orders.delete(user)) {
        outputs.push({ channel: openOrders.name, user, data: this.tells.openOrders(user) })
      }
      outputs.push({ channel: portfolio.name, user, data: this.tells.portfolio(user) })
    }
    return outputs
  }

  /** Returns users who are due: those whose accounts or orders have changed, then those who wait longest. */
  private nextUsers (): Set<string> {
    const users = new Set<string>()
    add(users, this.accounts, CHANGED_AT_ONCE)
    add(users, this.orders, CHANGED_AT_ONCE)
    add(users, this.portfolios, AT_ONCE)
    return users
  }
}

/** Adds users to others until there are so many. */
function add (to: Set<string>, users: Iterable<string>, most: number): void {
  for (const user of users) {
    if (to.size >= most) return
    to.add(user)
  }
}
