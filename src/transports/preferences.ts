/** One of the choices of a header like `Accept` (RFC 9110, 12.5). */
export interface Preference {
  /** In lower case, without parameters: `text/event-stream`, `gzip`, `*`. */
  readonly name: string
  /** From 0, which refuses it, to 1. */
  readonly weight: number
}

/** RFC 9110, 12.4.2. */
const WEIGHT = /^q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i
const IS_WEIGHT = /^q\s*=/i

/** What a header like `Accept` names, in its order. A choice whose weight is malformed is none. */
export function preferencesOf (header: string | string[] | undefined): Preference[] {
  return splitUnquoted(String(header ?? ''), ',').flatMap(choice => {
    const [name = '', ...parameters] = splitUnquoted(choice, ';')
    const given = parameters.find(parameter => IS_WEIGHT.test(parameter))
    const weight = given === undefined ? 1 : Number(WEIGHT.exec(given)?.[1] ?? NaN)
    return name === '' || Number.isNaN(weight) ? [] : [{ name: name.toLowerCase(), weight }]
  })
}

/** The trimmed parts between separators that do not stand within quotes. By hand: an expression for it takes a second for 16 KB of quotes. */
function splitUnquoted (text: string, separator: string): string[] {
  const parts: string[] = []
  let quoted = false
  let start = 0
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === '"') quoted = !quoted
    else if (character === '\\' && quoted) at++
    else if (character === separator && !quoted) {
      parts.push(text.slice(start, at).trim())
      start = at + 1
    }
  }
  parts.push(text.slice(start).trim())
  return parts
}
