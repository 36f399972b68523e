import type { ReactNode } from 'react'
import { arrowOf, groupDigits, signOf } from '../../app/format.js'

/** A profit or a loss: by a colour, and by an arrow. */
export function Profit ({ value, currency }: {
  readonly value: string | undefined
  readonly currency?: string | undefined
}): ReactNode {
  const sign = signOf(value)
  return (
    <span className={sign > 0 ? 'up' : sign < 0 ? 'down' : ''}>
      {arrowOf(sign)} {groupDigits(value)}{currency === undefined ? '' : ` ${currency}`}
    </span>
  )
}
