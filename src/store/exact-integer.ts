/** An integer of 64 bits, as text, in a number. @throws RangeError if a number would round it */
export function exactInteger (text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value)) return value
  throw new RangeError(`the store holds ${text}, which a number cannot hold exactly: cast it to text`)
}
