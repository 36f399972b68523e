import { Kind } from '@sinclair/typebox'
import { controlTypes } from '../messages/server.js'
import { isChannelName } from '../topic.js'
import { channelAccess } from './access.js'

/** The options of a ChannelDefinition. */
const OPTIONS: readonly string[] = ['name', 'type', 'description', 'keyed', 'access', 'schema', 'retention', 'reduce', 'merge', 'levels']
const RETENTION: readonly string[] = ['messages', 'seconds']

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null
const shown = (value: unknown): string => typeof value === 'string' ? `'${value}'` : String(value)

/**
 * Says in a sentence why the server cannot use a definition; undefined where it can. JavaScript passes any object: without this check
 * the server would skip a misspelt option, and open a channel to everybody that was meant for a few.
 */
export function channelFault (definition: unknown): string | undefined {
  if (!isObject(definition)) return `a channel is an object that defineChannel returns, not ${shown(definition)}`
  const fault = faultOf(definition)
  return fault === undefined ? undefined : `the channel ${shown(definition['name'])} ${fault}`
}

function faultOf (definition: Readonly<Record<string, unknown>>): string | undefined {
  const { name, type, description, keyed, access, schema, retention = {}, reduce, merge, levels } = definition
  const unknown = Object.keys(definition).find(option => !OPTIONS.includes(option))
  if (unknown !== undefined) return `has an option '${unknown}'; there are: ${OPTIONS.join(', ')}`
  if (typeof name !== 'string' || !isChannelName(name)) return 'must be named in lower case: letters, digits, _, parts joined by dots'
  if (typeof type !== 'string' || type === '') return 'has no type, the text that its messages have as theirs'
  if (controlTypes.includes(type)) return `has the type '${type}', which is that of a message of the protocol itself`
  if (typeof description !== 'string') return 'has no description'
  if (typeof keyed !== 'boolean') return `has keyed ${shown(keyed)}; it is true or false: whether its topics have a symbol`
  if (access === undefined) return `has no access; it is one of ${channelAccess.join(', ')}`
  if (!channelAccess.some(known => known === access)) {
    return `has access ${shown(access)}; it is one of ${channelAccess.join(', ')}${access === 'private' ? ' (a private channel of PROTOCOL.md is one of user)' : ''}`
  }
  if (!isObject(schema) || !(Kind in schema)) return 'has a schema that is not made with Type: Type.Object({ … })'
  return retentionFault(retention) ?? stateFault(reduce, merge, levels)
}

function retentionFault (retention: unknown): string | undefined {
  if (!isObject(retention)) return `has a retention that is ${shown(retention)}; it is { messages, seconds }`
  const unknown = Object.keys(retention).find(bound => !RETENTION.includes(bound))
  if (unknown !== undefined) return `has a retention with '${unknown}'; there are: ${RETENTION.join(', ')}`
  if (Object.values(retention).some(bound => bound !== undefined && !(typeof bound === 'number' && bound > 0))) return 'has a retention that is not above 0'
  return undefined
}

function stateFault (reduce: unknown, merge: unknown, levels: unknown): string | undefined {
  for (const [option, value] of Object.entries({ reduce, merge })) {
    if (value !== undefined && value !== 'last' && typeof value !== 'function') return `has ${option} ${shown(value)}; it is 'last' or a function`
  }
  if (merge !== undefined && reduce === undefined) return 'has merge but no reduce: whoever is throttled resumes by the state'
  if (levels === undefined) return undefined
  if (!isObject(levels) || typeof levels['cut'] !== 'function' || typeof levels['changes'] !== 'function') return 'has levels without cut and changes, which are functions'
  if (typeof reduce !== 'function' || typeof merge !== 'function') return 'has levels, which go with functions for reduce and merge'
  return undefined
}
