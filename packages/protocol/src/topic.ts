/**
 * Names of topics (PROTOCOL.md, Terms).
 *
 * A topic is written `channel:symbol`, or `channel` if the channel has no symbols; a symbol may hold further
 * colons. The log keeps a user's private topics apart by a suffix that no channel and no symbol can hold:
 * `orders@alice`. The suffix never leaves the server.
 */

/**
 * The pattern of a symbol, for a regular expression with the flag `u`. A symbol must also be in Unicode's
 * form NFC, so that one name has one spelling.
 */
export const SYMBOL_PATTERN = '[\\p{L}\\p{N}._^#&][\\p{L}\\p{M}\\p{N}._/=^:+&#!-]{0,63}'
export const CHANNEL_PATTERN = '[a-z][a-z0-9_]*(?:\\.[a-z0-9_]+)*'

/** Longest channel name. */
export const MAX_CHANNEL_LENGTH = 32

const symbolExpression = new RegExp(`^${SYMBOL_PATTERN}$`, 'u')
/**
 * The ASCII part of {@link SYMBOL_PATTERN}, which is always in NFC. Nearly every symbol matches it, and each
 * message names its symbol twice, so this faster check comes first.
 */
const asciiSymbol = /^[A-Za-z0-9._^#&][A-Za-z0-9._/=^:+&#!-]{0,63}$/
const setPrefix = /^@(?:market|sector)\//
const channelExpression = new RegExp(`^(?:${CHANNEL_PATTERN})$`)

/** Returns whether a text is well-formed as a symbol. */
export const isSymbol = (text: string): boolean =>
  asciiSymbol.test(text) || (symbolExpression.test(text) && text.normalize('NFC') === text)
/** Returns whether a text is well-formed as the name of a channel. */
export const isChannelName = (text: string): boolean =>
  text.length <= MAX_CHANNEL_LENGTH && channelExpression.test(text)

/** The selector that stands for every symbol of a channel. */
export const EVERY_SYMBOL = '*'

/** Returns whether a text is well-formed as a symbol set. The name of a market or a sector is a symbol. */
export function isSymbolSet (text: string): boolean {
  const prefix = setPrefix.exec(text)?.[0]
  return text === EVERY_SYMBOL || (prefix !== undefined && isSymbol(text.slice(prefix.length)))
}

export interface Topic {
  readonly channel: string
  readonly symbol?: string | undefined
  /** Owner of a private topic. */
  readonly user?: string | undefined
}

/** No channel and no symbol can hold it; a user's name can. */
const USER_MARK = '@'

/** Returns the log's key of a topic. */
export function topicKey (topic: Topic): string {
  const name = topic.symbol === undefined ? topic.channel : `${topic.channel}:${topic.symbol}`
  return topic.user === undefined ? name : name + USER_MARK + topic.user
}

/** Returns the topic of a key made by {@link topicKey}. */
export function parseTopicKey (key: string): Topic {
  const mark = key.indexOf(USER_MARK)
  const name = mark < 0 ? key : key.slice(0, mark)
  const colon = name.indexOf(':')
  return {
    channel: colon < 0 ? name : name.slice(0, colon),
    ...(colon < 0 ? {} : { symbol: name.slice(colon + 1) }),
    ...(mark < 0 ? {} : { user: key.slice(mark + 1) })
  }
}

/** Returns the channel of a key made by {@link topicKey}. */
export function channelOfKey (key: string): string {
  const colon = key.indexOf(':')
  const mark = key.indexOf(USER_MARK)
  const end = colon < 0 || (mark >= 0 && mark < colon) ? mark : colon
  return end < 0 ? key : key.slice(0, end)
}

/** Returns the channel and user of a key. A subscription to every symbol of a channel is matched by these. */
export function topicScope (key: string): string {
  const colon = key.indexOf(':')
  const mark = key.indexOf(USER_MARK)
  if (colon < 0 || (mark >= 0 && mark < colon)) return key
  return mark < 0 ? key.slice(0, colon) : key.slice(0, colon) + key.slice(mark)
}

/**
 * Reads a topic that a client wrote, as in `topic=trades:AAPL`. Returns undefined if it is not well-formed.
 * Clients never name a user.
 */
export function parseTopicName (text: string): Topic | undefined {
  const colon = text.indexOf(':')
  const channel = colon < 0 ? text : text.slice(0, colon)
  if (!isChannelName(channel)) return undefined
  if (colon < 0) return { channel }
  const symbol = text.slice(colon + 1)
  return isSymbol(symbol) ? { channel, symbol } : undefined
}
