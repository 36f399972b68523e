import { type ChannelDefinition, type Channels, type ErrorCode, errorTable, EVERY_SYMBOL, isServed, isSymbolSet, ProtocolError, type RejectedSymbol, topicKey } from '@tickwire/protocol'
import type { Identity } from '../auth/identity.js'
import { refuseRead } from '../auth/permissions.js'
import type { Directory } from '../hub/shards/directory.js'
import type { Membership } from '../hub/audience/membership.js'
import { makeSelector, type Selector, type SelectorOptions } from '../hub/audience/selector.js'
import { WHOLE } from '../hub/conflation/view.js'

/** What names are judged by. */
export interface NameContext {
  readonly channels: Channels
  readonly directory: Directory
  readonly membership: Membership
  /** Whether a topic ever had a message. @throws ProtocolError `log_unavailable` */
  hasTopic (topic: string): Promise<boolean>
  /** Whether a well-formed symbol that nobody knows is accepted. */
  readonly acceptUnknownSymbols: boolean
}

export interface ResolvedSelectors {
  readonly granted: Selector[]
  readonly rejected: RejectedSymbol[]
}

/** How a client wants what it subscribes to; what is absent is as the channel has it. */
export interface SubscribeOptions {
  readonly throttleMs?: number | undefined
  readonly depth?: number | undefined
  readonly last?: number | undefined
  readonly fresh?: boolean | undefined
}

/** The channel that a client names. @throws ProtocolError `unknown_channel` */
export function requireChannel (context: NameContext, name: string): ChannelDefinition {
  const channel = context.channels.get(name)
  if (channel !== undefined && isServed(channel)) return channel
  const names = [...context.channels.values()].filter(isServed).map(({ name }) => name)
  throw new ProtocolError('unknown_channel', `there is no such channel; there are: ${names.join(', ')}`)
}

/** @throws ProtocolError `bad_request` */
function selectorOptions (channel: ChannelDefinition, { throttleMs, depth, last, fresh }: SubscribeOptions): SelectorOptions {
  if (depth !== undefined && channel.levels === undefined) throw new ProtocolError('bad_request', `${channel.name} has no levels to cut: depth is for order books`)
  return {
    view: throttleMs === undefined && depth === undefined ? WHOLE : { throttleMs: throttleMs ?? 0, depth: depth ?? 0 },
    ...(last === undefined ? {} : { last }),
    ...(fresh === undefined ? {} : { fresh })
  }
}

/**
 * What a channel and its symbols, as a client wrote them, stand for.
 * @throws ProtocolError where the channel does not exist or takes no such symbols or options
 */
export async function resolveSelectors (
  context: NameContext, identity: Identity, channelName: string, symbols: readonly string[] | undefined, wanted: SubscribeOptions = {}
): Promise<ResolvedSelectors> {
  const channel = requireChannel(context, channelName)
  const options = selectorOptions(channel, wanted)
  if (channel.keyed && symbols === undefined) throw new ProtocolError('bad_request', `${channel.name} needs symbols; * stands for all`)
  if (!channel.keyed && symbols !== undefined) throw new ProtocolError('bad_request', `${channel.name} has no symbols`)
  const granted: Selector[] = []
  const rejected: RejectedSymbol[] = []
  const judged = await Promise.all(Array.from(new Set<string | undefined>(symbols ?? [undefined]), async symbol => {
    // A set is granted where all of the channel is: who will be in it tomorrow, no list of symbols can tell.
    const asked = symbol !== undefined && isSymbolSet(symbol) ? EVERY_SYMBOL : symbol
    return { symbol, refusal: refuseRead(identity, channel, asked) ?? await refuseUnknown(context, channel, symbol) ?? refuseThrottle(channel, wanted) }
  }))
  for (const { symbol, refusal } of judged) {
    if (refusal === undefined) granted.push(makeSelector(channel, symbol, identity.user, options))
    else rejected.push({ ...(symbol === undefined ? {} : { symbol }), code: refusal, message: errorTable[refusal].message })
  }
  return { granted, rejected }
}

/** As {@link resolveSelectors}, where one refusal refuses the request. */
export async function requireSelectors (
  context: NameContext, identity: Identity, channelName: string, symbols: readonly string[] | undefined, options?: SubscribeOptions
): Promise<Selector[]> {
  const { granted, rejected } = await resolveSelectors(context, identity, channelName, symbols, options)
  const first = rejected[0]
  if (first !== undefined) {
    throw new ProtocolError(first.code, first.symbol === undefined ? first.message : `${first.symbol}: ${first.message}`)
  }
  return granted
}

function refuseThrottle (channel: ChannelDefinition, { throttleMs }: SubscribeOptions): ErrorCode | undefined {
  return throttleMs !== undefined && channel.merge === undefined ? 'not_throttleable' : undefined
}

/** Why a symbol does not exist in a channel; undefined where it does, or where any is accepted. The log is asked only where it must be. */
export function refuseUnknown (context: NameContext, { name, access }: ChannelDefinition, symbol: string | undefined): ErrorCode | undefined | Promise<ErrorCode | undefined> {
  if (symbol === undefined || symbol === EVERY_SYMBOL || context.acceptUnknownSymbols) return undefined
  const { directory, membership } = context
  if (isSymbolSet(symbol)) return membership.symbols(symbol).size > 0 ? undefined : 'unknown_symbol'
  // What symbols a private channel has is for its user to say: a strategy's id is no instrument.
  if (access === 'user') return undefined
  const known = name === 'market' ? directory.hasMarket(symbol) : directory.hasInstrument(symbol)
  const topic = topicKey({ channel: name, symbol })
  if (known || directory.last(topic) !== undefined) return undefined
  return context.hasTopic(topic).then(has => has ? undefined : 'unknown_symbol')
}
