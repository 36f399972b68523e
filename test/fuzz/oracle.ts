import { type TObject, Type } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler'
import {
  Acknowledged,
  type ActionName,
  Authenticated,
  clientActions,
  Closing,
  CursorMessage,
  DataMessage,
  decodeCursor,
  Done,
  EpochMessage,
  ErrorMessage,
  errorTable,
  Heartbeat,
  Lagging,
  OrderAccepted,
  PollAnswer,
  Pong,
  Published,
  Reset,
  standardChannels,
  Subscribed,
  Unsubscribed,
  Welcome
} from '@tickwire/protocol'

/**
 * What a server may say, judged by the schemas of the protocol alone: it must fit them, and have nothing
 * beside them.
 */

const strictly = (schema: TObject): TypeCheck<TObject> => (
  TypeCompiler.Compile(Type.Object(schema.properties, { additionalProperties: false }))
)

const control: ReadonlyMap<string, TypeCheck<TObject>> = new Map([
  Welcome,
  Subscribed,
  Reset,
  CursorMessage,
  EpochMessage,
  Unsubscribed,
  Done,
  Pong,
  Authenticated,
  Published,
  Acknowledged,
  OrderAccepted,
  Heartbeat,
  Lagging,
  Closing,
  ErrorMessage
].map(schema => [String(schema.properties.type.const), strictly(schema)] as const))

const data: ReadonlyMap<string, TypeCheck<TObject>> = new Map([...standardChannels.values()].map(channel => {
  const own = { type: Type.Literal(channel.type), data: channel.schema }
  return [channel.name, strictly(Type.Object({ ...DataMessage.properties, ...own }))] as const
}))
/** With `decimals=number` what is in `data` has another type than the schema says. */
const looseData = strictly(DataMessage)
const pollFrame = strictly(Type.Object({ ...PollAnswer.properties, messages: Type.Array(Type.Unknown()) }))

/** Answers that end a message's turn: each message has exactly one. */
export const ANSWERS: ReadonlySet<unknown> = new Set(['error', 'subscribed', 'unsubscribed', 'done', 'pong', 'authenticated', 'published', 'acknowledged', 'order_accepted'])

const MAX_WORDS = 1000
const CONTROL_CHARACTERS = /\p{Cc}/u

const describe = (check: TypeCheck<TObject>, value: unknown): string => {
  const first = check.Errors(value).First()
  return `${first?.path} ${first?.message}: ${shown(JSON.stringify(value))}`
}

export const shown = (text: string): string => text.length > 300 ? `${text.slice(0, 300)}… (${text.length} characters)` : text

/** What is wrong with a message of the stream; undefined where nothing is. */
export function judgeMessage (message: unknown, decimals: 'string' | 'number'): string | undefined {
  if (typeof message !== 'object' || message === null) return `is no object: ${shown(JSON.stringify(message))}`
  const { type, channel, data: content, symbol } = message as Record<string, unknown>
  const check = control.get(String(type))
  if (check !== undefined) return check.Check(message) ? judgeWords(message) : `does not fit ${String(type)}: ${describe(check, message)}`
  const dataCheck = decimals === 'number' ? looseData : data.get(String(channel))
  if (dataCheck === undefined) return `is of no known type: ${shown(JSON.stringify(message))}`
  if (!dataCheck.Check(message)) return `does not fit ${String(channel)}: ${describe(dataCheck, message)}`
  const named = (content as { symbol?: unknown }).symbol
  return standardChannels.get(String(channel))!.keyed && named !== undefined && named !== symbol ? `is of ${String(symbol)} and about ${String(named)}` : undefined
}

/** Words for people must hold nothing that a terminal or a page would take for more. */
function judgeWords (message: object): string | undefined {
  const { type, message: words, reason, code, cursor, rejected } = message as Record<string, unknown>
  if (code === 'internal') return `is internal: ${JSON.stringify(message)}`
  if ((type === 'cursor' || type === 'heartbeat') && decodeCursor(String(cursor)) === undefined) return `has a cursor that is none: ${String(cursor)}`
  const rejections = Array.isArray(rejected) ? rejected as Array<{ message: string }> : []
  const texts = [words, reason, ...rejections.map(({ message: text }) => text)]
  const bad = texts.find(text => typeof text === 'string' && (text.length > MAX_WORDS || CONTROL_CHARACTERS.test(text) || /[<>]/.test(text)))
  return bad === undefined ? undefined : `repeats what it was sent: ${shown(JSON.stringify(message))}`
}

/** The same for an HTTP answer that is a refusal. */
export function judgeRefusal (status: number, body: string): string | undefined {
  let error: unknown
  try {
    error = JSON.parse(body)
  } catch {
    return `${status} with a body that is no JSON: ${shown(body)}`
  }
  const wrong = judgeMessage(error, 'string')
  if (wrong !== undefined) return `${status} whose body ${wrong}`
  const { type, code } = error as { type: unknown, code: keyof typeof errorTable }
  if (type !== 'error') return `${status} with a body that is no error: ${shown(body)}`
  return errorTable[code].status === status ? undefined : `${status} with ${code}, which has ${errorTable[code].status}`
}

export function judgePoll (body: string, decimals: 'string' | 'number'): string | undefined {
  const answer = JSON.parse(body) as { cursor: string, messages: unknown[] }
  if (!pollFrame.Check(answer)) return `a poll's answer does not fit: ${describe(pollFrame, answer)}`
  if (decodeCursor(answer.cursor) === undefined) return `a poll has a cursor that is none: ${answer.cursor}`
  for (const message of answer.messages) {
    const wrong = judgeMessage(message, decimals)
    if (wrong !== undefined) return `a poll's message ${wrong}`
  }
  return undefined
}

const checks = Object.fromEntries(
  Object.entries(clientActions).map(([name, schema]) => [name, TypeCompiler.Compile(schema)])
) as Record<string, TypeCheck<TObject>>

const HALF_CHARACTER = /\p{Surrogate}/u
const STRING = /"(?:[^"\\]|\\.)*"/gs

/**
 * Returns the strings of a JSON text as they are sent: half of a character in the text itself is sent as
 * U+FFFD.
 */
const stringsOf = (text: string): string[] => Buffer.from(text).toString().match(STRING) ?? []

/** Its numbers, as they are written. */
const numbersOf = (text: string): string[] => text.replace(STRING, '""').match(/-?\d[\d.eE+-]*/g) ?? []

/** Whether a number is read as it is written: an integer to its last digit, and a fraction as a fraction. */
function isKept (number: string): boolean {
  const value = Number(number)
  if (/^-?\d+$/.test(number)) return Number.isFinite(value) && BigInt(number) === BigInt(value)
  if (!Number.isFinite(value)) return false
  return !Number.isInteger(value) || Number(number).toExponential() === shortest(number)
}

/** A number as `toExponential` would write it if it kept all digits. */
function shortest (number: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(number)!
  const digits = (whole + fraction).replace(/^0+/, '')
  if (digits === '') return (sign === '' ? 0 : -0).toExponential()
  const power = whole.length - (whole + fraction).search(/[1-9]/) - 1 + Number(exponent)
  const kept = digits.replace(/0+$/, '')
  return `${sign}${kept[0]}${kept.length > 1 ? `.${kept.slice(1)}` : ''}e${power < 0 ? '-' : '+'}${Math.abs(power)}`
}

/** A message as a parser sees it that knows nothing but JSON and the schemas. */
export interface Parsed {
  readonly action?: ActionName
  readonly fields: readonly string[]
  /** Whether it passes: then no answer may call it malformed. */
  readonly passes: boolean
  /**
   * Whether the message may be taken as well as refused: a number that cannot be kept may belong to a single
   * item, and only that item is rejected.
   */
  readonly isOpen: boolean
}

export function parseMessage (text: string): Parsed {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { fields: [], passes: false, isOpen: false }
  }
  // Half of a character is no text, and a number that JavaScript reads as another may not stand in a message.
  const isHalved = stringsOf(text).some(literal => HALF_CHARACTER.test(JSON.parse(literal) as string))
  if (isHalved) return { fields: [], passes: false, isOpen: false }
  const isExact = numbersOf(text).every(isKept)
  const action = typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as { action?: unknown }).action : undefined
  const isOpen = action === 'publish' && !isExact
  if (typeof action !== 'string' || !Object.hasOwn(clientActions, action) || (!isExact && !isOpen)) return { fields: [], passes: false, isOpen }
  const known = clientActions[action as ActionName].properties
  const fields = Object.keys(value as object).filter(name => Object.hasOwn(known, name))
  return { action: action as ActionName, fields, passes: checks[action]!.Check(value), isOpen }
}
