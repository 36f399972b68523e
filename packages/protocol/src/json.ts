import { ProtocolError } from './errors.js'

/**
 * Reads JSON as clients and publishers write it (PROTOCOL.md, Text and numbers), and refuses what JavaScript
 * would read as something else than they wrote. This one file reads everything that comes from them.
 */

/** A value that was read. */
export interface JsonItem {
  readonly value: unknown
  /** `invalid_message`: JavaScript would read a number in the value as another number. */
  readonly error?: ProtocolError
}

const BYTE_ORDER_MARK = 0xfeff
const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Returns the text of a whole body, message or line, without a byte order mark.
 * @throws ProtocolError `invalid_json`
 */
export function decodeText (bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw new ProtocolError('invalid_json', 'the text is not UTF-8')
  }
}

/** Reads a text that is one value. @throws ProtocolError `invalid_json` */
export function readJson (text: string): JsonItem {
  const { value, inexact } = read(text)
  const [number] = inexact.values()
  return itemOf(value, number)
}

/** A message that may hold a list whose items are judged one by one. */
export interface JsonMessage extends JsonItem {
  /** By index in the list: why the server cannot take an item as it was written. */
  readonly itemErrors: ReadonlyMap<number, ProtocolError>
}

/**
 * Reads a text that is one object.
 * @param list the property whose items are judged one by one
 * @throws ProtocolError `invalid_json`
 */
export function readJsonMessage (text: string, list: string): JsonMessage {
  const { value, inexact } = read(text, list)
  const itemErrors = new Map<number, ProtocolError>()
  for (const [place, number] of inexact) if (place !== OUTSIDE) itemErrors.set(place, inexactNumber(number))
  return { ...itemOf(value, inexact.get(OUTSIDE)), itemErrors }
}

/**
 * Reads the items of an array, each judged by itself; or the one value of a text that is not an array.
 * @throws ProtocolError `invalid_json`
 */
export function readJsonItems (text: string): JsonItem[] {
  const { value, inexact } = read(text)
  if (!Array.isArray(value)) return [itemOf(value, inexact.get(0))]
  return value.map((item: unknown, place) => itemOf(item, inexact.get(place)))
}

const itemOf = (value: unknown, number: string | undefined): JsonItem =>
  number === undefined ? { value } : { value, error: inexactNumber(number) }

/** How many characters of a number an error shows. */
const MAX_SHOWN = 40

function inexactNumber (number: string): ProtocolError {
  const shown = number.length > MAX_SHOWN ? `${number.slice(0, MAX_SHOWN)}…` : number
  const largest = Number.MAX_SAFE_INTEGER
  return new ProtocolError(
    'invalid_message', `the number ${shown} cannot be held exactly; integers can, up to ${largest}`
  )
}

interface Read {
  readonly value: unknown
  /** By place of its item, or 0 if the text is not an array: a number that cannot be read exactly. */
  readonly inexact: ReadonlyMap<number, string>
}

/** The place of numbers that are in no item of the list. */
const OUTSIDE = -1

/** @param list the property of the object whose items have places, if the text is an object */
function read (text: string, list?: string): Read {
  const json = text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (cause) {
    const error = new ProtocolError('invalid_json')
    // The parser's own message repeats the text, which only the sender may see.
    error.cause = cause
    throw error
  }
  const isArray = Array.isArray(value)
  const mayHoldHalves = SURROGATE_ESCAPE.test(json)
  return { value, inexact: findInexact(json, isArray, isArray ? undefined : list, mayHoldHalves) }
}

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a]
const [PLUS, MINUS, POINT, ZERO, NINE] = [0x2b, 0x2d, 0x2e, 0x30, 0x39]
const OPENING: ReadonlySet<number> = new Set([0x5b, 0x7b])
const CLOSING: ReadonlySet<number> = new Set([0x5d, 0x7d])
/** Stands for the depth of the commas that end an item, while no comma does. */
const NO_DEPTH = -1
/** A number of at most so many characters, without an exponent, is always read as it is written. */
const SURELY_EXACT = 15

const isDigit = (code: number): boolean => code >= ZERO && code <= NINE
/** `e` or `E`. */
const isE = (code: number): boolean => (code | 0x20) === 0x65
const isNumberPart = (code: number): boolean =>
  isDigit(code) || code === POINT || code === MINUS || code === PLUS || isE(code)

/**
 * Finds the numbers outside of strings that cannot be read exactly. Strings are most of a message; the
 * function skips them by `indexOf`, which costs less than a regular expression that finds the numbers.
 * @param json text that `JSON.parse` has accepted
 * @param isArray whether the items of the text itself have places
 * @param list if not: the property whose items have places
 * @param mayHoldHalves whether the text may hold escapes that are half of a character
 * @throws ProtocolError `invalid_json`
 */
function findInexact (
  json: string, isArray: boolean, list: string | undefined, mayHoldHalves: boolean
): Map<number, string> {
  const inexact = new Map<number, string>()
  let place = list === undefined ? 0 : OUTSIDE
  /** The depth of the commas that end an item. */
  let itemDepth = isArray ? 1 : NO_DEPTH
  let depth = 0
  let [nameAt, nameEnd, isList] = [0, 0, false]
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at)
    if (code === QUOTE) {
      const end = endOfString(json, at)
      if (mayHoldHalves) requireWholeCharacters(json, at, end)
      if (depth === 1) [nameAt, nameEnd] = [at, end]
      at = end
    } else if (code === MINUS || isDigit(code)) {
      let end = at + 1
      let hasExponent = false
      for (let next; isNumberPart(next = json.charCodeAt(end)); end++) hasExponent ||= isE(next)
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
        // If the property is there twice, the last one counts.
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

/**
 * Refuses a string with half of a character. Half of a character has no UTF-8: it would reach others as
 * U+FFFD, or not at all.
 * @throws ProtocolError `invalid_json`
 */
function requireWholeCharacters (json: string, start: number, end: number): void {
  const literal = json.slice(start, end + 1)
  if (SURROGATE_ESCAPE.test(literal) && HALF.test(JSON.parse(literal) as string)) {
    throw new ProtocolError('invalid_json', 'an escape in the text is half of a character')
  }
}

const INTEGER = /^-?\d+$/

/**
 * Returns whether JavaScript reads a number as it is written. A fraction may be read as the nearest fraction,
 * as everywhere; but it must not become an integer, and no number may become infinite. An integer must be
 * read as that integer, to the last digit if it is written in digits alone.
 */
function isExact (number: string): boolean {
  const value = Number(number)
  if (!Number.isFinite(value)) return false
  if (!Number.isInteger(value)) return true
  if (INTEGER.test(number)) return Number.isSafeInteger(value) || BigInt(number) === BigInt(value)
  return significant(number) === significant(String(value))
}

const PARTS = /^-?(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/

/**
 * Returns the same text for all spellings of an amount, without its sign: its digits from the first to the
 * last that is not 0, and their place.
 */
function significant (number: string): string {
  const [, whole = '', fraction = '', exponent = '0'] = PARTS.exec(number)!
  const digits = whole + fraction
  let [first, end] = [0, digits.length]
  while (digits.charCodeAt(first) === ZERO) first++
  if (first === end) return ''
  while (digits.charCodeAt(end - 1) === ZERO) end--
  return `${digits.slice(first, end)}e${whole.length - first + Number(exponent)}`
}
