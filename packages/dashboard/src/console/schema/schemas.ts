import { createStore, type Store, useStore } from '../../app/store.js'

/** The part of JSON Schema that the schemas of the server use. */
export interface Schema {
  readonly type?: string
  readonly title?: string
  readonly description?: string
  readonly const?: unknown
  readonly default?: unknown
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly minimum?: number
  readonly maximum?: number
}

/** A channel as the server describes it. */
export interface ChannelSchema {
  readonly name: string
  readonly description: string
  readonly keyed: boolean
  readonly access: string
  readonly throttle: boolean
  readonly depth: boolean
  readonly data: Schema
}

export interface Schemas {
  readonly actions: Readonly<Record<string, Schema>>
  readonly channels: readonly ChannelSchema[]
}

const schemas: Store<Schemas | undefined> = createStore<Schemas | undefined>(undefined)

export const useSchemas = (): Schemas | undefined => useStore(schemas)

/** Reads the schemas of the server's actions and channels, those of the application too. */
export async function readSchemas (): Promise<void> {
  const answer = await fetch(new URL('page/schemas.json', document.baseURI))
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`)
  schemas.set(await answer.json() as Schemas)
}

/** Returns the single schemas that a schema allows. */
export const optionsOf = (schema: Schema): readonly Schema[] =>
  schema.anyOf === undefined ? [schema] : schema.anyOf.flatMap(optionsOf)

/** Returns the schema of a channel's data. */
export const dataOf = (all: Schemas, channel: unknown): Schema | undefined =>
  all.channels.find(({ name }) => name === channel)?.data
