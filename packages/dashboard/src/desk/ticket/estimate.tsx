import type { ReactNode } from 'react'
import type { Quote } from '@tickwire/protocol'
import { compareDecimals } from '@tickwire/protocol/decimal'
import { readDecimal, subtract } from '../../app/decimals.js'
import { groupDigits } from '../../app/format.js'
import { useWords } from '../../app/preferences.js'
import type { Instrument } from '../instruments.js'
import { useAccount } from '../portfolio/account.js'
import type { Draft } from './draft.js'
import { valueOf } from './terms.js'
import { ticketWords } from './ticket-words.js'

export interface EstimateProps {
  readonly draft: Draft
  readonly instrument: Instrument | undefined
  readonly quote: Quote | undefined
}

/**
 * What an order is likely to cost or to bring, and what the account has for it. Only the server knows whether
 * that is enough, so this refuses nothing.
 */
export function Estimate ({ draft, instrument, quote }: EstimateProps): ReactNode {
  const text = useWords(ticketWords)
  const { portfolio } = useAccount()
  const currency = instrument?.currency ?? portfolio?.currency
  const balance = portfolio?.balances?.find(one => one.currency === currency)
  const available = balance === undefined ? undefined : subtract(balance.cash, balance.reserved)
  const held = portfolio?.positions.find(({ symbol }) => symbol === draft.symbol)?.quantity ?? '0'
  const [value, quantity] = [valueOf(draft, quote), readDecimal(draft.quantity) ?? '0']
  const isTooMuch = draft.side === 'buy'
    ? value !== undefined && available !== undefined && compareDecimals(value, available) > 0
    : portfolio !== undefined && compareDecimals(quantity, held) > 0
  const warning = !isTooMuch ? '' : draft.side === 'buy' ? text.tooMuch : text.tooMany
  return (
    <>
      <dl className='estimate'>
        <dt>{text.value}</dt>
        <dd data-estimate>{value === undefined ? '–' : `≈ ${groupDigits(value)} ${currency ?? ''}`}</dd>
        <dt>{text.power}</dt>
        <dd data-power>{available === undefined ? '–' : `${groupDigits(available)} ${currency ?? ''}`}</dd>
        <dt>{text.position}</dt>
        <dd>{groupDigits(held)}</dd>
      </dl>
      <p role='status' className='warning'>{warning}</p>
    </>
  )
}
