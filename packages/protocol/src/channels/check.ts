import { Kind } from '@sinclair/typebox'
import { controlTypes } from '../messages/server.js'
import { isChannelName } from '../topic.js'
import { channelAccess } from './access.js'

/** The options of a ChannelDefinition. */
const OPTIONS: readonly string[] = [
  'name', 'type', 'description', 'keyed', 'access', 'schema', 'retention', 'reduce', 'merge', 'levels',
  'compacted', 'acknowledged', 'eitherSpelling', 'idempotencySeconds'
]
const RETENTION: readonly string[] = ['messages', 'seconds']

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null
const shown = (value: unknown): string => typeof value === 'string' ? `'${value}'` : String(value)

/**
 * Returns a sentence that says why the server cannot use a definition; undefined if it can. A program in
 * JavaScript may pass any object: without this check the server would ignore a misspelt option, and so open a
 * channel to everybody that was meant for a few.
 */
export function channelFault (definition: unknown): string | undefined {
  if (!isObject(definition)) {
    return `a channel is an object that defineChannel returns, not ${shown(definition)}`
  }
  const fault = definitionFault(definition)
  return fault === undefined ? undefined : `the channel ${shown(definition['name'])} ${fault}`
}

function definitionFault (definition: Readonly<Record<string, unknown>>): string | undefined {
  const { name, type, description, keyed, access, schema, retention = {}, reduce, merge, levels } = definition
  const unknown = Object.keys(definition).find(option => !OPTIONS.includes(option))
  if (unknown !== undefined) return `has an option '${unknown}'; there are: ${OPTIONS.join(', ')}`
  if (typeof name !== 'string' || !isChannelName(name)) {
    return 'must be named in lower case: letters, digits and _, in parts joined by dots'
  }
  if (typeof type !== 'string' || type === '') {
    return "has no type, the text in the field 'type' of its messages"
  }
  if (controlTypes.includes(type)) return `has the type '${type}', which the protocol's own messages use`
  if (typeof description !== 'string') return 'has no description'
  if (typeof keyed !== 'boolean') {
    return `has keyed ${shown(keyed)}; it is true or false: whether its topics have a symbol`
  }
  if (access === undefined) return `has no access; it is one of ${channelAccess.join(', ')}`
  if (!channelAccess.some(known => known === access)) {
    const hint = access === 'private' ? " (a private channel of PROTOCOL.md has access 'user')" : ''
    return `has access ${shown(access)}; it is one of ${channelAccess.join(', ')}${hint}`
  }
  if (!isObject(schema) || !(Kind in schema)) {
    return 'has a schema that is not made with Type: Type.Object({ … })'
  }
  const { eitherSpelling } = definition
  if (eitherSpelling !== undefined && typeof eitherSpelling !== 'boolean') {
    return `has eitherSpelling ${shown(eitherSpelling)}; it is true or false`
  }
  const { idempotencySeconds } = definition
  if (idempotencySeconds !== undefined && !isSeconds(idempotencySeconds)) {
    return `has idempotencySeconds ${shown(idempotencySeconds)}; it is a whole number above 0`
  }
  return retentionFault(retention) ?? stateFault(reduce, merge, levels) ??
    compactionFault(definition) ?? acknowledgementFault(definition)
}

const isSeconds = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) > 0

function retentionFault (retention: unknown): string | undefined {
  if (!isObject(retention)) return `has a retention that is ${shown(retention)}; it is { messages, seconds }`
  const unknown = Object.keys(retention).find(bound => !RETENTION.includes(bound))
  if (unknown !== undefined) return `has a retention with '${unknown}'; there are: ${RETENTION.join(', ')}`
  const isBound = (bound: unknown): boolean => typeof bound === 'number' && bound > 0
  const hasBadBound = Object.values(retention).some(bound => bound !== undefined && !isBound(bound))
  return hasBadBound ? 'has a retention that is not above 0' : undefined
}

function stateFault (reduce: unknown, merge: unknown, levels: unknown): string | undefined {
  for (const [option, value] of Object.entries({ reduce, merge })) {
    if (value !== undefined && value !== 'last' && typeof value !== 'function') {
      return `has ${option} ${shown(value)}; it is 'last' or a function`
    }
  }
  if (merge !== undefined && reduce === undefined) {
    return 'has merge but no reduce: a throttled subscriber resumes by the state'
  }
  if (levels === undefined) return undefined
  if (!isObject(levels) || typeof levels['cut'] !== 'function' || typeof levels['changes'] !== 'function') {
    return 'has levels without cut and changes, which must be functions'
  }
  if (typeof reduce !== 'function' || typeof merge !== 'function') {
    return 'has levels, but reduce and merge are not both functions'
  }
  return undefined
}

function compactionFault (
  { compacted, reduce, access }: Readonly<Record<string, unknown>>
): string | undefined {
  if (compacted === undefined || compacted === false) return undefined
  if (compacted !== true && compacted !== 'log') {
    return `has compacted ${shown(compacted)}; it is true, 'log' or false`
  }
  if (reduce !== 'last') {
    return "is compacted, but its reduce is not 'last': what is kept is the newest message"
  }
  if (access !== 'internal') {
    return "is compacted, but its access is not 'internal': clients know no removed topics"
  }
  return undefined
}

function acknowledgementFault (
  { acknowledged, keyed, reduce, access }: Readonly<Record<string, unknown>>
): string | undefined {
  if (acknowledged === undefined || acknowledged === false) return undefined
  if (acknowledged !== true) return `has acknowledged ${shown(acknowledged)}; it is true or false`
  if (access !== 'user') {
    return "is acknowledged, but its access is not 'user': each user acknowledges their own messages"
  }
  if (keyed === true) return 'is acknowledged, but its topics have symbols: a user has one such topic'
  if (reduce !== undefined) return 'is acknowledged, but has a state: each message counts'
  return undefined
}
