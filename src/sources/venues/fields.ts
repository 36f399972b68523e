import { plainDecimal } from '../../book/decimals.js'

export type Fields = Readonly<Record<string, unknown>>

/** Returns a price or size under its name; leaves out a value that is not a decimal, rather than alter it. */
export function amount<Name extends string> (name: Name, value: unknown): Partial<Record<Name, string>> {
  const decimal = typeof value === 'string' ? plainDecimal(value) : undefined
  return decimal === undefined ? {} : { [name]: decimal } as Record<Name, string>
}

/** Returns a price or size as a decimal, and any other value as it is, for the publisher to refuse. */
export const plain = (value: unknown): unknown =>
  typeof value === 'string' ? plainDecimal(value) ?? value : value
