import { type FormEvent, type ReactNode, useEffect, useRef, useState } from 'react'
import { notify } from './notices.js'
import { useWords, type Words } from './preferences.js'
import { askForLink, linkProblem, login, logInWith, logOut, type Settings } from './session.js'
import { useStore } from './store.js'

const words = {
  en: {
    logIn: 'Log in',
    logOut: 'Log out',
    title: 'Log in',
    link: "Open the link that the server's terminal shows, in this browser.",
    show: 'Show a link there',
    shown: "The server's terminal shows a link: open it in this browser.",
    token: 'Token',
    hint: 'A token as `npx tickwire token --sub alice --trade \'*\'` makes it.',
    use: 'Use this token',
    cancel: 'Cancel'
  },
  ko: {
    logIn: '로그인',
    logOut: '로그아웃',
    title: '로그인',
    link: '서버 터미널에 표시된 링크를 이 브라우저에서 여십시오.',
    show: '터미널에 링크 표시',
    shown: '서버 터미널에 링크가 표시되었습니다. 이 브라우저에서 여십시오.',
    token: '토큰',
    hint: '`npx tickwire token --sub alice --trade \'*\'` 로 만든 토큰입니다.',
    use: '이 토큰 사용',
    cancel: '취소'
  }
} satisfies Words<Record<string, string>>

/** Logs in by the link of the terminal where the server shows one, and by a token. */
export function LoginButton ({ settings }: { readonly settings: Settings }): ReactNode {
  const text = useWords(words)
  const held = useStore(login)
  const dialog = useRef<HTMLDialogElement>(null)
  const problem = useStore(linkProblem)
  const [note, setNote] = useState('')
  const [token, setToken] = useState('')
  useEffect(() => { if (problem !== undefined) notify(problem, 'bad') }, [problem])
  if (held !== undefined) {
    return (
      <span className='login'>
        <span className='user' title={held.user}>{held.user}</span>
        <button type='button' onClick={logOut}>{text.logOut}</button>
      </span>
    )
  }
  const show = async (): Promise<void> => {
    try {
      await askForLink()
      setNote(text.shown)
    } catch (error) {
      setNote(error instanceof Error ? error.message : String(error))
    }
  }
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    if (token.trim() === '') return
    dialog.current?.close()
    logInWith(token.trim())
  }
  return (
    <>
      <button type='button' className='main' onClick={() => { dialog.current?.showModal() }}>
        {text.logIn}
      </button>
      <dialog ref={dialog} className='dialog' aria-label={text.title}>
        <h2>{text.title}</h2>
        <p role='status' className='faint'>{note === '' ? problem : note}</p>
        {settings.admin_links && (
          <p>{text.link} <button type='button' onClick={() => { void show() }}>{text.show}</button></p>
        )}
        <form className='form' onSubmit={submit}>
          <label>{text.token}
            <input
              type='password' name='token' autoComplete='off' value={token}
              onChange={({ target }) => { setToken(target.value) }}
            />
          </label>
          <p className='faint'>{text.hint}</p>
          <div className='buttons'>
            <button type='submit' className='main'>{text.use}</button>
            <button type='button' onClick={() => { dialog.current?.close() }}>{text.cancel}</button>
          </div>
        </form>
      </dialog>
    </>
  )
}
