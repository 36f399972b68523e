import { FormatRegistry } from '@sinclair/typebox'
import { TypeCompiler, ValueErrorType } from '@sinclair/typebox/compiler'
import { Instrument, registerFormats } from '@tickwire/protocol'

registerFormats(FormatRegistry)
const check = TypeCompiler.Compile(Instrument)

/** The names of an instrument's fields, in the order of the protocol's table. */
export const INSTRUMENT_FIELDS: readonly string[] = Object.keys(Instrument.properties)

/** What is wrong with what should be an instrument. */
export interface InstrumentFault {
  /** Absent if it is the whole. */
  readonly field?: string
  readonly message: string
}

/** How many characters of a wrong value an error shows. */
const MAX_SHOWN = 40

/** Returns the first fault of what should be an instrument; undefined if it is one. */
export function instrumentFault (value: unknown): InstrumentFault | undefined {
  if (check.Check(value)) return undefined
  const fault = check.Errors(value).First()!
  const field = fault.path.slice(1).replaceAll('~1', '/').replaceAll('~0', '~')
  if (field === '') return { message: `an instrument is an object with ${INSTRUMENT_FIELDS.join(', ')}` }
  if (fault.type === ValueErrorType.ObjectAdditionalProperties) return unknownField(field)
  if (fault.type === ValueErrorType.ObjectRequiredProperty) return { field, message: `${field} is needed` }
  const expected = fault.schema.title ?? 'a text'
  return { field, message: `${field} must be ${expected}, not ${shown(fault.value)}` }
}

export const unknownField = (field: string): InstrumentFault =>
  ({ field, message: `there is no field ${shown(field)}; there are: ${INSTRUMENT_FIELDS.join(', ')}` })

function shown (value: unknown): string {
  if (Array.isArray(value)) return 'an array'
  if (typeof value !== 'string') return shortened(String(JSON.stringify(value)))
  return /[\p{C}']/u.test(value) ? shortened(JSON.stringify(value)) : `'${shortened(value)}'`
}

const shortened = (text: string): string => text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text
