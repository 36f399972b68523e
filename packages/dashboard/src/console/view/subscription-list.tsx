import type { ReactNode } from 'react'
import { useWords, type Words } from '../../app/preferences.js'
import type { Session } from '../wire/session.js'
import type { Subscribed } from '../wire/subscriptions.js'

const words = {
  en: { title: 'Subscribed', none: 'Nothing yet: send a subscribe below.', leave: 'Unsubscribe from' },
  ko: { title: '구독 중', none: '아직 없습니다. 아래에서 subscribe 를 보내십시오.', leave: '구독 해제:' }
} satisfies Words<Record<string, string>>

function nameOf ({ channel, symbols, covered, ...options }: Subscribed): string {
  const topic = symbols === undefined ? channel : `${channel}:${symbols.join(',')}`
  return [topic, ...Object.entries(options).map(([name, value]) => `${name}=${value}`)].join(' ')
}

/** What the console is subscribed to; each can be taken away. */
export function SubscriptionList ({ session, subscribed }: {
  readonly session: Session
  readonly subscribed: readonly Subscribed[]
}): ReactNode {
  const text = useWords(words)
  return (
    <section aria-label={text.title} className='subscriptions'>
      <h3>{text.title}</h3>
      {subscribed.length === 0 && <p className='faint'>{text.none}</p>}
      <ul>
        {subscribed.map(one => {
          const name = nameOf(one)
          return (
            <li key={name} data-subscribed={name}>
              <code title={name}>{name}</code>
              <button
                type='button' className='plain' aria-label={`${text.leave} ${name}`}
                onClick={() => { session.leave(one) }}
              >
                ×
              </button>
            </li>
          )
        })}
      </ul>
    </section>
  )
}
