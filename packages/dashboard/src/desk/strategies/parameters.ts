/** The part of a JSON schema that parameters of strategies have. */
export interface ParameterSchema {
  readonly type?: string
  readonly title?: string
  readonly description?: string
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly maxLength?: number
  readonly anyOf?: ReadonlyArray<{ readonly const?: unknown }>
  readonly enum?: readonly unknown[]
}

/** A strategy that can be started, as the registry of the server says it. */
export interface Registered {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly parameters: { readonly properties?: Readonly<Record<string, ParameterSchema>> }
}

export type ParameterValue = string | number | boolean

/** Returns the values among which a parameter chooses; undefined: it is free. */
export function choicesOf ({ anyOf, enum: listed }: ParameterSchema): readonly string[] | undefined {
  const values = listed ?? anyOf?.map(one => one.const)
  return values?.every(value => value !== undefined) === true ? values.map(String) : undefined
}

export const isNumber = ({ type }: ParameterSchema): boolean => type === 'integer' || type === 'number'

/** What the fields hold, as text, by the name of the parameter. */
export type TypedParameters = Readonly<Record<string, string>>

/** Returns the fields with the defaults of a strategy. */
export function defaultsOf ({ parameters: { properties = {} } }: Registered): TypedParameters {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) =>
    [name, schema.default === undefined ? '' : String(schema.default)]))
}

/**
 * Returns the parameters that are sent; those that are left empty get the server's default. The server says
 * what is wrong with them, except what is no number at all.
 * @returns undefined: one is no number
 */
export function parametersOf (
  { parameters: { properties = {} } }: Registered, typed: TypedParameters
): Readonly<Record<string, ParameterValue>> | undefined {
  const sent: Record<string, ParameterValue> = {}
  for (const [name, schema] of Object.entries(properties)) {
    const text = (typed[name] ?? '').trim()
    if (text === '') continue
    if (isNumber(schema)) {
      if (!Number.isFinite(Number(text))) return undefined
      sent[name] = Number(text)
    } else sent[name] = schema.type === 'boolean' ? text === 'true' : text
  }
  return sent
}
