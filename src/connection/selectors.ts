import {
  type ChannelDefinition, type Channels, type ErrorCode, errorTable, EVERY_SYMBOL, isServed, isSymbolSet,
  ProtocolError, type RejectedSymbol, topicKey
} from '@tickwire/protocol'
import type { Identity } from '../auth/identity.js'
import { refuseRead } from '../auth/permissions.js'
import type { Directory } from '../hub/shards/directory.js'
import type { Membership } from '../hub/audience/membership.js'
import { makeSelector, type Selector, type SelectorOptions } from '../hub/audience/selector.js'
import { WHOLE } from '../hub/conflation/view.js'

/** What the names of channels and symbols are checked against. */
export interface NameContext {
  readonly channels: Channels
  readonly directory: Directory
  readonly membership: Membership
  /** Returns whether a topic ever had a message. @throws ProtocolError `log_unavailable` */
  hasTopic (topic: string): Promise<boolean>
  /** Whether the server accepts a well-formed symbol that it does not know. */
  readonly acceptUnknownSymbols: boolean
  /** The channels that the server does not serve over WebSocket. */
  readonly notOverWebSocket: ReadonlySet<string>
}

export interface ResolvedSelectors {
  readonly granted: Selector[]
  readonly rejected: RejectedSymbol[]
}

/** The options of a subscription. Without an option, the client gets what the channel has. */
export interface SubscribeOptions {
  /** Whether the messages would go over WebSocket. */
  readonly overWebSocket?: boolean
  readonly throttleMs?: number | undefined
  readonly depth?: number | undefined
  readonly last?: number | undefined
  readonly fresh?: boolean | undefined
  /** Whether the client may leave out the hyphen of a pair, whatever the channel takes. */
  readonly eitherSpelling?: boolean
}

/** Returns the channel that a client names. @throws ProtocolError `unknown_channel` */
export function requireChannel (context: Pick<NameContext, 'channels'>, name: string): ChannelDefinition {
  const channel = context.channels.get(name)
  if (channel !== undefined && isServed(channel)) return channel
  const served = [...context.channels.values()].filter(isServed)
  const names = served.map(({ name }) => name).join(', ')
  throw new ProtocolError('unknown_channel', `there is no such channel; the channels are: ${names}`)
}

/** @throws ProtocolError `bad_request` */
function selectorOptions (
  channel: ChannelDefinition, { throttleMs, depth, last, fresh }: SubscribeOptions
): SelectorOptions {
  if (depth !== undefined && channel.levels === undefined) {
    throw new ProtocolError('bad_request', `depth is for order books; ${channel.name} has no levels to cut`)
  }
  const isWhole = throttleMs === undefined && depth === undefined
  return {
    view: isWhole ? WHOLE : { throttleMs: throttleMs ?? 0, depth: depth ?? 0 },
    ...(last === undefined ? {} : { last }),
    ...(fresh === undefined ? {} : { fresh })
  }
}

/**
 * Resolves a channel and its symbols, as a client wrote them, to selectors. A symbol that is refused is
 * among the rejected ones.
 * @throws ProtocolError `unknown_channel`; `bad_request`: the channel does not take such symbols or options;
 *   `log_unavailable`
 */
export async function resolveSelectors (
  context: NameContext,
  identity: Identity,
  channelName: string,
  symbols: readonly string[] | undefined,
  wanted: SubscribeOptions = {}
): Promise<ResolvedSelectors> {
  const channel = requireChannel(context, channelName)
  const options = selectorOptions(channel, wanted)
  if (channel.keyed && symbols === undefined) {
    throw new ProtocolError('bad_request', `${channel.name} needs symbols; * stands for all`)
  }
  if (!channel.keyed && symbols !== undefined) {
    throw new ProtocolError('bad_request', `${channel.name} has no symbols`)
  }
  const granted: Selector[] = []
  const rejected: RejectedSymbol[] = []
  const isOff = wanted.overWebSocket === true && context.notOverWebSocket.has(channel.name)
  const names = new Map<string | undefined, string | undefined>()
  const spelling = wanted.eitherSpelling === true ? { eitherSpelling: true } : channel
  for (const symbol of symbols ?? [undefined]) names.set(spelledSymbol(context, spelling, symbol), symbol)
  const judged = await Promise.all(Array.from(names, async ([symbol, written]) => {
    // The members of a set change, so a token must permit the whole channel to permit a set.
    const asked = symbol !== undefined && isSymbolSet(symbol) ? EVERY_SYMBOL : symbol
    const refusal = (isOff ? 'disabled' : undefined) ??
      refuseRead(identity, channel, asked) ??
      await refuseUnknown(context, channel, symbol) ??
      refuseThrottle(channel, wanted)
    return { symbol, written, refusal }
  }))
  for (const { symbol, written, refusal } of judged) {
    if (refusal === undefined) {
      granted.push(makeSelector(channel, symbol, identity.user, options))
    } else {
      const named = written === undefined ? {} : { symbol: written }
      rejected.push({ ...named, code: refusal, message: errorTable[refusal].message })
    }
  }
  return { granted, rejected }
}

/**
 * Resolves a channel and its symbols as {@link resolveSelectors} does, all or nothing.
 * @throws ProtocolError the first refusal
 */
export async function requireSelectors (
  context: NameContext,
  identity: Identity,
  channelName: string,
  symbols: readonly string[] | undefined,
  options?: SubscribeOptions
): Promise<Selector[]> {
  const { granted, rejected } = await resolveSelectors(context, identity, channelName, symbols, options)
  const first = rejected[0]
  if (first !== undefined) {
    const message = first.symbol === undefined ? first.message : `${first.symbol}: ${first.message}`
    throw new ProtocolError(first.code, message)
  }
  return granted
}

/**
 * Returns the symbol that a client means: where a channel takes either spelling, `BTCUSDT` means `BTC-USDT`,
 * if that is an instrument and no other pair is spelled so.
 */
export function spelledSymbol<Written extends string | undefined> (
  { directory }: Pick<NameContext, 'directory'>,
  { eitherSpelling }: Pick<ChannelDefinition, 'eitherSpelling'>,
  symbol: Written
): Written | string {
  if (eitherSpelling !== true || symbol === undefined || symbol.includes('-')) return symbol
  if (isSymbolSet(symbol) || directory.hasInstrument(symbol)) return symbol
  const pairs = Array.from({ length: symbol.length - 1 }, (_, at) =>
    `${symbol.slice(0, at + 1)}-${symbol.slice(at + 1)}`)
  const known = pairs.filter(pair => directory.hasInstrument(pair))
  return known.length === 1 ? known[0]! : symbol
}

function refuseThrottle (
  channel: ChannelDefinition, { throttleMs }: SubscribeOptions
): ErrorCode | undefined {
  return throttleMs !== undefined && channel.merge === undefined ? 'not_throttleable' : undefined
}

/**
 * Returns the refusal of a symbol that the channel does not have; undefined if the symbol is known, or if
 * the server accepts any. Asks the log only if nothing in memory knows the symbol, and returns a promise only
 * then.
 */
export function refuseUnknown (
  context: NameContext, { name, access }: ChannelDefinition, symbol: string | undefined
): ErrorCode | undefined | Promise<ErrorCode | undefined> {
  if (symbol === undefined || symbol === EVERY_SYMBOL || context.acceptUnknownSymbols) return undefined
  const { directory, membership } = context
  if (isSymbolSet(symbol)) return membership.symbols(symbol).size > 0 ? undefined : 'unknown_symbol'
  // The user decides which symbols a private channel has: the id of a strategy is not an instrument.
  if (access === 'user') return undefined
  const known = name === 'market' ? directory.hasMarket(symbol) : directory.hasInstrument(symbol)
  const topic = topicKey({ channel: name, symbol })
  if (known || directory.last(topic) !== undefined) return undefined
  return context.hasTopic(topic).then(has => has ? undefined : 'unknown_symbol')
}
