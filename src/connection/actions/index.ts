import { FormatRegistry } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler'
import {
  type ActionName, type ClientMessage, type JsonMessage, ProtocolError, registerFormats, type RequestId
} from '@tickwire/protocol'
import { toProtocolError } from '../../errors.js'
import type { Action, ItemErrors } from './action.js'
import { auth } from './auth.js'
import { ping } from './ping.js'
import { publish } from './publish.js'
import { snapshot } from './snapshot.js'
import { subscribe } from './subscribe.js'
import { unsubscribe } from './unsubscribe.js'

/** The registry: every action that a client can ask for. */
const registry: { readonly [Name in ActionName]: Action<Extract<ClientMessage, { action: Name }>> } = {
  subscribe, unsubscribe, snapshot, auth, ping, publish
}

registerFormats(FormatRegistry)
const actions: ReadonlyMap<string, { readonly action: Action, readonly check: TypeCheck<Action['schema']> }> = new Map(
  Object.entries(registry).map(([name, action]: [string, Action]) => [name, { action, check: TypeCompiler.Compile(action.schema) }]))

export type ReadAction =
  | { readonly action: Action, readonly message: ClientMessage, readonly itemErrors: ItemErrors }
  | { readonly error: ProtocolError, readonly id?: RequestId }

/**
 * Finds the action that a client asks for, or says what is wrong with its message. The id is echoed where there is a usable one.
 * @param read reads the message, as its dialect does
 */
export function readAction (read: () => JsonMessage): ReadAction {
  let message: JsonMessage
  try {
    message = read()
  } catch (error) {
    return { error: toProtocolError(error) }
  }
  const { value, error, itemErrors } = message
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { error: new ProtocolError('invalid_message', 'a message is an object with an action') }
  }
  const { action: name, id } = value as { action?: unknown, id?: unknown }
  const usableId = (typeof id === 'string' && id.length <= 64) || Number.isSafeInteger(id) ? { id: id as RequestId } : {}
  if (error !== undefined) return { error, ...usableId }
  const known = typeof name === 'string' ? actions.get(name) : undefined
  if (known === undefined) {
    return { error: new ProtocolError('invalid_message', `action is one of: ${[...actions.keys()].join(', ')}`), ...usableId }
  }
  const { action, check } = known
  if (!check.Check(value)) return { error: new ProtocolError('invalid_message', describe(name as string, check, value)), ...usableId }
  return { action, message: value as ClientMessage, itemErrors }
}

/** Where a message does not fit, in words that repeat nothing of the client's own text but plain names. */
function describe (action: string, check: TypeCheck<Action['schema']>, value: unknown): string {
  const first = check.Errors(value).First()
  if (first === undefined) return `${action}: does not fit its schema`
  const path = /^[\w/]{1,64}$/.test(first.path) ? first.path.slice(1) : 'a field'
  const { title } = first.schema
  return `${action}: ${path}: ${title === undefined ? first.message : `Expected ${title}`}`
}
