import { TypeCompiler } from '@sinclair/typebox/compiler'
import { BrokerEvent, MAX_POSITION } from './broker.js'
import { shortened } from './reason.js'

/** Reads what a broker yields, which may be anything: an application wrote it, or somebody else's server. */

const check = TypeCompiler.Compile(BrokerEvent)

/** Returns an event as the log gets it; undefined if it is none. */
export function eventOf (heard: unknown): BrokerEvent | undefined {
  if (!check.Check(heard)) return undefined
  return 'reason' in heard && heard.reason !== undefined
    ? { ...heard, reason: shortened(heard.reason) }
    : heard
}

/** Returns the position of what a broker yields, whether or not it is an event. */
export function positionOf (heard: unknown): string | undefined {
  if (typeof heard !== 'object' || heard === null || !('position' in heard)) return undefined
  const { position } = heard
  return typeof position === 'string' && position.length <= MAX_POSITION ? position : undefined
}
