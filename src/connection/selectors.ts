import { type Channels, type ErrorCode, errorTable, EVERY_SYMBOL, isSymbolSet, ProtocolError, type RejectedSymbol } from '@tickwire/protocol'
import type { Identity } from '../auth/identity.js'
import { refuseRead } from '../auth/permissions.js'
import type { Directory } from '../hub/directory.js'
import { makeSelector, type Selector } from '../hub/selector.js'

/** What names are judged by. */
export interface NameContext {
  readonly channels: Channels
  readonly directory: Directory
  /** Whether a well-formed symbol that nobody knows is accepted. */
  readonly acceptUnknownSymbols: boolean
}

export interface ResolvedSelectors {
  readonly granted: Selector[]
  readonly rejected: RejectedSymbol[]
}

/**
 * What a channel and its symbols, as a client wrote them, stand for.
 * @throws ProtocolError where the channel does not exist or takes no such symbols
 */
export function resolveSelectors (
  context: NameContext, identity: Identity, channelName: string, symbols: readonly string[] | undefined
): ResolvedSelectors {
  const channel = context.channels.get(channelName)
  if (channel === undefined || channel.access === 'internal') throw new ProtocolError('unknown_channel')
  if (channel.keyed && symbols === undefined) throw new ProtocolError('bad_request', `${channel.name} needs symbols; * stands for all`)
  if (!channel.keyed && symbols !== undefined) throw new ProtocolError('bad_request', `${channel.name} has no symbols`)
  const granted: Selector[] = []
  const rejected: RejectedSymbol[] = []
  for (const symbol of new Set<string | undefined>(symbols ?? [undefined])) {
    if (symbol !== undefined && symbol !== EVERY_SYMBOL && isSymbolSet(symbol)) {
      throw new ProtocolError('bad_request', 'sets by market and sector are not available yet; * stands for all symbols')
    }
    const refusal = refuseRead(identity, channel, symbol) ?? refuseUnknown(context, channel.name, symbol)
    if (refusal === undefined) granted.push(makeSelector(channel, symbol, identity.user))
    else rejected.push({ ...(symbol === undefined ? {} : { symbol }), code: refusal, message: errorTable[refusal].message })
  }
  return { granted, rejected }
}

/** As {@link resolveSelectors}, where one refusal refuses the request. */
export function requireSelectors (
  context: NameContext, identity: Identity, channelName: string, symbols: readonly string[] | undefined
): Selector[] {
  const { granted, rejected } = resolveSelectors(context, identity, channelName, symbols)
  const first = rejected[0]
  if (first !== undefined) {
    throw new ProtocolError(first.code, first.symbol === undefined ? first.message : `${first.symbol}: ${first.message}`)
  }
  return granted
}

/** Why a symbol does not exist in a channel; undefined where it does, or where any is accepted. */
export function refuseUnknown (context: NameContext, channel: string, symbol: string | undefined): ErrorCode | undefined {
  if (symbol === undefined || symbol === EVERY_SYMBOL || context.acceptUnknownSymbols) return undefined
  const { directory } = context
  const known = channel === 'market' ? directory.hasMarket(symbol) : directory.hasInstrument(symbol)
  return known || directory.last(`${channel}:${symbol}`) !== undefined ? undefined : 'unknown_symbol'
}
