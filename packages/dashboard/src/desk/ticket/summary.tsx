import type { ReactNode } from 'react'
import { readDecimal } from '../../app/decimals.js'
import { groupDigits } from '../../app/format.js'
import { useWords } from '../../app/preferences.js'
import { orderWords } from '../orders/order-words.js'
import type { EstimateProps } from './estimate.js'
import { hasLimit, hasStop, valueOf } from './terms.js'
import { ticketWords } from './ticket-words.js'

/** What an order says, before it is sent. */
export function Summary ({ draft, instrument, quote }: EstimateProps): ReactNode {
  const [text, names] = [useWords(ticketWords), useWords(orderWords)]
  const value = valueOf(draft, quote)
  const currency = instrument?.currency ?? ''
  const exact = (typed: string | undefined): string => groupDigits(readDecimal(typed ?? ''))
  return (
    <>
      <p className='summary' data-side={draft.side}>
        <strong>{names[draft.side]} {exact(draft.quantity)} {draft.symbol}</strong>
      </p>
      <dl className='estimate'>
        <dt>{text.type}</dt>
        <dd>{names[draft.type]}</dd>
        {hasStop(draft) && <><dt>{text.stopPrice}</dt><dd>{exact(draft.stopPrice)} {currency}</dd></>}
        {hasLimit(draft) && <><dt>{text.limitPrice}</dt><dd>{exact(draft.limitPrice)} {currency}</dd></>}
        <dt>{text.timeInForce}</dt>
        <dd>{names[draft.timeInForce]}</dd>
        <dt>{text.value}</dt>
        <dd>{value === undefined ? '–' : `≈ ${groupDigits(value)} ${currency}`}</dd>
      </dl>
    </>
  )
}
