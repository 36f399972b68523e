import { describe } from './complete.js'
import { dataOf, optionsOf, type Schema, type Schemas } from './schemas.js'

/**
 * What is wrong with a message:
 * - `json`: it is none;
 * - `action`, `channel`: there is no such one;
 * - `missing`, `unknown`: a field;
 * - `wrong`: a value, and `detail` says what it must be;
 * - `symbols`, `no_symbols`: the channel needs symbols, or has none.
 */
export interface Fault {
  readonly kind: 'json' | 'action' | 'channel' | 'missing' | 'unknown' | 'wrong' | 'symbols' | 'no_symbols'
  /** Names the place: `messages.0.data.bid`. */
  readonly path: string
  readonly detail: string
}

export type Action = Readonly<Record<string, unknown>>

/** Returns what a text means; undefined: it is not an object of JSON. */
export function actionOf (text: string): Action | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Action : undefined
  } catch {
    return undefined
  }
}

/** Returns what is wrong with a message, as far as the schemas say. The server has the last word. */
export function faultsOf (text: string, schemas: Schemas): readonly Fault[] {
  const action = actionOf(text)
  if (action === undefined) return [{ kind: 'json', path: '', detail: jsonFault(text) }]
  const schema = schemas.actions[String(action['action'])]
  if (schema === undefined) {
    return [{ kind: 'action', path: 'action', detail: Object.keys(schemas.actions).join(', ') }]
  }
  return [...check(action, schema, '', schemas), ...channelFaults(action, schemas)]
}

function jsonFault (text: string): string {
  try {
    JSON.parse(text)
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : ''
  }
}

function channelFaults ({ action, channel, symbols }: Action, { channels }: Schemas): Fault[] {
  if (typeof channel !== 'string') return []
  const found = channels.find(({ name }) => name === channel)
  if (found === undefined) {
    return [{ kind: 'channel', path: 'channel', detail: nearest(channel, channels.map(({ name }) => name)) }]
  }
  if (action === 'ack') return []
  const isNamed = Array.isArray(symbols)
  // `strategy` may be read without a symbol: only the server knows which strategies there are.
  if (found.keyed && !isNamed) return [{ kind: 'symbols', path: 'symbols', detail: channel }]
  return !found.keyed && isNamed ? [{ kind: 'no_symbols', path: 'symbols', detail: channel }] : []
}

function check (value: unknown, schema: Schema, path: string, schemas: Schemas): Fault[] {
  const options = optionsOf(schema)
  if (options.length > 1) {
    const isFine = options.some(option => check(value, option, path, schemas).length === 0)
    const nameOf = (one: Schema): string => one.const === undefined ? describe(one) : String(one.const)
    return isFine ? [] : [{ kind: 'wrong', path, detail: schema.title ?? options.map(nameOf).join(', ') }]
  }
  if (schema.type === 'object') return checkObject(value, schema, path, schemas)
  if (schema.type === 'array') {
    const { minItems = 0, maxItems = Infinity } = schema
    if (!Array.isArray(value) || value.length < minItems || value.length > maxItems) {
      return [{ kind: 'wrong', path, detail: minItems === 0 ? 'array' : `array, ≥ ${minItems}` }]
    }
    return value.flatMap((item, index) => check(item, schema.items ?? {}, join(path, index), schemas))
  }
  return isPlain(value, schema) ? [] : [{ kind: 'wrong', path, detail: bounds(schema) }]
}

function checkObject (value: unknown, schema: Schema, path: string, schemas: Schemas): Fault[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [{ kind: 'wrong', path, detail: 'object' }]
  }
  const fields = value as Action
  const { properties = {}, required = [], additionalProperties } = schema
  const missing = required.filter(name => !Object.hasOwn(fields, name)).map((name): Fault =>
    ({ kind: 'missing', path: join(path, name), detail: describe(properties[name] ?? {}) }))
  return [...missing, ...Object.entries(fields).flatMap(([name, field]): Fault[] => {
    const known = properties[name]
    if (known === undefined) {
      const names = Object.keys(properties).filter(one => !Object.hasOwn(fields, one))
      return additionalProperties === false
        ? [{ kind: 'unknown', path: join(path, name), detail: nearest(name, names) }]
        : []
    }
    const isData = name === 'data' && /^messages\.\d+$/.test(path)
    const data = isData ? dataOf(schemas, fields['channel']) : undefined
    return check(field, data ?? known, join(path, name), schemas)
  })]
}

const join = (path: string, key: string | number): string => path === '' ? String(key) : `${path}.${key}`

function isPlain (value: unknown, schema: Schema): boolean {
  if (schema.const !== undefined) return value === schema.const
  switch (schema.type) {
    case 'string':
      return typeof value === 'string' && value.length >= (schema.minLength ?? 0) &&
        value.length <= (schema.maxLength ?? Infinity) &&
        (schema.pattern === undefined || new RegExp(schema.pattern).test(value))
    case 'integer': return Number.isSafeInteger(value) && isWithin(value as number, schema)
    case 'number': return typeof value === 'number' && isWithin(value, schema)
    case 'boolean': return typeof value === 'boolean'
    default: return true
  }
}

const isWithin = (value: number, { minimum = -Infinity, maximum = Infinity }: Schema): boolean =>
  value >= minimum && value <= maximum

function bounds (schema: Schema): string {
  const { minimum, maximum, title, type = '' } = schema
  if (title !== undefined) return title
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  return minimum === undefined && maximum === undefined ? type : `${type} ${minimum ?? ''}…${maximum ?? ''}`
}

/** Returns the name that was probably meant; '' if none is near. */
function nearest (name: string, names: readonly string[]): string {
  const [near] = names.map(one => ({ one, distance: distance(name, one) }))
    .sort((a, b) => a.distance - b.distance)
  return near !== undefined && near.distance <= Math.max(2, name.length / 3) ? near.one : ''
}

/** How many characters to change, add and take away. */
function distance (from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (const [at, character] of [...from].entries()) {
    const next = [at + 1]
    for (let index = 0; index < to.length; index++) {
      const changed = row[index]! + (to[index] === character ? 0 : 1)
      next.push(Math.min(changed, row[index + 1]! + 1, next[index]! + 1))
    }
    row = next
  }
  return row.at(-1)!
}
