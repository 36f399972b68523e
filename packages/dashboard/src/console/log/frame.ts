import { itemsOf, memberOf } from './json-text.js'

/**
 * What a frame is:
 * - `message`: a text frame of a WebSocket;
 * - `event`: a block of an event stream;
 * - `request`, `answer`: of HTTP; `poll`: the answer to a poll;
 * - `note`: what the console itself did. Its type says what.
 */
export const FRAME_KINDS = ['message', 'event', 'request', 'answer', 'poll', 'note'] as const
export type FrameKind = typeof FRAME_KINDS[number]

/** Something that went over the wire, as it was; credentials alone are left out of it. */
export interface Frame {
  /** When, in milliseconds since 1970. */
  readonly at: number
  readonly direction: 'in' | 'out'
  readonly kind: FrameKind
  /** Of a note: what the console did. Of an answer: its status. */
  readonly type?: string
  readonly text: string
}

/** What of a message the console reads. */
export interface Message {
  readonly type: string
  readonly [field: string]: unknown
}

/** One message of a frame: a batch has many. */
export interface Part {
  readonly text: string
  /** Undefined: it is no message of the protocol. */
  readonly message?: Message
}

function messageOf (text: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    const { type, action } = value as { readonly type?: unknown, readonly action?: unknown }
    const name = typeof type === 'string' ? type : typeof action === 'string' ? action : ''
    return { ...value, type: name }
  } catch {
    return undefined
  }
}

function partOf (text: string): Part {
  const message = messageOf(text)
  return message === undefined ? { text } : { text, message }
}

/** Returns the fields of a block of an event stream. */
function eventOf (block: string): { readonly name: string, readonly data: string } {
  let name = ''
  const data: string[] = []
  for (const line of block.split('\n')) {
    const [, field, value = ''] = /^([^:]*)(?::\u0020?(.*))?$/s.exec(line) ?? []
    if (field === 'event') name = value
    else if (field === 'data') data.push(value)
  }
  return { name, data: data.join('\n') }
}

/** Returns the messages of a frame, with their text as it stands in the frame. */
export function partsOf ({ kind, direction, text, type }: Frame): readonly Part[] {
  switch (kind) {
    case 'message': return text.trimStart().startsWith('[') ? itemsOf(text).map(partOf) : [partOf(text)]
    case 'event': {
      const { name, data } = eventOf(text)
      if (name === 'cursor') return [{ text, message: { type: 'cursor', cursor: data } }]
      return [{ ...partOf(data), text: data === '' ? text : data }]
    }
    case 'poll': {
      const messages = itemsOf(memberOf(text, 'messages') ?? '[]').map(partOf)
      const answer = messageOf(text)
      const cursor = answer?.['cursor']
      const rest = JSON.stringify({ cursor, more: answer?.['more'] })
      return [...messages, { text: rest, message: { type: 'cursor', cursor } }]
    }
    case 'answer': {
      const message = messageOf(text)
      return [{ text, message: { ...message, type: message?.type || `HTTP ${type ?? ''}` } }]
    }
    case 'request': {
      const [first = ''] = text.split(' ', 1)
      return [{ text, message: { type: direction === 'out' ? first : '' } }]
    }
    case 'note': return [{ text, message: { type: type ?? '' } }]
  }
}
