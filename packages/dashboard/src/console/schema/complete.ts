import type { Instrument } from '@tickwire/protocol'
import type { Place } from './place.js'
import { dataOf, optionsOf, type Schema, type Schemas } from './schemas.js'

/** What the console knows beside the schemas. */
export interface Known {
  readonly schemas: Schemas
  readonly instruments: readonly Instrument[]
  readonly cursor: string | undefined
  readonly epoch: string | undefined
}

export interface Suggestion {
  readonly label: string
  readonly detail: string
  /** The text that stands in place of what is written. */
  readonly insert: string
  /** Where in it the caret goes. */
  readonly caret: number
}

const MOST_SUGGESTIONS = 40

type Path = Place['path']

/** Returns the schemas at a path. */
function schemasAt (path: Path, { values }: Place, schemas: Schemas): readonly Schema[] {
  const action = schemas.actions[String(values.get('action'))]
  let found: readonly Schema[] = action === undefined ? Object.values(schemas.actions) : [action]
  for (const [at, key] of path.entries()) {
    const isData = key === 'data' && path[0] === 'messages' && at === 2
    const data = isData ? dataOf(schemas, values.get(`messages.${path[1]}.channel`)) : undefined
    found = data !== undefined
      ? [data]
      : found.flatMap(schema => {
        const next = typeof key === 'number' ? schema.items : schema.properties?.[key]
        return next === undefined ? [] : optionsOf(next)
      })
  }
  return found
}

function nameSuggestions (place: Place, schemas: Schemas): Suggestion[] {
  const fields = new Map<string, Schema>()
  for (const schema of schemasAt(place.path, place, schemas)) {
    for (const [name, field] of Object.entries(schema.properties ?? {})) {
      fields.set(name, fields.get(name) ?? field)
    }
  }
  return [...fields].filter(([name]) => !place.names.has(name)).map(([name, field]) => {
    const [before, after] = place.isNamed ? ['', ''] : frameOf(field)
    const insert = JSON.stringify(name) + (place.isNamed ? '' : ': ') + before
    return { label: name, detail: describe(field), insert: insert + after, caret: insert.length }
  })
}

/** Returns what stands around a value of a schema. */
function frameOf (field: Schema): readonly [before: string, after: string] {
  const [first = {}] = optionsOf(field)
  if (first.type === 'array') {
    const isOfTexts = first.items?.type === 'string'
    return isOfTexts ? ['["', '"]'] : ['[{', '}]']
  }
  if (first.type === 'object') return ['{', '}']
  return (first.type ?? typeof first.const) === 'string' ? ['"', '"'] : ['', '']
}

export function describe ({ title, description, type, anyOf }: Schema): string {
  return title ?? description ?? type ?? anyOf?.map(one => one.type ?? '').filter(Boolean).join(' | ') ?? ''
}

function valueSuggestions (place: Place, known: Known): Suggestion[] {
  const { path, values } = place
  const { schemas } = known
  const name = [...path].reverse().find(key => typeof key === 'string') ?? ''
  const channel = schemas.channels.find(one => one.name === channelOf(path, values))
  if (path.length === 1 && name === 'action') return Object.keys(schemas.actions).map(one => plain(one))
  switch (name) {
    case 'channel': return schemas.channels.map(one => plain(one.name, one.description))
    case 'symbols': return channel?.keyed === false ? [] : symbolsOf(known, channel?.name, true)
    case 'symbol': return symbolsOf(known, channel?.name, false)
    case 'after': if (known.cursor !== undefined) return [plain(known.cursor)]; break
    case 'epoch': if (known.epoch !== undefined) return [plain(known.epoch)]; break
  }
  return schemasAt(path, place, schemas).flatMap(schema => {
    if (schema.const !== undefined) return [plain(schema.const)]
    return schema.type === 'boolean' ? [plain(true), plain(false)] : []
  })
}

const channelOf = (path: Path, values: Place['values']): unknown =>
  values.get(path[0] === 'messages' ? `messages.${path[1]}.channel` : 'channel')

function symbolsOf ({ instruments }: Known, channel: string | undefined, sets: boolean): Suggestion[] {
  const markets = [...new Set(instruments.flatMap(({ market }) => market ?? []))]
  if (channel === 'market') return markets.map(market => plain(market))
  const symbols = instruments.map(({ symbol, name }) => plain(symbol, name))
  if (!sets) return symbols
  const sectors = new Map(instruments.map(one => [one.sector, one.sector_name]))
  sectors.delete(undefined)
  return [
    ...symbols,
    plain('*'),
    ...markets.map(market => plain(`@market/${market}`)),
    ...Array.from(sectors, ([sector, words]) => plain(`@sector/${sector}`, words))
  ]
}

function plain (value: unknown, detail = ''): Suggestion {
  const insert = JSON.stringify(value)
  return { label: String(value), detail, insert, caret: insert.length }
}

/** Returns what may stand at a place: first what begins with what is written there, then what has it. */
export function suggest (place: Place, known: Known): readonly Suggestion[] {
  const all = place.wants === 'name' ? nameSuggestions(place, known.schemas) : valueSuggestions(place, known)
  const prefix = place.prefix.toLowerCase()
  const rank = ({ label, detail }: Suggestion): number => {
    if (label.toLowerCase().startsWith(prefix)) return 0
    return label.toLowerCase().includes(prefix) || detail.toLowerCase().includes(prefix) ? 1 : 2
  }
  return all.map(one => ({ one, order: rank(one) })).filter(({ order }) => order < 2)
    .sort((a, b) => a.order - b.order).slice(0, MOST_SUGGESTIONS).map(({ one }) => one)
}
