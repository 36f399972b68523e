/**
 * Reads JSON as text. A frame is shown as it came: to parse it and write it again would change numbers that
 * JavaScript cannot hold.
 */

/** Strings, brackets and marks, and everything else up to the next of them. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g

/** Returns the text of each item of an array, or of each member of an object, as they stand there. */
function parts (text: string): string[] {
  const found: string[] = []
  let depth = 0
  let start = 0
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') {
      if (++depth === 1) start = index + 1
    } else if (token === '}' || token === ']') {
      if (--depth === 0) found.push(text.slice(start, index).trim())
    } else if (token === ',' && depth === 1) {
      found.push(text.slice(start, index).trim())
      start = index + 1
    }
  }
  return found.filter(part => part !== '')
}

/** Returns the text of each item of an array. */
export const itemsOf = (array: string): string[] => parts(array)

/** Returns the text of a member of an object; undefined if it has none of that name. */
export function memberOf (object: string, name: string): string | undefined {
  const start = `${JSON.stringify(name)}:`
  for (const part of parts(object)) {
    const colon = part.indexOf(':')
    if (part.slice(0, colon).trimEnd() + ':' === start) return part.slice(colon + 1).trim()
  }
  return undefined
}

const INDENT = '  '

/** Returns JSON on many lines. Every token stays as it is; arrays of plain values stay on one line. */
export function indented (text: string): string {
  const tokens = Array.from(text.matchAll(TOKEN), ([token]) => token)
  let depth = 0
  let out = ''
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!
    const next = tokens[at + 1]
    if (token === '{' || token === '[') {
      const end = plainEnd(tokens, at)
      if (end !== undefined) {
        out += tokens.slice(at, end + 1).join('').replaceAll(',', ', ')
        at = end
        continue
      }
      out += token + newLine(++depth)
    } else if (token === '}' || token === ']') out += newLine(--depth) + token
    else if (token === ',') out += token + newLine(depth)
    else if (token === ':') out += ': '
    else out += token + (next === undefined || ',:]}'.includes(next) ? '' : ' ')
  }
  return out
}

const newLine = (depth: number): string => '\n' + INDENT.repeat(Math.max(0, depth))

/** The most characters of an array that stays on one line. */
const PLAIN_LENGTH = 72

/** Returns where an array without brackets and texts with commas in it ends; undefined: it holds others. */
function plainEnd (tokens: readonly string[], start: number): number | undefined {
  let length = 0
  for (let at = start + 1; at < tokens.length && length < PLAIN_LENGTH; at++) {
    const token = tokens[at]!
    if ((token === ']' && tokens[start] === '[') || (token === '}' && at === start + 1)) return at
    if ('{[}]:'.includes(token) || (token.length > 1 && token.includes(','))) return undefined
    length += token.length
  }
  return undefined
}
