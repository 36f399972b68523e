import type { ReactNode } from 'react'
import { Panel } from '../../app/panel.js'
import { useWords, type Words } from '../../app/preferences.js'
import { login } from '../../app/session.js'
import { useStore } from '../../app/store.js'
import { CREDENTIALS, type CredentialKind } from '../wire/credentials.js'
import { type Session, TRANSPORTS, type TransportName } from '../wire/session.js'
import { ProblemBox } from './problem-box.js'
import { ResumeReport } from './resume-report.js'
import { SubscriptionList } from './subscription-list.js'

const words = {
  en: {
    title: 'Connection',
    transport: 'Transport',
    credential: 'Credential',
    anonymous: 'None',
    login: 'Token of the login',
    pasted: 'Pasted token',
    ticket: 'One-time ticket (GET /api/ws/token)',
    'event-stream': 'Server-Sent Events',
    polling: 'Polling',
    token: 'Token',
    tokenHint: 'Stays in this page. It goes by the auth action or the Authorization header, never in a URL.',
    connect: 'Connect',
    cut: 'Cut',
    resume: 'Resume',
    idle: 'not connected',
    connecting: 'connecting…',
    open: 'connected',
    cutState: 'cut',
    ended: 'ended',
    as: 'as'
  },
  ko: {
    title: '연결',
    transport: '전송 방식',
    credential: '자격 증명',
    anonymous: '없음',
    login: '로그인 토큰',
    pasted: '붙여 넣은 토큰',
    ticket: '일회용 티켓 (GET /api/ws/token)',
    'event-stream': 'Server-Sent Events',
    polling: '폴링',
    token: '토큰',
    tokenHint: '이 페이지에만 남습니다. auth 동작이나 Authorization 헤더로만 보내며 URL에는 넣지 않습니다.',
    connect: '연결',
    cut: '끊기',
    resume: '이어받기',
    idle: '연결 안 됨',
    connecting: '연결 중…',
    open: '연결됨',
    cutState: '끊음',
    ended: '종료됨',
    as: '사용자'
  }
} satisfies Words<Record<string, string>>

/** How the console is connected, and as whom. */
export function ConnectPanel ({ session }: { readonly session: Session }): ReactNode {
  const text = useWords(words)
  const held = useStore(login)
  const { phase, transport, credential, cursor, user, subscribed, problem } = useStore(session.state)
  const isBusy = phase === 'open' || phase === 'connecting'
  const needsToken = credential === 'pasted' || (credential === 'ticket' && held === undefined)
  const nameOf = (name: TransportName): string =>
    name === 'event-stream' || name === 'polling' ? text[name] : `WebSocket · ${name}`
  const state = phase === 'cut' ? text.cutState : text[phase]
  return (
    <Panel name='connect' title={text.title}>
      <div className='console-form form'>
        <label>{text.transport}
          <select
            data-transport value={transport} disabled={isBusy}
            onChange={({ target }) => { session.choose(target.value as TransportName) }}
          >
            {TRANSPORTS.map(name => <option key={name} value={name}>{nameOf(name)}</option>)}
          </select>
        </label>
        <label>{text.credential}
          <select
            data-credential value={credential} disabled={isBusy}
            onChange={({ target }) => { session.speakFor(target.value as CredentialKind) }}
          >
            {CREDENTIALS.map(name => (
              <option key={name} value={name} disabled={name === 'login' && held === undefined}>
                {text[name]}{name === 'login' && held !== undefined ? ` (${held.user})` : ''}
              </option>
            ))}
          </select>
        </label>
        {needsToken && (
          <label>{text.token}
            {/* Not controlled: React would write the value into the document. */}
            <input
              type='password' autoComplete='off' data-token disabled={isBusy}
              ref={input => { if (input !== null) input.value = session.credentials.pasted }}
              onChange={({ target }) => { session.credentials.pasted = target.value }}
            />
            <span>{text.tokenHint}</span>
          </label>
        )}
        <div className='connect-buttons'>
          <button
            type='button' className='main' data-connect disabled={isBusy}
            onClick={() => { session.connect() }}
          >
            {text.connect}
          </button>
          <button type='button' data-cut disabled={!isBusy} onClick={() => { session.cut() }}>
            {text.cut}
          </button>
          <button
            type='button' data-resume disabled={isBusy || cursor === undefined}
            onClick={() => { session.resume() }}
          >
            {text.resume}
          </button>
          <span role='status' className='phase' data-phase={phase}>
            <span className='dot' aria-hidden='true' />
            {state}{phase === 'open' && user !== undefined ? ` ${text.as} ${user}` : ''}
          </span>
        </div>
        <ProblemBox problem={problem} />
        <ResumeReport session={session} />
        <SubscriptionList session={session} subscribed={subscribed} />
      </div>
    </Panel>
  )
}
