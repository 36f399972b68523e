/** Where a caret stands in JSON that is still being written. */
export interface Place {
  /** Whether a name of a field is wanted here, or a value. */
  readonly wants: 'name' | 'value'
  /** What leads to it: names of fields, and places in arrays. Without the name that is being written. */
  readonly path: ReadonlyArray<string | number>
  /** What a suggestion replaces. */
  readonly from: number
  readonly to: number
  /** What of it stands before the caret, without its quote. */
  readonly prefix: string
  /** Whether a colon or another value follows: then there is none to add. */
  readonly isNamed: boolean
  /** The names that the object around has already. */
  readonly names: ReadonlySet<string>
  /** Plain values of the text by their path, joined by dots: `messages.0.channel`. */
  readonly values: ReadonlyMap<string, unknown>
}

/** Strings, also those that do not end yet; brackets and marks; everything else up to the next of them. */
const TOKEN = /"(?:[^"\\\n]|\\.)*(")|"[^"\n,\]}]*|[{}[\],:]|[^\s"{}[\],:]+/g

interface Level {
  readonly isArray: boolean
  readonly names: Set<string>
  /** The field, or the place in the array, whose value comes. */
  key: string | number
  /** `done`: a comma or the end comes. */
  wants: 'name' | 'colon' | 'value' | 'done'
}

/** Returns where a caret stands; undefined: nothing can be completed there. */
export function placeAt (text: string, caret: number): Place | undefined {
  const levels: Level[] = []
  const values = new Map<string, unknown>()
  let found: Pick<Place, 'wants' | 'path' | 'from' | 'to' | 'prefix' | 'names'> | undefined
  let isPast = false
  const find = (from: number, to: number, prefix: string): void => {
    isPast = true
    const level = levels.at(-1)
    if (level?.wants !== 'name' && level?.wants !== 'value') return
    const keys = levels.map(({ key }) => key)
    const path = level.wants === 'value' ? keys : keys.slice(0, -1)
    found = { wants: level.wants, path, from, to, prefix, names: level.names }
  }
  for (const { 0: token, 1: quote, index } of text.matchAll(TOKEN)) {
    const end = index + token.length
    const isText = token.startsWith('"')
    const isMark = token.length === 1 && '{}[],:'.includes(token)
    let isBeingWritten = false
    if (!isPast && index >= caret) find(caret, caret, '')
    else if (!isPast && !isMark && caret <= (isText && quote === '"' ? end - 1 : end)) {
      find(index, end, text.slice(index + (isText ? 1 : 0), caret))
      isBeingWritten = true
    }
    take(token, levels, values, isBeingWritten)
  }
  if (!isPast) find(caret, caret, '')
  return found === undefined ? undefined : { ...found, isNamed: /^\s*:/.test(text.slice(found.to)), values }
}

function take (token: string, levels: Level[], values: Map<string, unknown>, isBeingWritten: boolean): void {
  const level = levels.at(-1)
  if (token === '{') levels.push({ isArray: false, names: new Set(), key: '', wants: 'name' })
  else if (token === '[') levels.push({ isArray: true, names: new Set(), key: 0, wants: 'value' })
  else if (token === '}' || token === ']') {
    levels.pop()
    const around = levels.at(-1)
    if (around !== undefined) around.wants = 'done'
  } else if (level !== undefined) takePlain(token, level, levels, values, isBeingWritten)
}

function takePlain (
  token: string, level: Level, levels: readonly Level[], values: Map<string, unknown>, isBeingWritten: boolean
): void {
  if (token === ',') {
    if (typeof level.key === 'number') level.key++
    level.wants = level.isArray ? 'value' : 'name'
  } else if (token === ':') level.wants = 'value'
  else if (level.wants === 'name') {
    level.key = String(valueOf(token))
    level.wants = 'colon'
    if (!isBeingWritten) level.names.add(level.key)
  } else if (level.wants === 'value') {
    values.set(levels.map(({ key }) => key).join('.'), valueOf(token))
    level.wants = 'done'
  }
}

function valueOf (token: string): unknown {
  try {
    return JSON.parse(token)
  } catch {
    return token.replace(/^"/, '')
  }
}
