import { Kind, type Static, type TObject } from '@sinclair/typebox'
import { type Bar, type Order, type Quote, STRATEGY_NAME, type SignalName } from '@tickwire/protocol'

/** Where the package is installed twice, each copy knows the strategies of the other by it. */
const MARK = Symbol.for('tickwire.strategy')
const OPTIONS = ['name', 'title', 'description', 'parameters', 'onStart', 'onBar', 'onQuote', 'onOrder']
const CALLBACKS = ['onStart', 'onBar', 'onQuote', 'onOrder']
/** The parameter that every strategy has which gets bars. */
export const INTERVAL = 'interval'

export interface SignalOptions {
  /** How much, above 0; default: the quantity with which the user has started the strategy. */
  readonly quantity?: string | number
  /** Why, for people: at most 256 characters. */
  readonly reason?: string
}

/** What a callback works with. All it knows comes from here and from the message, and so does its time. */
export interface StrategyContext<Parameters = unknown, State = unknown> {
  readonly symbol: string
  /** Checked against the schema, with the defaults of those that the user has left out. */
  readonly parameters: Parameters
  /** What `onStart` has returned. */
  readonly state: State
  /** What the strategy has bought and not sold, with orders that are under way. */
  readonly position: number
  /** When the log took the message, in milliseconds since 1970; in `onStart` 0. */
  readonly time: number
  /**
   * Says what to do. A call has one signal: a later one in the same call replaces it.
   * @throws TypeError if it is none of `buy`, `sell` and `flat`, or if its quantity is not above 0
   */
  signal (signal: SignalName, options?: SignalOptions): void
  /** Writes a line to the log of the server: at most 10 lines of a call, and 500 characters of a line. */
  log (line: string): void
}

/**
 * A strategy reacts to messages by signals. The same messages must make the same signals: the server starts
 * a strategy again, on this server or another, by the bars that it has retained.
 */
export interface StrategyDefinition<Parameters extends TObject = TObject, State = unknown> {
  /** Lower case: letters, digits and _. */
  readonly name: string
  /** Its name for people; default: the name. */
  readonly title?: string
  /** A sentence for people. */
  readonly description: string
  /**
   * Made with `Type.Object`: numbers, texts and booleans, with defaults and bounds. A strategy with `onBar`
   * also has the parameter `interval`: `1s`, `1m` (default) or `5m`.
   */
  readonly parameters: Parameters
  /** Returns the state that the other calls get. It gives no signal. */
  onStart? (context: StrategyContext<Static<Parameters>, undefined>): State
  /** Gets each bar when it closes. When the strategy starts, it gets past bars; their signals do nothing. */
  onBar? (bar: Bar, context: StrategyContext<Static<Parameters>, State>): void
  /** Gets the newest quote; those between two calls are left out. */
  onQuote? (quote: Quote, context: StrategyContext<Static<Parameters>, State>): void
  /** Gets each message of `orders` about an order of this strategy. */
  onOrder? (order: Order, context: StrategyContext<Static<Parameters>, State>): void
}

/** A definition that {@link defineStrategy} has checked. */
export type Strategy<Parameters extends TObject = TObject, State = unknown> =
  StrategyDefinition<Parameters, State> & { readonly [MARK]: true }

/**
 * Makes a strategy (docs/strategies.md).
 * @throws TypeError that says what is wrong with the definition
 */
export function defineStrategy<Parameters extends TObject, State = undefined> (
  definition: StrategyDefinition<Parameters, State>
): Strategy<Parameters, State> {
  const fault = strategyFault({ ...definition })
  if (fault !== undefined) throw new TypeError(fault)
  return { ...definition, [MARK]: true }
}

export function isStrategy (value: unknown): value is Strategy {
  return typeof value === 'object' && value !== null && MARK in value
}

/** Returns a sentence that says why a definition cannot be used; undefined if it can. */
function strategyFault (definition: Readonly<Record<string, unknown>>): string | undefined {
  const { name, title, description, parameters } = definition
  if (typeof name !== 'string' || !new RegExp(STRATEGY_NAME).test(name)) {
    return `a strategy has the name ${JSON.stringify(name)}: it must be lower case, ` +
      'a letter and then letters, digits and _, at most 64 of them'
  }
  const at = `the strategy ${name}`
  const unknown = Object.keys(definition).find(option => !OPTIONS.includes(option))
  if (unknown !== undefined) return `${at} has an option '${unknown}'; there are: ${OPTIONS.join(', ')}`
  if (typeof description !== 'string' || description === '') return `${at} has no description`
  if (title !== undefined && typeof title !== 'string') return `${at} has a title that is not a text`
  const wrong = CALLBACKS.find(callback =>
    definition[callback] !== undefined && typeof definition[callback] !== 'function')
  if (wrong !== undefined) return `${at} has ${wrong}, but that is not a function`
  if (definition['onBar'] === undefined && definition['onQuote'] === undefined) {
    return `${at} has neither onBar nor onQuote: it would never get a message`
  }
  const schema = parameters as { [Kind]?: string, properties?: object } | undefined
  if (schema?.[Kind] !== 'Object' || schema.properties === undefined) {
    return `${at} has parameters that are not made with Type.Object({ … })`
  }
  if (!(INTERVAL in schema.properties)) return undefined
  return `${at} has a parameter '${INTERVAL}', which the server adds`
}
