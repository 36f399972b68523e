import { type ReactNode, useState } from 'react'
import { useAction, useClient } from '@tickwire/client/react'
import { ask, wordsOf } from '../app/ask.js'
import { formatTime } from '../app/format.js'
import { frozen } from '../app/freeze.js'
import { notify } from '../app/notices.js'
import { Panel } from '../app/panel.js'
import { useWords } from '../app/preferences.js'
import { useStore } from '../app/store.js'
import { usePolled } from './poll.js'
import type { ConnectionDetails, ConnectionEvent } from './shapes.js'
import { words } from './words.js'

const EVERY_MS = 1000

const describe = ({ time, event, ...fields }: ConnectionEvent): string => Object.entries(fields)
  .filter(([, value]) => value !== null)
  .map(([name, value]) => `${name} ${String(value)}`).join(', ')

/** One connection: what it subscribes to, and its last events, newest first. */
export function DetailsPanel ({ id }: { readonly id: string | undefined }): ReactNode {
  const text = useWords(words)
  const isFrozen = useStore(frozen)
  const [isPaused, setPaused] = useState(false)
  const path = id === undefined ? undefined : `v1/admin/connections/${encodeURIComponent(id)}`
  const { answer, problem } = usePolled<ConnectionDetails>(path, EVERY_MS, isFrozen || isPaused)
  /** Events up to this time are not shown any more, by connection. */
  const [cleared, setCleared] = useState<Readonly<Record<string, string>>>({})
  const from = cleared[id ?? ''] ?? ''
  const events = (answer?.events ?? []).filter(({ time }) => time > from).reverse()
  const clear = (): void => {
    setCleared({ ...cleared, [id ?? '']: answer?.events.at(-1)?.time ?? '' })
  }
  const copy = (): void => {
    const lines = events.map(event => `${event.time} ${event.event} ${describe(event)}`)
    void navigator.clipboard.writeText(lines.join('\n'))
  }
  const tools = answer === undefined
    ? undefined
    : (
      <>
        {problem !== undefined && <span className='problem' role='status'>{problem}</span>}
        <button type='button' aria-pressed={isPaused} onClick={() => { setPaused(!isPaused) }}>
          {isPaused ? text.resume : text.pause}
        </button>
        <button type='button' onClick={clear}>{text.clear}</button>
        <button type='button' onClick={copy}>{text.copy}</button>
        {answer.disconnected_at === undefined && <Disconnect id={answer.connection_id} />}
      </>
      )
  const empty = answer === undefined ? problem ?? text.choose : undefined
  return (
    <Panel name='details' title={answer?.user_id ?? text.events} tools={tools} empty={empty}>
      {answer !== undefined && (
        <div className='details' data-details={answer.connection_id}>
          <p className='faint'>
            {answer.connection_id} · {answer.transport} · {answer.address} · {answer.name}
          </p>
          <h3>{text.subscriptions}</h3>
          <ul>
            {answer.subscriptions.map(({ subscription_id: key, channel, symbols, since, ...options }) => (
              <li key={key}>
                <strong>{channel}</strong> {symbols?.join(', ')}{' '}
                <span className='faint'>
                  {Object.entries(options).map(([name, value]) => `${name} ${String(value)}`).join(', ')}{' '}
                  {text.since} {formatTime(since)}
                </span>
              </li>
            ))}
          </ul>
          <h3>{text.events}</h3>
          {events.length === 0 && <p className='faint'>{text.noEvents}</p>}
          <ol reversed>
            {events.map((event, at) => (
              <li key={events.length - at} data-event={event.event}>
                <span className='faint'>{formatTime(event.time)}</span> <strong>{event.event}</strong>{' '}
                {describe(event)}
              </li>
            ))}
          </ol>
          {answer.omitted_events > 0 && <p className='faint'>{answer.omitted_events} {text.omitted}</p>}
        </div>
      )}
    </Panel>
  )
}

function Disconnect ({ id }: { readonly id: string }): ReactNode {
  const text = useWords(words)
  const client = useClient()
  const [disconnect, { pending }] = useAction(async () => {
    if (!window.confirm(text.confirm)) return
    try {
      await ask(client, 'v1/admin/disconnect', { method: 'POST', body: { connection_id: id } })
      notify(text.disconnected, 'good')
    } catch (error) {
      notify(wordsOf(error), 'bad')
    }
  })
  return (
    <button type='button' className='danger' disabled={pending} onClick={() => { void disconnect() }}>
      {text.disconnect}
    </button>
  )
}
