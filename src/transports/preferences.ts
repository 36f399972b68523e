/** One of the choices of a header like `Accept` (RFC 9110, 12.5). */
export interface Preference {
  /** In lower case, without parameters: `text/event-stream`, `gzip`, `*`. */
  readonly name: string
  /** From 0 to 1. A weight of 0 refuses the choice. */
  readonly weight: number
}

/** RFC 9110, 12.4.2. */
const WEIGHT = /^q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i
const IS_WEIGHT = /^q\s*=/i

/** Returns the choices of a header like `Accept`, in its order. Drops a choice whose weight is malformed. */
export function preferencesOf (header: string | string[] | undefined): Preference[] {
  return splitUnquoted(String(header ?? ''), ',').flatMap(choice => {
    const [name = '', ...parameters] = splitUnquoted(choice, ';')
    const given = parameters.find(parameter => IS_WEIGHT.test(parameter))
    const weight = given === undefined ? 1 : Number(WEIGHT.exec(given)?.[1] ?? NaN)
    return name === '' || Number.isNaN(weight) ? [] : [{ name: name.toLowerCase(), weight }]
  })
}

/**
 * Returns the trimmed parts of a text between separators that do not stand within quotes. A regular
 * expression for it would take a second for 16 KB of quotes, so a loop does it.
 */
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
