import { parseStreamQuery, type SubscribeParameter } from '@tickwire/protocol'
import type { Json } from './notation.js'
import { Failure } from './watch.js'

/** One selector that a client asks for, or that a scenario wants it to ask for. */
export interface Asked {
  /** `quotes:A`, or `news`. */
  readonly selector: string
  /** The position; undefined: none. */
  readonly after: unknown
  readonly options: Json
}

/** Reads a selector as a query writes it: `quotes:A,B;throttle_ms=250`. */
export const parameterOf = (text: string): SubscribeParameter =>
  parseStreamQuery(`subscribe=${encodeURIComponent(text)}`).subscribe[0]!

const definedOf = (options: Json): Json =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))

/** Returns the selectors of a `subscribe=` of a query that comes with a position. */
export function askedByQuery (
  { channel, symbols, throttleMs, depth, last, fresh }: SubscribeParameter,
  after: string | undefined
): Asked[] {
  const options = definedOf({ throttle_ms: throttleMs, depth, last })
  return selectorsOf(channel, symbols)
    .map(selector => ({ selector, after: fresh === true ? undefined : after, options }))
}

/** Returns the selectors of a `subscribe` action. */
export function askedByAction (action: Json): Asked[] {
  const { channel, symbols, throttle_ms: throttle, depth, last, fresh, after } = action
  return selectorsOf(channel as string, symbols as string[] | undefined)
    .map(selector => ({
      selector,
      after: fresh === true ? undefined : after,
      options: definedOf({ throttle_ms: throttle, depth, last })
    }))
}

const selectorsOf = (channel: string, symbols: readonly string[] | undefined): string[] =>
  symbols === undefined ? [channel] : symbols.map(symbol => `${channel}:${symbol}`)

/** Reads what a scenario wants: `quotes:A,B;throttle_ms=250 after=c1`; no `after`: without a position. */
export function wantedOf (text: string): Asked[] {
  const [selectors = '', position] = text.split(' after=')
  return askedByQuery(parameterOf(selectors), position)
}

const positionOf = (after: unknown): string =>
  after === undefined ? 'without a position' : `after ${JSON.stringify(after)}`

/**
 * Judges what a client has asked for so far, which may be a part of what is wanted.
 * @throws Failure if it asks for anything else, or from another position
 */
export function judgeAsked (asked: readonly Asked[], wanted: readonly Asked[]): void {
  for (const { selector, after, options } of asked) {
    const match = wanted.find(candidate => candidate.selector === selector)
    if (match === undefined) {
      throw new Failure(`it asks for ${selector}, which it must not have subscribed now`)
    }
    if (after !== match.after) {
      throw new Failure(`it asks for ${selector} ${positionOf(after)}, and not ${positionOf(match.after)}`)
    }
    for (const [name, value] of Object.entries(match.options)) {
      if (options[name] !== value) {
        const asks = `it asks for ${selector} with ${name} ${String(options[name])}`
        throw new Failure(`${asks}, and not ${String(value)}`)
      }
    }
  }
}

/** Returns the wanted selectors that a client has not asked for. */
export const missingOf = (asked: readonly Asked[], wanted: readonly Asked[]): string[] =>
  wanted.map(({ selector }) => selector)
    .filter(selector => asked.every(candidate => candidate.selector !== selector))
