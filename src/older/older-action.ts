import type { Static, TSchema } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { type JsonMessage, ProtocolError, type RequestId } from '@tickwire/protocol'
import type { Action, Identified, ItemErrors, ReadAction } from '../connection/actions/action.js'
import { toProtocolError } from '../errors.js'

/** A message of an older client, with the session that it belongs to. */
export interface OlderMessage<Session> extends Identified {
  readonly session: Session
  readonly body: unknown
}

export interface OlderAction<Session> extends Action<OlderMessage<Session>> {
  /** Returns what is wrong with a message; undefined if nothing is. */
  fault (body: unknown): string | undefined
}

interface Definition<Session, Schema extends TSchema>
  extends Pick<Action, 'atOnce' | 'whileLagging' | 'refuse'> {
  /** Fields that it does not name are ignored: older clients may send more. */
  readonly schema: Schema
  /** What is said of a message that does not fit. */
  readonly otherwise: string
  perform (session: Session, body: Static<Schema>): void | Promise<void>
}

/** Makes an action of older clients. Its answers are in their own form, so it needs no id. */
export function olderAction<Session, Schema extends TSchema> (
  { perform, otherwise, ...rest }: Definition<Session, Schema>
): OlderAction<Session> {
  const check = TypeCompiler.Compile(rest.schema)
  return {
    ...rest,
    fault: body => check.Check(body) ? undefined : otherwise,
    perform: (_connection, { session, body }) => perform(session, body as Static<Schema>)
  }
}

const NO_ITEM_ERRORS: ItemErrors = new Map()
/** The names that an error repeats. */
const PLAIN_NAME = /^\w{1,64}$/

/**
 * Returns the action that a message of an older client asks for, or what is wrong with the message.
 * @param field the field that names the action
 * @param read reads the message by the client's dialect
 */
export function readOlderAction<Session> (
  session: Session,
  { field, what, actions }: {
    readonly field: 'type' | 'action'
    /** What an error calls the field. */
    readonly what: string
    readonly actions: ReadonlyMap<string, OlderAction<Session>>
  },
  read: () => JsonMessage
): ReadAction<OlderMessage<Session>> {
  let message: JsonMessage
  try {
    message = read()
  } catch (error) {
    return { error: toProtocolError(error) }
  }
  const { value: body, error } = message
  if (error !== undefined) return { error }
  const names = [...actions.keys()].join(', ')
  const bad = (text: string): { error: ProtocolError, id?: RequestId } =>
    ({ error: new ProtocolError('invalid_message', text) })
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return bad(`A message must be an object whose ${field} is one of: ${names}`)
  }
  const name = (body as Record<string, unknown>)[field]
  const action = typeof name === 'string' ? actions.get(name) : undefined
  if (action === undefined) {
    const shown = typeof name === 'string' && PLAIN_NAME.test(name) ? `: ${name}` : ''
    return bad(`Unknown ${what}${shown}; it must be one of: ${names}`)
  }
  const fault = action.fault(body)
  return fault === undefined ? { action, message: { session, body }, itemErrors: NO_ITEM_ERRORS } : bad(fault)
}
