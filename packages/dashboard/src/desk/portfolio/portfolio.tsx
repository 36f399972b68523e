import { type ReactNode, useMemo } from 'react'
import type { Portfolio } from '@tickwire/protocol'
import { useIsStale } from '../../app/connection.js'
import { subtract } from '../../app/decimals.js'
import { groupDigits } from '../../app/format.js'
import { useUnlessFrozen } from '../../app/freeze.js'
import { Panel } from '../../app/panel.js'
import { Plot } from '../../app/plot.js'
import { useWords } from '../../app/preferences.js'
import { useLoginNeeded } from '../needs-login.js'
import { useAccount } from './account.js'
import { portfolioWords } from './portfolio-words.js'
import { Profit } from './profit.js'
import { useValues, type Values } from './values.js'
import './portfolio.css'

export { PositionsPanel } from './positions.js'

/** A line needs two points. */
const FEWEST_VALUES = 2

/** What the user's account is worth, what of it is cash, and how that has changed. */
export function PortfolioPanel (): ReactNode {
  const text = useWords(portfolioWords)
  const needed = useLoginNeeded()
  if (needed !== undefined) return <Panel name='portfolio' title={text.portfolio} empty={needed} />
  return <Worth />
}

function Worth (): ReactNode {
  const text = useWords(portfolioWords)
  const { portfolio, problem } = useUnlessFrozen(useAccount())
  const values = useUnlessFrozen(useValues())
  const isStale = useIsStale()
  return (
    <Panel name='portfolio' title={text.portfolio} isStale={isStale} empty={problem}>
      {portfolio !== undefined && (
        <div className='worth'>
          <Figures portfolio={portfolio} />
          {portfolio.without_rate !== undefined && portfolio.without_rate.length > 0 &&
            <p className='warning'>{text.without(portfolio.without_rate.join(', '))}</p>}
          {values.times.length >= FEWEST_VALUES && <ValueLine values={values} />}
          <Balances portfolio={portfolio} />
        </div>
      )}
    </Panel>
  )
}

function ValueLine ({ values: { times, values } }: { readonly values: Values }): ReactNode {
  const text = useWords(portfolioWords)
  const lines = useMemo(() => [values], [values])
  return (
    <Plot times={times} values={lines} lines={[{ label: text.total, color: '--accent' }]} label={text.over} />
  )
}

function Figures ({ portfolio }: { readonly portfolio: Portfolio }): ReactNode {
  const text = useWords(portfolioWords)
  const { currency } = portfolio
  const amounts = { total: portfolio.total_value, cash: portfolio.cash, power: portfolio.buying_power }
  const profits = {
    day: portfolio.day_pnl, realized: portfolio.realized_pnl, unrealized: portfolio.unrealized_pnl
  }
  return (
    <dl className='figures'>
      {Object.entries(amounts).map(([name, amount]) => amount !== undefined && (
        <div key={name}>
          <dt>{text[name as keyof typeof amounts]}</dt>
          <dd data-figure={name}>{groupDigits(amount)} {currency}</dd>
        </div>
      ))}
      {Object.entries(profits).map(([name, amount]) => amount !== undefined && (
        <div key={name}>
          <dt>{text[name as keyof typeof profits]}</dt>
          <dd data-figure={name}><Profit value={amount} currency={currency} /></dd>
        </div>
      ))}
      {portfolio.fees !== undefined &&
        <div><dt>{text.fees}</dt><dd>{groupDigits(portfolio.fees)} {currency}</dd></div>}
    </dl>
  )
}

function Balances ({ portfolio: { balances = [] } }: { readonly portfolio: Portfolio }): ReactNode {
  const text = useWords(portfolioWords)
  return (
    <table>
      <thead>
        <tr>
          <th scope='col'>{text.currency}</th>
          {(['cash', 'reserved', 'available'] as const).map(name =>
            <th key={name} scope='col' className='number'>{text[name]}</th>)}
        </tr>
      </thead>
      <tbody>
        {balances.map(({ currency, cash, reserved }) => (
          <tr key={currency}>
            <td>{currency}</td>
            <td className='number'>{groupDigits(cash)}</td>
            <td className='number'>{groupDigits(reserved)}</td>
            <td className='number'>{groupDigits(subtract(cash, reserved))}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
