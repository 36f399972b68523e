import { randomBytes } from 'node:crypto'
import {
  barsChannel, compareDecimals, type ErrorCode, errorTable, type NewStrategy, ProtocolError, quotes,
  type StrategyRecord
} from '@tickwire/protocol'
import type { Identity } from '../auth/identity.js'
import { refuseRead } from '../auth/permissions.js'
import { type NameContext, refuseUnknown } from '../connection/selectors.js'
import { intervalOf, readParameters, type Registered, type StrategyRegistry } from './registry.js'
import type { AskedStatus, StrategyRecords } from './strategy-records.js'

/** Returns why somebody may not order a symbol; undefined if they may. */
export type MayTrade = (identity: Identity, symbol: string) => ErrorCode | undefined

export interface StrategiesOptions {
  readonly registry: StrategyRegistry
  readonly records: StrategyRecords
  readonly names: NameContext
  /** The most strategies of a user, and of all users that run or are paused. */
  readonly most: { readonly ofUser: number, readonly ofServer: number }
  /** Returns how many strategies of all users run or are paused. */
  readonly running: () => number
  /** Undefined: there is no broker, so that strategies cannot order. */
  readonly mayTrade: MayTrade | undefined
  /** Milliseconds since 1970. */
  readonly now?: () => number
  readonly randomId?: () => string
}

/** The strategies of users as they start, pause and stop them (PROTOCOL.md, Strategies). */
export class Strategies {
  private readonly now: () => number
  private readonly randomId: () => string

  constructor (private readonly options: StrategiesOptions) {
    this.now = options.now ?? Date.now
    // A topic has the id as its symbol, so that it must be one.
    this.randomId = options.randomId ?? (() => randomBytes(10).toString('hex'))
  }

  /** Returns what users can start. */
  registered (): Array<Readonly<Record<'name' | 'title' | 'description', string>> & { parameters: object }> {
    return Array.from(this.options.registry.all(), ({ strategy, parameters }) => {
      const { name, title = name, description } = strategy
      return { name, title, description, parameters }
    })
  }

  /** @throws ProtocolError `log_unavailable` */
  async list (user: string): Promise<readonly StrategyRecord[]> {
    return await this.options.records.list(user)
  }

  /**
   * Starts a strategy.
   * @throws ProtocolError `not_found`: there is no such strategy; `invalid_message`, `unknown_channel`,
   *   `unknown_symbol`, `forbidden`; `disabled`: it is to order, and there is no broker;
   *   `too_many_subscriptions`: the user has as many as a user may have; `overloaded`: all users together
   *   have; `log_unavailable`
   */
  async add (identity: Identity, wanted: NewStrategy): Promise<StrategyRecord> {
    const { registry, records, most, running } = this.options
    const registered = registry.require(wanted.name)
    const parameters = readParameters(registered, wanted.parameters ?? {})
    const { symbol, name, mode = 'signal', quantity = '1' } = wanted
    if (compareDecimals(quantity, '0') <= 0) {
      throw new ProtocolError('invalid_message', `'quantity': must be above 0, not ${quantity}`)
    }
    await this.permit(identity, registered, symbol, parameters)
    if (mode === 'paper') this.demandTrading(identity, symbol)
    if (running() >= most.ofServer) {
      throw new ProtocolError('overloaded', `the server runs at most ${most.ofServer} strategies`)
    }
    const at = new Date(this.now()).toISOString()
    const record: StrategyRecord = {
      strategy_id: this.randomId(),
      name,
      symbol,
      parameters,
      mode,
      quantity,
      status: 'running',
      version: 1,
      created_at: at,
      updated_at: at
    }
    await records.add(identity.user!, record, most.ofUser)
    return record
  }

  /**
   * Pauses, resumes or stops a strategy.
   * @throws ProtocolError `not_found`, `invalid_message`, `log_unavailable`
   */
  async ask (user: string, id: string, status: AskedStatus): Promise<StrategyRecord> {
    return await this.options.records.ask(user, id, status, this.now())
  }

  /** @throws ProtocolError `not_found`, `log_unavailable` */
  async remove (user: string, id: string): Promise<void> {
    await this.options.records.remove(user, id)
  }

  /** Asks of a strategy what a subscription to its data would be asked. */
  private async permit (
    identity: Identity, registered: Registered, symbol: string, parameters: StrategyRecord['parameters']
  ): Promise<void> {
    const { names } = this.options
    const interval = intervalOf(registered, parameters)
    for (const name of [...interval === undefined ? [] : [barsChannel(interval)], quotes.name]) {
      const channel = names.channels.get(name)
      if (channel === undefined) {
        throw new ProtocolError('unknown_channel',
          `this server has no channel ${name}, which the strategy watches`)
      }
      const refusal = refuseRead(identity, channel, symbol) ?? await refuseUnknown(names, channel, symbol)
      if (refusal !== undefined) throw new ProtocolError(refusal, `${name}: ${errorTable[refusal].message}`)
    }
  }

  private demandTrading (identity: Identity, symbol: string): void {
    const { mayTrade } = this.options
    if (mayTrade === undefined) {
      throw new ProtocolError('disabled', 'this server has no broker: only the mode signal is possible')
    }
    const refusal = mayTrade(identity, symbol)
    if (refusal !== undefined) {
      throw new ProtocolError(refusal,
        `the token does not permit to trade ${symbol}, which the mode paper needs`)
    }
  }
}
