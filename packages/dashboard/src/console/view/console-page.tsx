import { type ReactNode, useEffect, useMemo, useState } from 'react'
import type { Instrument } from '@tickwire/protocol'
import { useWords, type Words } from '../../app/preferences.js'
import { login } from '../../app/session.js'
import { useStore } from '../../app/store.js'
import type { Known } from '../schema/complete.js'
import { readSchemas, useSchemas } from '../schema/schemas.js'
import { Session } from '../wire/session.js'
import { ask } from '../wire/wire.js'
import { CodePanel } from './code-panel.js'
import { Composer } from './composer.js'
import { ConnectPanel } from './connect-panel.js'
import { FramesPanel } from './frames-panel.js'
import './console.css'

const words = {
  en: { loading: 'The schemas of the server are being read…', again: 'Read again' },
  ko: { loading: '서버 스키마를 읽는 중…', again: '다시 읽기' }
} satisfies Words<Record<string, string>>

/** The console: a tool for developers, to speak with the server by hand. */
export function ConsolePage (): ReactNode {
  const [session, setSession] = useState<Session>()
  useEffect(() => {
    // The page is shown anew when somebody else logs in.
    const made = new Session(login.get() === undefined ? 'anonymous' : 'login')
    setSession(made)
    return () => { made.close() }
  }, [])
  return session === undefined ? null : <ConsoleOf session={session} />
}

function ConsoleOf ({ session }: { readonly session: Session }): ReactNode {
  const text = useWords(words)
  const [failure, setFailure] = useState<string>()
  const [written, setWritten] = useState('')
  const schemas = useSchemas()
  const instruments = useInstruments(session)
  const { cursor, epoch } = useStore(session.state)
  const read = (): void => {
    readSchemas().then(() => { setFailure(undefined) }, (error: unknown) => { setFailure(String(error)) })
  }
  useEffect(read, [])
  const known: Known | undefined = useMemo(
    () => schemas === undefined ? undefined : { schemas, instruments, cursor, epoch },
    [schemas, instruments, cursor, epoch]
  )
  return (
    <div className='console'>
      <div className='console-left'>
        <ConnectPanel session={session} />
        {known === undefined
          ? (
            <p className='empty' role='status'>
              {failure ?? text.loading}
              {failure !== undefined && <button type='button' onClick={read}>{text.again}</button>}
            </p>
            )
          : <Composer session={session} known={known} written={written} onWrite={setWritten} />}
        <CodePanel session={session} written={written} />
      </div>
      <FramesPanel session={session} />
    </div>
  )
}

/** The instruments, for completion: as far as the chosen credential may read them. */
function useInstruments (session: Session): readonly Instrument[] {
  const [instruments, setInstruments] = useState<readonly Instrument[]>([])
  const { phase } = useStore(session.state)
  const isOpen = phase === 'open'
  useEffect(() => {
    let isOver = false
    const read = async (): Promise<void> => {
      const headers = await session.credentials.headers()
      const answer = await ask({ url: new URL('v1/symbols', document.baseURI), headers })
      if (!answer.ok) return
      const { symbols } = await answer.json() as { readonly symbols: readonly Instrument[] }
      if (!isOver) setInstruments(symbols)
    }
    // Without instruments there is only less to complete.
    read().catch(() => {})
    return () => { isOver = true }
  }, [session, isOpen])
  return instruments
}
