import { ProtocolError } from './errors.js'

/**
 * JSON as clients and publishers write it (PROTOCOL.md, Text and numbers): what JavaScript would read as something else than is
 * written there is refused. Everything that comes from them is read by this one file.
 */

/** A value that was read. */
export interface JsonItem {
  readonly value: unknown
  /** `invalid_message`: a number in it is not the one that was written. */
  readonly error?: ProtocolError
}

const BYTE_ORDER_MARK = 0xfeff
const decoder = new TextDecoder('utf-8', { fatal: true })

/** The text of a whole body, message or line; a byte order mark is left out. @throws ProtocolError `invalid_json` */
export function decodeText (bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw new ProtocolError('invalid_json', 'the text is not UTF-8')
  }
}

/** A text that is one value. @throws ProtocolError `invalid_json` */
export function readJson (text: string): JsonItem {
  const { value, inexact } = read(text)
  const [number] = inexact.values()
  return itemOf(value, number)
}

/** A message that may hold a list, whose items are judged one by one. */
export interface JsonMessage extends JsonItem {
  /** By index in the list: why an item cannot be taken as it was written. */
  readonly itemErrors: ReadonlyMap<number, ProtocolError>
}

/** One object. `list` names the property whose items are judged by themselves. @throws ProtocolError `invalid_json` */
export function readJsonMessage (text: string, list: string): JsonMessage {
  const { value, inexact } = read(text, list)
  const itemErrors = new Map<number, ProtocolError>()
  for (const [place, number] of inexact) if (place !== OUTSIDE) itemErrors.set(place, inexactNumber(number))
  return { ...itemOf(value, inexact.get(OUTSIDE)), itemErrors }
}

/** The items of an array, each judged by itself, or the one value of a text that is none. @throws ProtocolError `invalid_json` */
export function readJsonItems (text: string): JsonItem[] {
  const { value, inexact } = read(text)
  return Array.isArray(value) ? value.map((item: unknown, place) => itemOf(item, inexact.get(place))) : [itemOf(value, inexact.get(0))]
}

const itemOf = (value: unknown, number: string | undefined): JsonItem => number === undefined ? { value } : { value, error: inexactNumber(number) }

const MAX_SHOWN = 40

function inexactNumber (number: string): ProtocolError {
  const shown = number.length > MAX_SHOWN ? `${number.slice(0, MAX_SHOWN)}…` : number
  return new ProtocolError('invalid_message', `the number ${shown} cannot be held exactly; integers can, up to ${Number.MAX_SAFE_INTEGER}`)
}

interface Read {
  readonly value: unknown
  /** By the place of its item, or 0 where the text is no array: a number that cannot be read exactly. */
  readonly inexact: ReadonlyMap<number, string>
}

/** The place of what stands in no item of the list. */
const OUTSIDE = -1

/** @param list the property of the object whose items have places, where the text is an object */
function read (text: string, list?: string): Read {
  const json = text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (cause) {
    const error = new ProtocolError('invalid_json')
    // In words of the parser, which repeat the text: not for those who did not send it.
    error.cause = cause
    throw error
  }
  const isArray = Array.isArray(value)
  return { value, inexact: findInexact(json, isArray, isArray ? undefined : list, SURROGATE_ESCAPE.test(json)) }
}

const [QUOTE, BACKSLASH, COMMA, COLON, PLUS, MINUS, POINT, ZERO, NINE] = [0x22, 0x5c, 0x2c, 0x3a, 0x2b, 0x2d, 0x2e, 0x30, 0x39]
const OPENING: ReadonlySet<number> = new Set([0x5b, 0x7b])
const CLOSING: ReadonlySet<number> = new Set([0x5d, 0x7d])
/** While no comma ends an item. */
const NO_DEPTH = -1
/** A number of so many characters without an exponent is always read as it is written. */
const SURELY_EXACT = 15

const isDigit = (code: number): boolean => code >= ZERO && code <= NINE
/** In either case. */
const isE = (code: number): boolean => (code | 0x20) === 0x65

/**
 * Looks at each number outside of strings. Strings, which are most of a message, are stepped over by `indexOf`: a regular expression
 * that finds what to look at costs more.
 * @param json is JSON, as `JSON.parse` has found
 * @param isArray whether its own items have places
 * @param list otherwise the property whose items have
 * @param halves whether there may be escapes in it that are half of a character
 * @throws ProtocolError `invalid_json`
 */
function findInexact (json: string, isArray: boolean, list: string | undefined, halves: boolean): Map<number, string> {
  const inexact = new Map<number, string>()
  let place = list === undefined ? 0 : OUTSIDE
  /** How deep a comma stands that ends an item. */
  let itemDepth = isArray ? 1 : NO_DEPTH
  let depth = 0
  let [nameAt, nameEnd, isList] = [0, 0, false]
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at)
    if (code === QUOTE) {
      const end = endOfString(json, at)
      if (halves) checkString(json, at, end)
      if (depth === 1) [nameAt, nameEnd] = [at, end]
      at = end
    } else if (code === MINUS || isDigit(code)) {
      let end = at + 1
      let hasExponent = false
      for (let next; isDigit(next = json.charCodeAt(end)) || next === POINT || next === MINUS || next === PLUS || isE(next); end++) hasExponent ||= isE(next)
      if ((hasExponent || end - at > SURELY_EXACT) && !inexact.has(place)) {
        const number = json.slice(at, end)
        if (!isExact(number)) inexact.set(place, number)
      }
      at = end - 1
    } else if (code === COMMA) {
      if (depth === itemDepth) place++
    } else if (code === COLON) {
      if (depth === 1 && list !== undefined) isList = JSON.parse(json.slice(nameAt, nameEnd + 1)) === list
    } else if (OPENING.has(code)) {
      depth++
      if (depth === 2 && isList) {
        // Of a property that is there twice, the last one counts.
        for (const known of [...inexact.keys()]) if (known !== OUTSIDE) inexact.delete(known)
        place = 0
        itemDepth = depth
      }
    } else if (CLOSING.has(code)) {
      depth--
      if (depth === 1 && list !== undefined) {
        place = OUTSIDE
        itemDepth = NO_DEPTH
      }
    }
  }
  return inexact
}

function endOfString (json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); ; end = json.indexOf('"', end + 1)) {
    let escapes = end
    while (json.charCodeAt(escapes - 1) === BACKSLASH) escapes--
    if ((end - escapes) % 2 === 0) return end
  }
}

const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/
const HALF = /\p{Surrogate}/u

/** Half of a character has no UTF-8: it would reach others as U+FFFD, or not at all. */
function checkString (json: string, start: number, end: number): void {
  const literal = json.slice(start, end + 1)
  if (SURROGATE_ESCAPE.test(literal) && HALF.test(JSON.parse(literal) as string)) throw new ProtocolError('invalid_json', 'an escape in the text is half of a character')
}

const INTEGER = /^-?\d+$/

/**
 * Whether a number is read as what is written. A fraction is read as the nearest that there is, as everywhere; but none may become
 * an integer, none infinite, and an integer must be that integer, to the last digit where it is written in digits alone.
 */
function isExact (number: string): boolean {
  const value = Number(number)
  if (!Number.isFinite(value)) return false
  if (!Number.isInteger(value)) return true
  if (INTEGER.test(number)) return Number.isSafeInteger(value) || BigInt(number) === BigInt(value)
  return significant(number) === significant(String(value))
}

const PARTS = /^-?(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/

/** The same text for all spellings of an amount, without its sign: its digits from the first to the last that is not 0, and their place. */
function significant (number: string): string {
  const [, whole = '', fraction = '', exponent = '0'] = PARTS.exec(number)!
  const digits = whole + fraction
  let [first, end] = [0, digits.length]
  while (digits.charCodeAt(first) === ZERO) first++
  if (first === end) return ''
  while (digits.charCodeAt(end - 1) === ZERO) end--
  return `${digits.slice(first, end)}e${whole.length - first + Number(exponent)}`
}
