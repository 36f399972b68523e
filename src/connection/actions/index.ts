import { FormatRegistry } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler'
import {
  type ActionName, type ClientMessage, type JsonMessage, ProtocolError, registerFormats, type RequestId
} from '@tickwire/protocol'
import { toProtocolError } from '../../errors.js'
import type { Action, ReadAction } from './action.js'
import { ack } from './ack.js'
import { auth } from './auth.js'
import { cancelOrder } from './cancel-order.js'
import { ping } from './ping.js'
import { publish } from './publish.js'
import { replaceOrder } from './replace-order.js'
import { snapshot } from './snapshot.js'
import { submitOrder } from './submit-order.js'
import { subscribe } from './subscribe.js'
import { unsubscribe } from './unsubscribe.js'

type Registry = { readonly [Name in ActionName]: Action<Extract<ClientMessage, { action: Name }>> }

/** The registry: every action that a client can ask for. */
const registry: Registry = {
  subscribe,
  unsubscribe,
  snapshot,
  auth,
  ping,
  publish,
  ack,
  submit_order: submitOrder,
  cancel_order: cancelOrder,
  replace_order: replaceOrder
}

registerFormats(FormatRegistry)

interface CheckedAction {
  readonly action: Action
  readonly check: TypeCheck<Action['schema']>
}

const actions: ReadonlyMap<string, CheckedAction> = new Map(
  Object.entries(registry).map(([name, action]: [string, Action]) =>
    [name, { action, check: TypeCompiler.Compile(action.schema) }])
)

/**
 * Returns the action that a client asks for, or what is wrong with its message. If the message has a usable
 * id, the error has it, too.
 * @param read reads the message by the client's dialect
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
    return { error: new ProtocolError('invalid_message', 'a message must be an object with an action') }
  }
  const { action: name, id } = value as { action?: unknown, id?: unknown }
  const isUsable = (typeof id === 'string' && id.length <= 64) || Number.isSafeInteger(id)
  const usableId = isUsable ? { id: id as RequestId } : {}
  if (error !== undefined) return { error, ...usableId }
  const known = typeof name === 'string' ? actions.get(name) : undefined
  if (known === undefined) {
    const names = [...actions.keys()].join(', ')
    return { error: new ProtocolError('invalid_message', `action must be one of: ${names}`), ...usableId }
  }
  const { action, check } = known
  if (!check.Check(value)) {
    const problem = describeMismatch(name as string, check, value)
    return { error: new ProtocolError('invalid_message', problem), ...usableId }
  }
  return { action, message: value as ClientMessage, itemErrors }
}

/**
 * Says where a message does not fit its schema. Repeats nothing of the client's own text except plain names.
 */
function describeMismatch (action: string, check: TypeCheck<Action['schema']>, value: unknown): string {
  const first = check.Errors(value).First()
  if (first === undefined) return `${action}: does not fit its schema`
  const path = /^[\w/]{1,64}$/.test(first.path) ? first.path.slice(1) : 'a field'
  const { title } = first.schema
  return `${action}: ${path}: ${title === undefined ? first.message : `Expected ${title}`}`
}
