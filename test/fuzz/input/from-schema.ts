import type { TSchema } from '@sinclair/typebox'
import type { Choices } from '../../helpers/random.js'
import { oddNumber, oddText, oddValue } from './odd.js'
import { Doubled, Raw } from './json.js'

/**
 * Returns a text for a property whose meaning its pattern does not express; undefined if its schema says
 * everything.
 */
export type Meaning = (name: string, schema: TSchema) => unknown

/** Values that fit a schema, and values that nearly do. */
export class FromSchema {
  constructor (private readonly random: Choices, private readonly meaning: Meaning) {}

  /** One that fits. @param name of the property that it is for */
  fitting (schema: TSchema, name = ''): unknown {
    const { random } = this
    const meant = this.meaning(name, schema)
    if (meant !== undefined) return meant
    if (schema['const'] !== undefined) return schema['const']
    if (Array.isArray(schema['anyOf'])) return this.fitting(random.pick(schema['anyOf'] as TSchema[]), name)
    switch (schema['type'] as unknown) {
      case 'string': return 'x'.repeat(random.integer(Number(schema['minLength'] ?? 0), Math.min(Number(schema['maxLength'] ?? 20), 20)))
      case 'integer': case 'number': return this.number(schema)
      case 'boolean': return random.next() < 0.5
      case 'array': return this.array(schema, name)
      case 'object': return this.object(schema)
      default: return oddValue(random, 3)
    }
  }

  /** The same with one thing wrong, somewhere in it. */
  near (schema: TSchema, name = ''): unknown {
    const { random } = this
    const properties = schema['properties'] as Record<string, TSchema> | undefined
    if (properties !== undefined) return this.nearObject(schema, properties)
    if (Array.isArray(schema['anyOf']) && random.next() < 0.6) return this.near(random.pick(schema['anyOf'] as TSchema[]), name)
    if (schema['const'] !== undefined) return random.pick([String(schema['const']).toUpperCase(), `${schema['const']} `, [schema['const']], null, oddText(random)])
    switch (schema['type'] as unknown) {
      case 'string': return random.pick<() => unknown>([() => oddText(random), () => 'x'.repeat(Number(schema['maxLength'] ?? 10_000) + 1), () => '', () => oddValue(random), () => `${String(this.fitting(schema, name))}\u0000`])()
      case 'integer': case 'number': return random.pick<() => unknown>([
        () => Number(schema['minimum'] ?? 0) - 1, () => Number(schema['maximum'] ?? 0) + 1, () => String(this.number(schema)), () => this.number(schema) + 0.5, () => oddNumber(random), () => oddValue(random)
      ])()
      case 'boolean': return random.pick<unknown>(['true', 'false', 0, 1, null, [], oddText(random)])
      case 'array': return this.nearArray(schema, name)
      default: return oddValue(random)
    }
  }

  private number (schema: TSchema): number {
    const low = Number(schema['minimum'] ?? 0)
    const high = Number(schema['maximum'] ?? 2 ** 40)
    const { random } = this
    const near = random.integer(low, Math.min(high, low + 1000))
    return random.pick([low, high, Math.min(high, low + 1), near, random.integer(low, high)])
  }

  private array (schema: TSchema, name: string): unknown[] {
    const { random } = this
    const most = Math.min(Number(schema['maxItems'] ?? 6), random.next() < 0.005 ? 1000 : 6)
    return Array.from({ length: random.integer(Number(schema['minItems'] ?? 0), most) }, () => this.fitting(schema['items'] as TSchema, name))
  }

  private nearArray (schema: TSchema, name: string): unknown {
    const { random } = this
    const items = (): unknown[] => this.array(schema, name)
    switch (random.integer(0, 5)) {
      case 0: return []
      case 1: return items()[0] ?? null
      case 2: return [...items(), this.near(schema['items'] as TSchema, name)]
      case 3: return Array.from({ length: Number(schema['maxItems'] ?? 1000) + 1 }, () => 'A')
      case 4: return { ...items() }
      default: return oddValue(random)
    }
  }

  private object (schema: TSchema): Record<string, unknown> {
    const { random } = this
    const patterns = schema['patternProperties'] as Record<string, TSchema> | undefined
    if (patterns !== undefined) {
      const [item] = Object.values(patterns)
      return Object.fromEntries(Array.from({ length: random.integer(0, 4) }, () => [String(this.meaning('symbol', item!)), this.fitting(item!, '')]))
    }
    const required = (schema['required'] ?? []) as readonly string[]
    return Object.fromEntries(Object.entries(schema['properties'] as Record<string, TSchema>)
      .filter(([name]) => required.includes(name) || random.next() < 0.3)
      .map(([name, property]) => [name, this.fitting(property, name)]))
  }

  private nearObject (schema: TSchema, properties: Record<string, TSchema>): unknown {
    const { random } = this
    const value = this.object(schema)
    const names = Object.keys(properties)
    const name = random.pick(names)
    switch (random.integer(0, 7)) {
      case 0: delete value[random.pick(Object.keys(value))]; break
      case 1: value[oddText(random).slice(0, 60)] = oddValue(random); break
      case 2: value[name.toUpperCase()] = this.fitting(properties[name]!, name); break
      // A name that occurs twice: the second value counts, so the first one must not matter.
      case 3: {
        const first = this.near(properties[name]!, name)
        value[name] = new Doubled(first, this.fitting(properties[name]!, name))
        break
      }
      case 4: return new Raw(`{"__proto__":{"admin":true},"${name}":null}`)
      default: value[name] = this.near(properties[name]!, name)
    }
    return value
  }
}
