import { FormatRegistry } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler'
import { type ActionName, clientActions, type ClientMessage, type JsonItem, ProtocolError, readJson, registerFormats, type RequestId } from '@tickwire/protocol'
import { toProtocolError } from '../../errors.js'
import type { Connection } from '../connection.js'
import { auth } from './auth.js'
import { snapshot } from './snapshot.js'
import { subscribe } from './subscribe.js'
import { unsubscribe } from './unsubscribe.js'

registerFormats(FormatRegistry)
const checks = Object.fromEntries(Object.entries(clientActions).map(([name, schema]) => [name, TypeCompiler.Compile(schema)])) as
  Record<ActionName, TypeCheck<(typeof clientActions)[ActionName]>>

type ReadAction = { readonly message: ClientMessage } | { readonly error: ProtocolError, readonly id?: RequestId }

/** Reads a client's message, or says what is wrong with it; the id is echoed where there is a usable one. */
export function readAction (text: string): ReadAction {
  let item: JsonItem
  try {
    item = readJson(text)
  } catch (error) {
    return { error: toProtocolError(error) }
  }
  const { value, error } = item
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { error: new ProtocolError('invalid_message', 'a message is an object with an action') }
  }
  const { action, id } = value as { action?: unknown, id?: unknown }
  const usableId = (typeof id === 'string' && id.length <= 64) || Number.isSafeInteger(id) ? { id: id as RequestId } : {}
  if (error !== undefined) return { error, ...usableId }
  if (typeof action !== 'string' || !Object.hasOwn(checks, action)) {
    return { error: new ProtocolError('invalid_message', `action is one of: ${Object.keys(checks).join(', ')}`), ...usableId }
  }
  const check = checks[action as ActionName]
  if (!check.Check(value)) return { error: new ProtocolError('invalid_message', describe(action, check, value)), ...usableId }
  return { message: value }
}

/** Where a message does not fit, in words that repeat nothing of the client's own text but plain names. */
function describe (action: string, check: TypeCheck<(typeof clientActions)[ActionName]>, value: unknown): string {
  const first = check.Errors(value).First()
  if (first === undefined) return `${action}: does not fit its schema`
  const path = /^[\w/]{1,64}$/.test(first.path) ? first.path.slice(1) : 'a field'
  const { title } = first.schema
  return `${action}: ${path}: ${title === undefined ? first.message : `Expected ${title}`}`
}

/** Carries out what a client asks for and answers it. */
export async function perform (connection: Connection, message: ClientMessage): Promise<void> {
  switch (message.action) {
    case 'subscribe': await subscribe(connection, message); break
    case 'unsubscribe': await unsubscribe(connection, message); break
    case 'snapshot': await snapshot(connection, message); break
    case 'auth': await auth(connection, message); break
    case 'ping': break // answered at once, whatever waits for its turn
  }
}
