import { type ChannelDefinition, type ErrorCode, EVERY_SYMBOL, isServed } from '@tickwire/protocol'
import type { Identity } from './identity.js'

/** Every question of who may do what is answered here: subscribe, snapshot, history and publish ask alike. */

/** Whether a pattern covers a topic, or all that a symbol set stands for. */
function covers (pattern: string, channel: string, symbol: string | undefined): boolean {
  if (pattern === EVERY_SYMBOL || pattern === `${channel}:${EVERY_SYMBOL}`) return true
  return pattern === (symbol === undefined ? channel : `${channel}:${symbol}`)
}

/**
 * Why somebody may not read a symbol or a symbol set of a channel; undefined where they may.
 * A private topic is that of the token's own user, whom no request can name; a `read` claim must cover it as any other.
 */
export function refuseRead (identity: Identity, channel: ChannelDefinition, symbol: string | undefined): ErrorCode | undefined {
  if (!isServed(channel)) return 'unknown_channel'
  if (channel.access === 'user' && identity.user === undefined) return 'unauthorized'
  if (identity.read === undefined) {
    if (channel.access !== 'capability') return undefined
    return identity.user === undefined ? 'unauthorized' : 'forbidden'
  }
  return identity.read.some(pattern => covers(pattern, channel.name, symbol)) ? undefined : 'forbidden'
}

export function refusePublish (identity: Identity, channel: ChannelDefinition, symbol: string | undefined): ErrorCode | undefined {
  if (!isServed(channel)) return 'unknown_channel'
  if (identity.user === undefined) return 'unauthorized'
  return (identity.publish ?? []).some(pattern => covers(pattern, channel.name, symbol)) ? undefined : 'forbidden'
}

export function refuseAdmin (identity: Identity): ErrorCode | undefined {
  if (identity.user === undefined) return 'unauthorized'
  return identity.admin ? undefined : 'forbidden'
}
