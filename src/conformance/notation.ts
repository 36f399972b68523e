import { isDeepStrictEqual } from 'node:util'
import type { DriverEvent } from './driver.js'

/**
 * How scenarios write messages:
 * - `trades:A 3`, then any of `prev=2`, `snapshot`, `value=9.5`: a data message;
 * - `reset trades:A history_lost`;
 * - `cursor c1`, and `cursor c1 more` where the answer to a poll says `more`;
 * - `epoch e2`; `heartbeat c1`;
 * - an object: a message that stands for itself.
 *
 * And what the client gives on: data messages as above, and `reset trades:A`, then any of a reason,
 `to=2` (up
 * to where messages stay) and `+` (one reset or several).
 */
export type Written = string | Json
export type Json = Readonly<Record<string, unknown>>

export type Item =
  /** A data message or a reset: all transports carry it. */
  | { readonly kind: 'message', readonly json: Json }
  /** WebSocket and event streams alone carry it. */
  | { readonly kind: 'control', readonly json: Json }
  | { readonly kind: 'cursor', readonly cursor: string, readonly more: boolean }

interface Words {
  readonly plain: readonly string[]
  readonly fields: ReadonlyMap<string, string>
}

function split (text: string): Words {
  const words = text.split(' ')
  // A symbol may hold a `=`, too.
  const isField = (word: string): boolean => /^(prev|value|to)=/.test(word)
  return {
    plain: words.filter(word => !isField(word)),
    fields: new Map(words.filter(isField).map(word => word.split('=', 2) as [string, string]))
  }
}

/** Returns what a script sends. */
export function itemOf (written: Written): Item {
  if (typeof written !== 'string') return { kind: 'message', json: written }
  const { plain: [first = '', second = '', third = ''] } = split(written)
  switch (first) {
    case 'cursor': return { kind: 'cursor', cursor: second, more: third === 'more' }
    case 'epoch': return { kind: 'control', json: { type: 'epoch', epoch: second } }
    case 'heartbeat': {
      return { kind: 'control', json: { type: 'heartbeat', timestamp: TIME, cursor: second } }
    }
    case 'reset': return { kind: 'message', json: { type: 'reset', ...topicOf(second), reason: third } }
    default: return { kind: 'message', json: dataMessage(written) }
  }
}

const TIME = '2026-02-07T14:30:00.123Z'

function topicOf (topic: string): { channel: string, symbol?: string } {
  const colon = topic.indexOf(':')
  return colon < 0 ? { channel: topic } : { channel: topic.slice(0, colon), symbol: topic.slice(colon + 1) }
}

/** Returns the name of the topic of a message or an event. */
export const topicName = ({ channel, symbol }: Json): string =>
  symbol === undefined ? String(channel) : `${String(channel)}:${String(symbol)}`

function dataMessage (text: string): Json {
  const { plain: [topic = '', sequence = '', snapshot], fields } = split(text)
  const { channel, symbol } = topicOf(topic)
  const value = fields.get('value') ?? `${sequence}.50`
  const prev = fields.get('prev')
  if (!/^\d+$/.test(sequence)) throw new TypeError(`'${text}' is not a message`)
  return {
    type: TYPES[channel] ?? channel,
    channel,
    ...(symbol === undefined ? {} : { symbol }),
    sequence: Number(sequence),
    timestamp: TIME,
    ...(snapshot === 'snapshot' ? { snapshot: true } : {}),
    ...(prev === undefined ? {} : { prev: Number(prev) }),
    data: dataOf(channel, symbol, value)
  }
}

const TYPES: Readonly<Record<string, string>> = {
  quotes: 'quote', trades: 'trade', orders: 'order', market: 'market_status'
}

/** Data as its channel has it (PROTOCOL.md, Data), for clients that read it. */
function dataOf (channel: string, symbol: string | undefined, value: string): Json {
  switch (channel) {
    case 'trades': return { symbol, price: value, size: '1', timestamp: TIME }
    case 'book': return { symbol, bids: [[value, '1']], asks: [] }
    case 'news': return { headline: value, source: 'script', symbols: [], timestamp: TIME }
    case 'system': return { level: 'info', message: value }
    case 'orders': {
      return {
        order_id: value,
        symbol: 'A',
        side: 'buy',
        order_type: 'market',
        status: 'new',
        quantity: '1',
        filled_qty: '0'
      }
    }
    default: return { symbol, bid: value }
  }
}

/** Something that the client must give to the application. */
export interface Expected {
  readonly text: string
  readonly topic: string
  /** Several resets in a row count as one. */
  readonly repeats: boolean
  fits (event: DriverEvent): boolean
}

/** Returns what a client must give on. */
export function expectedOf (text: string): Expected {
  const { plain, fields } = split(text)
  if (plain[0] !== 'reset') {
    const json = dataMessage(text)
    return { text, topic: plain[0]!, repeats: false, fits: event => isMessage(event, json) }
  }
  const reason = plain.slice(2).find(word => word !== '+')
  const to = fields.get('to')
  return {
    text,
    topic: plain[1]!,
    repeats: plain.includes('+'),
    fits: event => event.event === 'reset' && (reason === undefined || event['reason'] === reason) &&
      event['sequence'] === (to === undefined ? undefined : Number(to))
  }
}

const isMessage = (event: DriverEvent, json: Json): boolean =>
  event.event === 'message' && event['sequence'] === json['sequence'] &&
  (event['snapshot'] === true) === (json['snapshot'] === true) &&
  (event['prev'] === undefined || event['prev'] === json['prev']) &&
  isDeepStrictEqual(event['data'], json['data'])

/** How much of a message a failure shows. */
const SHOWN_CHARACTERS = 200

export const brief = (text: string): string =>
  text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`

/** Writes an event of the driver as scenarios write it. */
export function describe (event: DriverEvent): string {
  const topic = topicName(event)
  if (event.event === 'reset') {
    const to = event['sequence'] === undefined ? '' : ` to=${String(event['sequence'])}`
    return `reset ${topic} ${String(event['reason'])}${to}`
  }
  const snapshot = event['snapshot'] === true ? ' snapshot' : ''
  return brief(`${topic} ${String(event['sequence'])}${snapshot} with ${JSON.stringify(event['data'])}`)
}
