import { type KeyboardEvent, type MouseEvent, type ReactNode, useEffect, useRef } from 'react'
import { useWords, type Words } from '../app/preferences.js'

const words = {
  en: { back: 'Back' },
  ko: { back: '돌아가기' }
} satisfies Words<Record<string, string>>

/** A key that is held down must not answer what it has opened itself. */
export function ignoreHeldEnter (event: KeyboardEvent): void {
  if (event.repeat && event.key === 'Enter') event.preventDefault()
}

/** The second click of a double click acts again only by mistake. */
export function ignoreDoubleClick (event: MouseEvent): void {
  if (event.detail > 1) event.preventDefault()
}

export interface ConfirmProps {
  readonly title: string
  readonly isOpen: boolean
  readonly confirm: string
  readonly onConfirm: () => void
  readonly onClose: () => void
  readonly children?: ReactNode
}

/** Asks before something that cannot be taken back. Escape and “Back” leave everything as it was. */
export function ConfirmDialog (
  { title, isOpen, confirm, onConfirm, onClose, children }: ConfirmProps
): ReactNode {
  const text = useWords(words)
  const dialog = useRef<HTMLDialogElement>(null)
  const main = useRef<HTMLButtonElement>(null)
  useEffect(() => {
    if (!isOpen) return dialog.current?.close()
    dialog.current?.showModal()
    main.current?.focus()
  }, [isOpen])
  return (
    <dialog ref={dialog} className='dialog confirm' aria-label={title} onClose={onClose}>
      <form
        method='dialog' onKeyDown={ignoreHeldEnter}
        onSubmit={event => {
          event.preventDefault()
          if (!isOpen) return
          onClose()
          onConfirm()
        }}
      >
        <h2>{title}</h2>
        {children}
        <div className='buttons'>
          <button ref={main} type='submit' className='main' data-confirm onClick={ignoreDoubleClick}>
            {confirm}
          </button>
          <button type='button' onClick={onClose}>{text.back}</button>
        </div>
      </form>
    </dialog>
  )
}
