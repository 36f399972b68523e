import { type ReactNode, useEffect, useState } from 'react'
import type { StrategyMessage, StrategyRecord } from '@tickwire/protocol'
import { useAction, useClient, useTopic } from '@tickwire/client/react'
import { formatTime, groupDigits } from '../../app/format.js'
import { useUnlessFrozen } from '../../app/freeze.js'
import { useWords } from '../../app/preferences.js'
import { ask, wordsOf } from '../../app/ask.js'
import { orderWords, wordFor } from '../orders/order-words.js'
import { Profit } from '../portfolio/profit.js'
import { strategyWords } from './strategy-words.js'

/** What may be asked of a strategy with a status. */
const ACTIONS: Readonly<Record<string, ReadonlyArray<'pause' | 'resume' | 'stop'>>> = {
  starting: ['pause', 'stop'],
  running: ['pause', 'stop'],
  paused: ['resume', 'stop'],
  failed: ['resume', 'stop']
}

/** Returns the last signal of a strategy; the message after it has none. */
function useLastSignal (id: string): StrategyMessage | undefined {
  const client = useClient()
  const [signal, setSignal] = useState<StrategyMessage>()
  useEffect(() => {
    const subscription = client.subscribe('strategy', [id])
    subscription.onMessage(({ data }) => { if (data.signal !== undefined) setSignal(data) })
    return subscription.close
  }, [client, id])
  return signal
}

/** A strategy that the user has started: what it does now, and what may be asked of it. */
export function StrategyRow ({ strategy, title, onChanged }: {
  readonly strategy: StrategyRecord
  readonly title: string
  readonly onChanged: () => Promise<void>
}): ReactNode {
  const [text, names] = [useWords(strategyWords), useWords(orderWords)]
  const client = useClient()
  const { strategy_id: id, symbol, results } = strategy
  const live = useUnlessFrozen(useTopic('strategy', id)?.data)
  const signal = useUnlessFrozen(useLastSignal(id))
  const [act, { pending, error }] = useAction(async (action: string) => {
    const isRemoval = action === 'remove'
    const path = `v1/strategies/${encodeURIComponent(id)}${isRemoval ? '' : `/${action}`}`
    await ask(client, path, { method: isRemoval ? 'DELETE' : 'POST' })
    await onChanged()
  })
  const status = live?.status ?? strategy.status
  const reason = status === 'failed' ? live?.reason ?? strategy.reason : undefined
  const allNames = { ...names, ...text }
  return (
    <tr data-strategy={id} data-status={status}>
      <td className='status-text'>{title}<span className='faint'> · {text[strategy.mode]}</span></td>
      <td>{symbol}</td>
      <td className='status-text'>
        {wordFor(allNames, status)}
        {reason !== undefined && <span className='problem reason'> {reason}</span>}
        {error !== undefined && <span role='alert' className='problem reason'> {wordsOf(error)}</span>}
      </td>
      <td className='number'>{groupDigits(live?.position ?? results?.position ?? '0')}</td>
      <td className='number'><Profit value={live?.pnl ?? '0'} /></td>
      <td className='status-text' data-signal={signal?.signal}>
        {signal === undefined
          ? '–'
          : (
            <>
              {signal.as_of !== undefined && <span className='faint'>{formatTime(signal.as_of)} </span>}
              {wordFor(allNames, signal.signal)} {groupDigits(signal.quantity)}
              <span className='faint reason'> {signal.reason}</span>
            </>
            )}
      </td>
      <td className='actions'>
        {[...ACTIONS[status] ?? [], 'remove' as const].map(action => (
          <button
            key={action} type='button' data-action={action} aria-disabled={pending}
            className={action === 'stop' || action === 'remove' ? 'danger' : ''}
            aria-label={text.actionOf(text[action], `${title} ${symbol}`)}
            onClick={() => { void act(action) }}
          >
            {text[action]}
          </button>
        ))}
      </td>
    </tr>
  )
}
