import { type ReactNode, useEffect, useRef, useState } from 'react'
import { useClient, useConnection } from '@tickwire/client/react'
import { formatDuration } from './format.js'
import { useWords, type Words } from './preferences.js'

const words = {
  en: {
    idle: 'idle',
    connecting: 'connecting',
    catching_up: 'catching up',
    live: 'live',
    stale: 'silent',
    offline: 'offline',
    closed: 'stopped',
    latency: 'latency',
    title: 'Connection',
    events: 'What the client did',
    close: 'Close',
    copy: 'Copy',
    again: 'Connect again',
    messages: 'messages',
    resets: 'resets',
    gaps: 'gaps',
    duplicates: 'duplicates',
    connections: 'connections',
    bytes: 'bytes'
  },
  ko: {
    idle: '대기',
    connecting: '연결 중',
    catching_up: '따라잡는 중',
    live: '실시간',
    stale: '응답 없음',
    offline: '연결 끊김',
    closed: '중지됨',
    latency: '지연',
    title: '연결',
    events: '클라이언트 기록',
    close: '닫기',
    copy: '복사',
    again: '다시 연결',
    messages: '메시지',
    resets: '재설정',
    gaps: '누락',
    duplicates: '중복',
    connections: '연결 횟수',
    bytes: '바이트'
  }
} satisfies Words<Record<string, string>>

/** How often the latency is shown anew. */
const LOOK_MS = 1000
const FIGURES = ['messages', 'resets', 'gaps', 'duplicates', 'connections', 'bytes'] as const

/** Whether what the page shows may be old: there is no connection, or it is silent. */
export function useIsStale (): boolean {
  const { name } = useConnection()
  return name === 'stale' || name === 'offline' || name === 'closed'
}

/** Shows how the page is connected; it opens the list of what the client did. */
export function ConnectionIndicator (): ReactNode {
  const text = useWords(words)
  const client = useClient()
  const { name, transport, reason } = useConnection()
  const [inspection, setInspection] = useState(() => client.inspect())
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const look = (): void => { setInspection(client.inspect()) }
    const timer = setInterval(look, LOOK_MS)
    return () => { clearInterval(timer) }
  }, [client])
  const open = (): void => {
    setInspection(client.inspect())
    dialog.current?.showModal()
  }
  const { latencyMs, events } = inspection
  const behind = latencyMs === undefined || name !== 'live' ? '' : ` · ${formatDuration(latencyMs)}`
  return (
    <>
      <button
        type='button' className='connection' data-state={name} title={reason ?? ''}
        aria-haspopup='dialog' onClick={open}
      >
        <span className='dot' aria-hidden='true' />
        <span>{text[name]}{transport === undefined ? '' : ` · ${transport}`}{behind}</span>
      </button>
      <dialog ref={dialog} className='dialog' aria-label={text.title}>
        <h2>{text.title}: {text[name]}</h2>
        {reason !== undefined && <p className='faint'>{reason}</p>}
        <dl className='figures'>
          {FIGURES.map(figure => (
            <div key={figure}><dt>{text[figure]}</dt><dd>{inspection[figure].toLocaleString('en')}</dd></div>
          ))}
        </dl>
        <h3>{text.events}</h3>
        <pre tabIndex={0} className='events'>{events.split('\n').reverse().join('\n')}</pre>
        <div className='buttons'>
          <button type='button' onClick={() => { void navigator.clipboard.writeText(events) }}>
            {text.copy}
          </button>
          {name === 'closed' &&
            <button type='button' onClick={() => { client.connect() }}>{text.again}</button>}
          <button type='button' className='main' onClick={() => { dialog.current?.close() }}>
            {text.close}
          </button>
        </div>
      </dialog>
    </>
  )
}
