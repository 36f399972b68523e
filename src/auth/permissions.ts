import { type ChannelDefinition, type ErrorCode, EVERY_SYMBOL, isServed } from '@tickwire/protocol'
import type { Identity } from './identity.js'

/** All questions of who may do what are answered here, alike for subscribe, snapshot, history and publish. */

/** Tells whether a pattern covers a topic, or a whole symbol set. */
function covers (pattern: string, channel: string, symbol: string | undefined): boolean {
  if (pattern === EVERY_SYMBOL || pattern === `${channel}:${EVERY_SYMBOL}`) return true
  return pattern === (symbol === undefined ? channel : `${channel}:${symbol}`)
}

/**
 * Says why somebody may not read a symbol or a symbol set of a channel; undefined if they may. A private
 * topic is always that of the token's own user, because no request can name another; a `read` claim must
 * cover it like any other topic. A channel for operators needs `admin` beside that: no pattern stands for it.
 */
export function refuseRead (
  identity: Identity, channel: ChannelDefinition, symbol: string | undefined
): ErrorCode | undefined {
  if (!isServed(channel)) return 'unknown_channel'
  if (channel.access === 'user' && identity.user === undefined) return 'unauthorized'
  const refusal = channel.access === 'admin' ? refuseAdmin(identity) : undefined
  if (refusal !== undefined) return refusal
  if (identity.read === undefined) {
    if (channel.access !== 'capability') return undefined
    return identity.user === undefined ? 'unauthorized' : 'forbidden'
  }
  return identity.read.some(pattern => covers(pattern, channel.name, symbol)) ? undefined : 'forbidden'
}

export function refusePublish (
  identity: Identity, channel: ChannelDefinition, symbol: string | undefined
): ErrorCode | undefined {
  if (!isServed(channel)) return 'unknown_channel'
  if (identity.user === undefined) return 'unauthorized'
  if (channel.access === 'admin' && !identity.admin) return 'forbidden'
  const { publish = [] } = identity
  return publish.some(pattern => covers(pattern, channel.name, symbol)) ? undefined : 'forbidden'
}

/**
 * Says why somebody may not send orders; undefined if they may.
 * @param symbol absent: orders of every symbol, such as all of an account
 */
export function refuseTrade (
  { user, trade }: Identity, symbol: string = EVERY_SYMBOL
): ErrorCode | undefined {
  if (user === undefined) return 'unauthorized'
  if (trade === undefined) return 'forbidden'
  if (trade === true || trade.includes(EVERY_SYMBOL)) return undefined
  return trade.includes(symbol) ? undefined : 'forbidden'
}

export const refuseAnonymous = ({ user }: Identity): ErrorCode | undefined =>
  user === undefined ? 'unauthorized' : undefined

export function refuseAdmin (identity: Identity): ErrorCode | undefined {
  if (identity.user === undefined) return 'unauthorized'
  return identity.admin ? undefined : 'forbidden'
}
