import { DECIMAL_PATTERN, MAX_DECIMAL_LENGTH, type SignalName, SIGNALS } from '@tickwire/protocol'
import Big from 'big.js'
import type { SignalOptions, Strategy, StrategyContext } from './define-strategy.js'

const MAX_REASON = 256
const decimal = new RegExp(DECIMAL_PATTERN)

/** What a strategy says. */
export interface Signal {
  readonly signal: SignalName
  /** A decimal above 0; undefined: as the user has said. */
  readonly quantity?: string
  readonly reason?: string
}

/** What a strategy is told beside a message. */
export interface Moment {
  /** Milliseconds since 1970. */
  readonly time: number
  readonly position: number
}

/** The kinds of messages that a strategy gets. */
export const CALLBACK_OF = { bar: 'onBar', quote: 'onQuote', order: 'onOrder' } as const
export type MessageKind = keyof typeof CALLBACK_OF

/** A strategy that watches a symbol: the same code in a worker of the server and in a backtest. */
export class StrategyInstance {
  private readonly context: StrategyContext<Record<string, unknown>>
  private state: unknown
  private moment: Moment = { time: 0, position: 0 }
  private given: Signal | undefined

  constructor (
    private readonly strategy: Strategy,
    symbol: string,
    parameters: Record<string, unknown>,
    log: (line: string) => void
  ) {
    const stateOf = (): unknown => this.state
    const momentOf = (): Moment => this.moment
    this.context = {
      symbol,
      parameters,
      get state () { return stateOf() },
      get position () { return momentOf().position },
      get time () { return momentOf().time },
      signal: (signal, options) => { this.given = checked(signal, options) },
      log: line => { log(String(line)) }
    }
  }

  /** @throws what the strategy throws */
  start (): void {
    const { context, strategy } = this
    this.state = noPromise('onStart', strategy.onStart?.(context as StrategyContext<never, undefined>))
    this.given = undefined
  }

  /** Gives the strategy a message. @returns its signal @throws what the strategy throws */
  hear (kind: MessageKind, data: unknown, moment: Moment): Signal | undefined {
    const callback = CALLBACK_OF[kind]
    this.moment = moment
    this.given = undefined
    noPromise(callback, this.strategy[callback]?.(data as never, this.context as never))
    return this.given
  }
}

/** A callback that goes on after it has returned could give no signal, and nobody would stop it. */
function noPromise (callback: string, returned: unknown): unknown {
  if (typeof (returned as { then?: unknown } | undefined | null)?.then !== 'function') return returned
  Promise.resolve(returned).catch(() => {})
  throw new TypeError(`${callback} returned a promise; a strategy must answer at once`)
}

/** @throws TypeError */
function checked (signal: SignalName, { quantity, reason }: SignalOptions = {}): Signal {
  if (!SIGNALS.includes(signal)) {
    throw new TypeError(`there is no signal ${JSON.stringify(signal)}; there are: ${SIGNALS.join(', ')}`)
  }
  return {
    signal,
    ...quantity === undefined ? {} : { quantity: amountOf(quantity) },
    ...reason === undefined ? {} : { reason: String(reason).slice(0, MAX_REASON) }
  }
}

/** Writes a quantity as a decimal. @throws TypeError if it is not above 0 */
function amountOf (quantity: string | number): string {
  const isFinite = typeof quantity === 'number' ? Number.isFinite(quantity) : decimal.test(quantity)
  const text = isFinite ? new Big(quantity).toFixed() : ''
  if (text === '' || text.length > MAX_DECIMAL_LENGTH || !new Big(text).gt(0)) {
    throw new TypeError(`a signal has the quantity ${JSON.stringify(quantity)}; it must be above 0`)
  }
  return text
}
