import type { ReactNode } from 'react'
import { createStore, useStore } from './store.js'

export interface Notice {
  readonly id: number
  readonly kind: 'info' | 'good' | 'bad'
  readonly text: string
}

const SHOWN_MS = 8000
/** More would cover the page. */
const MOST = 4

const notices = createStore<readonly Notice[]>([])
let lastId = 0

const dismiss = (id: number): void => { notices.set(notices.get().filter(notice => notice.id !== id)) }

/** Shows a notice for some seconds, and announces it politely. */
export function notify (text: string, kind: Notice['kind'] = 'info'): void {
  const id = ++lastId
  notices.set([...notices.get(), { id, kind, text }].slice(-MOST))
  setTimeout(() => { dismiss(id) }, SHOWN_MS)
}

export function Notices ({ close }: { readonly close: string }): ReactNode {
  const shown = useStore(notices)
  return (
    <div className='notices' role='status' aria-live='polite' data-notices>
      {shown.map(({ id, kind, text }) => (
        <p key={id} className='notice' data-kind={kind}>
          <span>{text}</span>
          <button type='button' className='plain' aria-label={close} onClick={() => { dismiss(id) }}>
            ×
          </button>
        </p>
      ))}
    </div>
  )
}
