import type { ReactNode } from 'react'
import { useIsStale } from '../../app/connection.js'
import { Panel } from '../../app/panel.js'
import { useWords } from '../../app/preferences.js'
import { useLoginNeeded } from '../needs-login.js'
import { useSelected } from '../selection.js'
import { StartForm } from './start-form.js'
import { StrategyRow } from './strategy-row.js'
import { strategyWords } from './strategy-words.js'
import { useRunning } from './running.js'
import '../private.css'
import './strategies.css'

/** The strategies that the user runs on the server, and a form that starts one. */
export function StrategiesPanel (): ReactNode {
  const text = useWords(strategyWords)
  const needed = useLoginNeeded()
  if (needed !== undefined) return <Panel name='strategies' title={text.title} empty={needed} />
  return <Strategies />
}

function Strategies (): ReactNode {
  const text = useWords(strategyWords)
  const selected = useSelected()
  const isStale = useIsStale()
  const { registry, strategies, problem, read } = useRunning()
  const titleOf = (name: string): string => registry.find(one => one.name === name)?.title ?? name
  return (
    <Panel name='strategies' title={text.title} isStale={isStale}>
      {problem !== undefined && <p role='alert' className='problem'>{problem}</p>}
      {selected !== undefined && registry.length > 0 &&
        <StartForm symbol={selected} registry={registry} onStarted={read} />}
      {strategies?.length === 0 && <p className='empty'>{text.none}</p>}
      {strategies !== undefined && strategies.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope='col'>{text.strategy}</th>
              <th scope='col'>{text.symbol}</th>
              <th scope='col'>{text.status}</th>
              <th scope='col' className='number'>{text.position}</th>
              <th scope='col' className='number'>{text.pnl}</th>
              <th scope='col'>{text.lastSignal}</th>
              <th scope='col' className='actions'>{text.actions}</th>
            </tr>
          </thead>
          <tbody>
            {strategies.map(strategy => (
              <StrategyRow
                key={strategy.strategy_id} strategy={strategy} title={titleOf(strategy.name)} onChanged={read}
              />
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  )
}
