import { type ReactNode, useState } from 'react'
import { notify } from '../../app/notices.js'
import { Panel } from '../../app/panel.js'
import { useWords, type Words } from '../../app/preferences.js'
import { useStore } from '../../app/store.js'
import { actionCode, CODE_LANGUAGES, type CodeLanguage, followingCode } from '../code/code.js'
import { actionOf } from '../schema/check.js'
import { Subscriptions } from '../wire/subscriptions.js'
import type { Session } from '../wire/session.js'
import { twinOf } from '../wire/twin.js'

const words = {
  en: {
    title: 'As code',
    language: 'Language',
    what: 'What',
    subscription: 'Subscriptions',
    message: 'Message',
    copy: 'Copy',
    copied: 'Copied. Put your token into $TICKWIRE_TOKEN: the code does not hold it.',
    copiedOnly: 'Copied.',
    nothing: 'Nothing is subscribed yet.',
    noTwin: 'This action has no request over HTTP.',
    code: 'Code'
  },
  ko: {
    title: '코드로',
    language: '언어',
    what: '대상',
    subscription: '현재 구독',
    message: '메시지',
    copy: '복사',
    copied: '복사했습니다. 코드에는 토큰이 없으니 $TICKWIRE_TOKEN 에 넣으십시오.',
    copiedOnly: '복사했습니다.',
    nothing: '아직 구독이 없습니다.',
    noTwin: '이 동작에 해당하는 HTTP 요청이 없습니다.',
    code: '코드'
  }
} satisfies Words<Record<string, string>>

const WHATS = ['subscription', 'message'] as const

/** The present subscription, or the message, as a program. */
export function CodePanel ({ session, written }: {
  readonly session: Session
  readonly written: string
}): ReactNode {
  const text = useWords(words)
  const { subscribed, transport, credential } = useStore(session.state)
  const [language, setLanguage] = useState<CodeLanguage>('curl')
  const [what, setWhat] = useState<typeof WHATS[number]>('subscription')
  const hasToken = credential !== 'anonymous'
  const action = actionOf(written)
  const code = ((): string | undefined => {
    if (what === 'subscription' || action?.['action'] === 'subscribe') {
      const wanted = new Subscriptions()
      if (what === 'message' && action !== undefined) wanted.add(action)
      const all = what === 'message' ? wanted.list() : subscribed
      const asking = { hasToken, polls: transport === 'polling' }
      return all.length === 0 ? undefined : followingCode(language, all, asking)
    }
    const twin = action === undefined ? undefined : twinOf(action)
    return twin === undefined ? undefined : actionCode(language, action!, twin, hasToken)
  })()
  const hidden = code === undefined ? undefined : session.credentials.hide(code)
  const copy = (): void => {
    if (hidden === undefined) return
    void navigator.clipboard.writeText(hidden).then(
      () => { notify(hasToken ? text.copied : text.copiedOnly, 'good') },
      (error: unknown) => { notify(String(error), 'bad') }
    )
  }
  return (
    <Panel
      name='code' title={text.title}
      tools={
        <>
          <select
            aria-label={text.what} data-code-what value={what}
            onChange={({ target }) => { setWhat(target.value as typeof what) }}
          >
            {WHATS.map(one => <option key={one} value={one}>{text[one]}</option>)}
          </select>
          <select
            aria-label={text.language} data-code-language value={language}
            onChange={({ target }) => { setLanguage(target.value as CodeLanguage) }}
          >
            {CODE_LANGUAGES.map(one => <option key={one}>{one}</option>)}
          </select>
          <button type='button' data-copy disabled={hidden === undefined} onClick={copy}>{text.copy}</button>
        </>
      }
    >
      {hidden === undefined
        ? <p className='empty'>{what === 'subscription' ? text.nothing : text.noTwin}</p>
        : <pre className='code' tabIndex={0} role='region' aria-label={text.code} data-code>{hidden}</pre>}
    </Panel>
  )
}
