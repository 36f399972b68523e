import { Parser } from 'htmlparser2'

/** Elements whose text nobody sees. */
const HIDDEN: ReadonlySet<string> = new Set(['script', 'style', 'template', 'noscript', 'head', 'svg'])
/** Elements that stand within a word or a sentence; all others end a word. */
const INLINE: ReadonlySet<string> = new Set(
  ['a', 'abbr', 'b', 'em', 'font', 'i', 'mark', 'small', 'span', 'strong', 'sub', 'sup', 'u']
)

/** Control characters, marks of direction that hide what a text says, and characters of no width. */
const INVISIBLE = /[\p{Cc}\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu
/** A half of a pair: no valid text has one alone. */
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/**
 * Returns a text on one line, without markup.
 * @param max characters; a text that is cut ends with `…`
 * @param isHtml whether tags and entities of HTML are in it
 */
export function plainText (text: string, max: number, isHtml = true): string {
  const bare = isHtml ? withoutMarkup(text) : text
  const line = bare.replace(/\s+/g, ' ').replace(INVISIBLE, '').replace(LONE_SURROGATE, '\ufffd').trim()
  if (line.length <= max) return line
  return `${line.slice(0, max - 1).replace(/[\ud800-\udbff]$/, '').trimEnd()}…`
}

function withoutMarkup (html: string): string {
  if (!/[<&]/.test(html)) return html
  let text = ''
  let hidden = 0
  const apart = (name: string): void => { if (!INLINE.has(name)) text += ' ' }
  const parser = new Parser({
    onopentagname (name) {
      if (HIDDEN.has(name)) hidden++
      apart(name)
    },
    ontext: part => { if (hidden === 0) text += part },
    onclosetag (name) {
      if (HIDDEN.has(name)) hidden--
      apart(name)
    }
  })
  parser.end(html)
  return text
}
