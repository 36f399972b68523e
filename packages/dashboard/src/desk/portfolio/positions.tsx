import type { ReactNode } from 'react'
import type { Portfolio } from '@tickwire/protocol'
import { useIsStale } from '../../app/connection.js'
import { groupDigits } from '../../app/format.js'
import { useUnlessFrozen } from '../../app/freeze.js'
import { Panel } from '../../app/panel.js'
import { useWords } from '../../app/preferences.js'
import { useLoginNeeded } from '../needs-login.js'
import { select } from '../selection.js'
import { prefill } from '../ticket/prefill.js'
import { useAccount } from './account.js'
import { portfolioWords } from './portfolio-words.js'
import { Profit } from './profit.js'
import '../private.css'

type Position = Portfolio['positions'][number]

/** What the user holds. A position is closed by the ticket, which asks before it sends. */
export function PositionsPanel (): ReactNode {
  const text = useWords(portfolioWords)
  const needed = useLoginNeeded()
  if (needed !== undefined) return <Panel name='positions' title={text.positions} empty={needed} />
  return <Positions />
}

function Positions (): ReactNode {
  const text = useWords(portfolioWords)
  const { portfolio, problem } = useUnlessFrozen(useAccount())
  const isStale = useIsStale()
  const positions = portfolio?.positions ?? []
  const empty = problem ?? (portfolio !== undefined && positions.length === 0 ? text.noPositions : undefined)
  return (
    <Panel name='positions' title={text.positions} isStale={isStale} empty={empty}>
      <table>
        <thead>
          <tr>
            <th scope='col'>{text.symbol}</th>
            {(['quantity', 'average', 'last', 'value', 'pnl'] as const).map(name =>
              <th key={name} scope='col' className='number'>{text[name]}</th>)}
            <th scope='col' className='actions'>{text.actions}</th>
          </tr>
        </thead>
        <tbody>{positions.map(position => <PositionRow key={position.symbol} position={position} />)}</tbody>
      </table>
    </Panel>
  )
}

function PositionRow ({ position }: { readonly position: Position }): ReactNode {
  const text = useWords(portfolioWords)
  const { symbol, quantity, currency } = position
  const isShort = quantity.startsWith('-')
  const close = (): void => {
    prefill({ symbol, side: isShort ? 'buy' : 'sell', quantity: quantity.replace('-', ''), type: 'market' })
  }
  return (
    <tr data-position={symbol}>
      <td>
        <button type='button' className='plain' onClick={() => { select(symbol) }}>{symbol}</button>
      </td>
      <td className='number'>{groupDigits(quantity)}</td>
      <td className='number'>{groupDigits(position.avg_price)}</td>
      <td className='number'>{groupDigits(position.last)}</td>
      <td className='number'>{groupDigits(position.market_value)} {currency}</td>
      <td className='number'><Profit value={position.unrealized_pnl} currency={currency} /></td>
      <td className='actions'>
        <button type='button' data-close aria-label={text.closeOf(symbol)} onClick={close}>
          {text.close}
        </button>
      </td>
    </tr>
  )
}
