import type { TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { DECIMAL_PATTERN } from '@tickwire/protocol'

/** Writes a value as JSON text. */
type Write = (value: unknown) => string

/**
 * Returns a function that writes data of a schema with its decimals as JSON numbers, each digit as the source
 * gave it. Returns undefined if the schema has no decimals: the text of the data can then stay as it is.
 */
export function writeNumbers (schema: TSchema): Write | undefined {
  if (schema['pattern'] === DECIMAL_PATTERN) return value => value as string
  if (schema['type'] === 'object') return writeObject(schema)
  if (schema['type'] === 'array') {
    const items = schema['items'] as TSchema | TSchema[]
    return Array.isArray(items) ? writeTuple(items) : writeArray(items)
  }
  if (Array.isArray(schema['anyOf'])) return writeUnion(schema['anyOf'] as TSchema[])
  return undefined
}

function writeObject (schema: TSchema): Write | undefined {
  const fields = new Map<string, Write>()
  for (const [name, field] of Object.entries((schema['properties'] ?? {}) as Record<string, TSchema>)) {
    const write = writeNumbers(field)
    if (write !== undefined) fields.set(name, write)
  }
  const patternProperties = (schema['patternProperties'] ?? {}) as Record<string, TSchema>
  const patterns = Object.values(patternProperties).map(writeNumbers)
  const other = patterns.length === 1 ? patterns[0] : undefined
  if (fields.size === 0 && other === undefined) return undefined
  return value => {
    const parts = Object.entries(value as object).map(([name, field]: [string, unknown]) =>
      `${JSON.stringify(name)}:${(fields.get(name) ?? other ?? JSON.stringify)(field)}`)
    return `{${parts.join(',')}}`
  }
}

function writeArray (items: TSchema): Write | undefined {
  const write = writeNumbers(items)
  return write === undefined ? undefined : value => `[${(value as unknown[]).map(write).join(',')}]`
}

function writeTuple (items: readonly TSchema[]): Write | undefined {
  const writes = items.map(writeNumbers)
  if (writes.every(write => write === undefined)) return undefined
  return value => {
    const items = (value as unknown[]).map((item, index) => (writes[index] ?? JSON.stringify)(item))
    return `[${items.join(',')}]`
  }
}

function writeUnion (branches: readonly TSchema[]): Write | undefined {
  const writes = branches.map(writeNumbers)
  if (writes.every(write => write === undefined)) return undefined
  return value => {
    const index = branches.findIndex(branch => Value.Check(branch, value))
    return (writes[index] ?? JSON.stringify)(value)
  }
}
