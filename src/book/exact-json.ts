const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/
const QUOTE = 0x22
const MINUS = 0x2d
const BACKSLASH = 0x5c

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39

/** Whether a character goes on with a number: a digit, a point, a sign or an exponent's letter. */
const isInNumber = (code: number): boolean =>
  isDigit(code) || code === 0x2e || code === MINUS || code === 0x2b || code === 0x65 || code === 0x45

/** Returns where a string ends that begins at a quote; one that has no end takes all that follows. */
function endOfString (text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++
    if (slashes % 2 === 0) return at + 1
  }
  return text.length
}

/**
 * Parses JSON, with every number as the text that stands there: `0.10` is `'0.10'`. A JavaScript number would
 * lose zeros at the end, and digits beyond the seventeenth. What is no number of JSON is left for the parser
 * to judge.
 * @throws SyntaxError where it is not JSON
 */
export function parseExact (text: string): unknown {
  let quoted = ''
  let copied = 0
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      at = endOfString(text, at)
      continue
    }
    if (!isDigit(code) && !(code === MINUS && isDigit(text.charCodeAt(at + 1)))) {
      at++
      continue
    }
    const from = at
    while (isInNumber(text.charCodeAt(at))) at++
    const number = text.slice(from, at)
    if (!NUMBER.test(number)) continue
    quoted += `${text.slice(copied, from)}"${number}"`
    copied = at
  }
  return JSON.parse(quoted + text.slice(copied))
}
