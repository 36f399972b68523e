import type { TSchema } from '@sinclair/typebox'
import { type ChannelDefinition, type Channels, DECIMAL_PATTERN, isServed } from '@tickwire/protocol'

interface Field {
  readonly name: string
  readonly type: string
  readonly required: boolean
  readonly description?: string
}

/** A channel, as `GET /api/ws/channels` describes it. */
export interface ListedChannel {
  readonly name: string
  /** The `type` of its messages. */
  readonly type: string
  readonly description: string
  readonly access: string
  /** Whether its topics have a symbol. */
  readonly symbols: boolean
  readonly fields: readonly Field[]
  /** What a subscription to it may ask for, or gets. */
  readonly delivery: {
    /** Whether its topics have a state, with which a subscription begins. */
    readonly snapshot: boolean
    readonly throttle_ms: boolean
    readonly depth: boolean
    /** Whether its messages come until they are acknowledged. */
    readonly acknowledged: boolean
    readonly websocket: boolean
  }
}

/** Describes the channels that clients may use. @param notOverWebSocket see `NameContext` */
export function listChannels (
  channels: Channels, notOverWebSocket: ReadonlySet<string>
): readonly ListedChannel[] {
  return [...channels.values()].filter(isServed).map(channel => ({
    name: channel.name,
    type: channel.type,
    description: channel.description,
    access: channel.access,
    symbols: channel.keyed,
    fields: fieldsOf(channel),
    delivery: {
      snapshot: channel.reduce !== undefined,
      throttle_ms: channel.merge !== undefined,
      depth: channel.levels !== undefined,
      acknowledged: channel.acknowledged === true,
      websocket: !notOverWebSocket.has(channel.name)
    }
  }))
}

function fieldsOf ({ schema }: ChannelDefinition): Field[] {
  const properties = (schema['properties'] ?? {}) as Record<string, TSchema>
  const required = new Set((schema['required'] ?? []) as string[])
  return Object.entries(properties).map(([name, field]) => ({
    name,
    type: typeOf(field),
    required: required.has(name),
    ...(field.description === undefined ? {} : { description: field.description })
  }))
}

/** Names the type of a field: that of JSON, but `decimal` for a text that is one. */
function typeOf (schema: TSchema): string {
  if (schema['pattern'] === DECIMAL_PATTERN) return 'decimal'
  if (typeof schema['type'] === 'string') return schema['type']
  const branches = (schema['anyOf'] ?? []) as TSchema[]
  return branches.length === 0 ? 'any' : [...new Set(branches.map(typeOf))].join(' or ')
}
