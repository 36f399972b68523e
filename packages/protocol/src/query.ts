import { MAX_CURSOR_LENGTH } from './cursor.js'
import { ProtocolError } from './errors.js'
import {
  MAX_DEPTH, MAX_LAST, MAX_SYMBOLS, MAX_THROTTLE_MS, MAX_TOKEN_LENGTH, MIN_THROTTLE_MS
} from './messages/client.js'
import { EVERY_SYMBOL, isChannelName, isSymbol, isSymbolSet } from './topic.js'

/**
 * Reads and writes the query of `GET /v1/stream` (PROTOCOL.md, One URL), and reads the queries of other URLs.
 */

export interface SubscribeParameter {
  readonly channel: string
  /** Symbols and symbol sets as written; absent for a channel without symbols. */
  readonly symbols?: readonly string[]
  readonly throttleMs?: number
  readonly depth?: number
  readonly last?: number
  readonly fresh?: true
}

export interface StreamQuery {
  readonly subscribe: readonly SubscribeParameter[]
  readonly throttleMs?: number
  readonly after?: string
  /** The value of the header `Last-Event-ID`, sent as a parameter; empty: none. */
  readonly lastEventId?: string
  readonly snapshot?: boolean
  readonly decimals?: 'number' | 'string'
  /** Seconds. */
  readonly wait?: number
  readonly limit?: number
  /** Seconds. */
  readonly heartbeat?: number
  readonly token?: string
  readonly ticket?: string
}

export const MAX_WAIT_SECONDS = 30
export const MAX_POLL_LIMIT = 10_000
export const MIN_HEARTBEAT_SECONDS = 5
export const MAX_HEARTBEAT_SECONDS = 60
export const DEFAULT_POLL_LIMIT = 1000

const bad = (message: string): ProtocolError => new ProtocolError('bad_request', message)

const NOT_ASCII = /[\u0080-\uffff]/

function decode (text: string, what: string): string {
  try {
    // Node passes on what is not percent-encoded byte by byte, so letters would become other letters.
    if (NOT_ASCII.test(text)) throw new URIError('not percent-encoded')
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw bad(`${what} is not percent-encoded UTF-8`)
  }
}

/** A parameter's name is the client's own text, so an error repeats it only if it is a plain word. */
const quoted = (name: string): string => /^[a-z_]{1,32}$/.test(name) ? `'${name}'` : 'a parameter'

/**
 * Returns the query of a URL as the client sent it: the text after the first `?`. Refuses a fragment, because
 * the server would ignore the part of the URL after it.
 * @throws ProtocolError `bad_request`
 */
export function searchOf (url: string): string {
  if (url.includes('#')) throw bad("a URL must not hold '#'; write it as %23 in a value")
  const mark = url.indexOf('?')
  return mark < 0 ? '' : url.slice(mark + 1)
}

/**
 * Returns the parameters of a URL's query, decoded.
 * @param search the text after the `?`
 * @param known the names that are allowed; any other is a `bad_request`, and so is a name that is given twice
 * @param repeatable the names among them that may be given more than once
 * @throws ProtocolError `bad_request`
 */
export function parseParameters (
  search: string, known: readonly string[], repeatable: readonly string[] = []
): Map<string, string[]> {
  if (search.includes('?')) {
    throw bad("a URL holds one '?': join parameters by '&', and write '?' as %3F in a value")
  }
  const parameters = new Map<string, string[]>()
  for (const pair of search.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals < 0 ? pair : pair.slice(0, equals), 'a parameter name')
    if (!known.includes(name)) {
      const allowed = known.length === 0 ? 'there are none' : `these are: ${known.join(', ')}`
      throw bad(`${quoted(name)} is not a parameter here; ${allowed}`)
    }
    if (equals < 0) throw bad(`'${name}' has no value`)
    const values = parameters.get(name)
    const value = decode(pair.slice(equals + 1), `the value of '${name}'`)
    if (values === undefined) parameters.set(name, [value])
    else if (repeatable.includes(name)) values.push(value)
    else throw bad(`'${name}' is given twice`)
  }
  return parameters
}

/**
 * Reads a whole number in plain digits between two bounds.
 * @throws ProtocolError `bad_request`
 */
export function parseInteger (name: string, text: string, minimum: number, maximum: number): number {
  const value = /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : NaN
  if (!(value >= minimum && value <= maximum)) {
    throw bad(`${quoted(name)} is a whole number from ${minimum} to ${maximum}`)
  }
  return value
}

function parseChoice<Choice extends string> (name: string, text: string, choices: readonly Choice[]): Choice {
  const choice = choices.find(candidate => candidate === text)
  if (choice === undefined) throw bad(`${quoted(name)} is one of: ${choices.join(', ')}`)
  return choice
}

function parseText (name: string, text: string, maximum: number): string {
  if (text === '' || text.length > maximum) {
    throw bad(`${quoted(name)} is a text of 1 to ${maximum} characters`)
  }
  return text
}

function parseSubscribe (text: string): SubscribeParameter {
  const [selector = '', ...options] = text.split(';')
  const colon = selector.indexOf(':')
  const channel = colon < 0 ? selector : selector.slice(0, colon)
  if (!isChannelName(channel)) {
    throw bad("'subscribe' is a channel, its symbols, then options: quotes:AAPL,MSFT;throttle_ms=250")
  }
  const parsed: { -readonly [Key in keyof SubscribeParameter]: SubscribeParameter[Key] } = { channel }
  if (colon >= 0) {
    const symbols = selector.slice(colon + 1).split(',')
    if (symbols.length > MAX_SYMBOLS) throw bad(`a 'subscribe' names at most ${MAX_SYMBOLS} symbols`)
    if (!symbols.every(symbol => isSymbol(symbol) || isSymbolSet(symbol))) {
      throw bad(`a symbol in 'subscribe' is not well-formed; ${EVERY_SYMBOL} stands for all`)
    }
    parsed.symbols = [...new Set(symbols)]
  }
  const seen = new Set<string>()
  for (const option of options) {
    const equals = option.indexOf('=')
    const name = equals < 0 ? option : option.slice(0, equals)
    const value = equals < 0 ? undefined : option.slice(equals + 1)
    if (seen.has(name)) throw bad(`the option ${quoted(name)} is given twice`)
    seen.add(name)
    if (name === 'fresh' && value === undefined) parsed.fresh = true
    else if (name === 'throttle_ms') {
      parsed.throttleMs = parseInteger(name, value ?? '', MIN_THROTTLE_MS, MAX_THROTTLE_MS)
    } else if (name === 'depth') parsed.depth = parseInteger(name, value ?? '', 1, MAX_DEPTH)
    else if (name === 'last') parsed.last = parseInteger(name, value ?? '', 1, MAX_LAST)
    else throw bad("the options of 'subscribe' are throttle_ms=, depth=, last= and fresh")
  }
  return parsed
}

const PARAMETERS = [
  'subscribe', 'throttle_ms', 'after', 'lastEventId', 'snapshot', 'decimals', 'wait', 'limit', 'heartbeat',
  'token', 'ticket'
]

/**
 * Reads a stream's query. The caller checks whether channels and symbols exist, and whether a parameter
 * belongs to the transport.
 * @param search the text after the `?` of the URL, still percent-encoded
 * @throws ProtocolError `bad_request`, `bad_cursor`
 */
export function parseStreamQuery (search: string): StreamQuery {
  const parameters = parseParameters(search, PARAMETERS, ['subscribe'])
  const query: { -readonly [Key in keyof StreamQuery]: StreamQuery[Key] } = {
    subscribe: (parameters.get('subscribe') ?? []).map(parseSubscribe)
  }
  for (const [name, [value = '']] of parameters) {
    switch (name) {
      case 'throttle_ms':
        query.throttleMs = parseInteger(name, value, MIN_THROTTLE_MS, MAX_THROTTLE_MS)
        break
      case 'after':
        if (value === '' || value.length > MAX_CURSOR_LENGTH) throw new ProtocolError('bad_cursor')
        query.after = value
        break
      case 'lastEventId': query.lastEventId = value; break
      case 'snapshot': query.snapshot = parseChoice(name, value, ['true', 'false']) === 'true'; break
      case 'decimals': query.decimals = parseChoice(name, value, ['number', 'string']); break
      case 'wait': query.wait = parseInteger(name, value, 0, MAX_WAIT_SECONDS); break
      case 'limit': query.limit = parseInteger(name, value, 1, MAX_POLL_LIMIT); break
      case 'heartbeat':
        query.heartbeat = parseInteger(name, value, MIN_HEARTBEAT_SECONDS, MAX_HEARTBEAT_SECONDS)
        break
      case 'token': query.token = parseText(name, value, MAX_TOKEN_LENGTH); break
      case 'ticket': query.ticket = parseText(name, value, MAX_TOKEN_LENGTH); break
    }
  }
  return query
}

function formatSubscribe (parameter: SubscribeParameter): string {
  let text = parameter.channel
  if (parameter.symbols !== undefined) text += ':' + parameter.symbols.join(',')
  if (parameter.throttleMs !== undefined) text += `;throttle_ms=${parameter.throttleMs}`
  if (parameter.depth !== undefined) text += `;depth=${parameter.depth}`
  if (parameter.last !== undefined) text += `;last=${parameter.last}`
  if (parameter.fresh === true) text += ';fresh'
  return text
}

/** Returns a query as text, which {@link parseStreamQuery} reads back as it was. */
export function formatStreamQuery (query: StreamQuery): string {
  const pairs: Array<[string, string]> =
    query.subscribe.map(parameter => ['subscribe', formatSubscribe(parameter)])
  const plain = {
    throttle_ms: query.throttleMs,
    after: query.after,
    lastEventId: query.lastEventId,
    snapshot: query.snapshot,
    decimals: query.decimals,
    wait: query.wait,
    limit: query.limit,
    heartbeat: query.heartbeat,
    token: query.token,
    ticket: query.ticket
  }
  for (const [name, value] of Object.entries(plain)) {
    if (value !== undefined) pairs.push([name, String(value)])
  }
  return pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')
}
