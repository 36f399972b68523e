import { type ReactNode, useRef } from 'react'
import { notify } from '../../app/notices.js'
import { useWords, type Words } from '../../app/preferences.js'
import { serverAddress } from '../code/place.js'
import { MAX_FILE_BYTES, readSession, sessionText } from '../log/file.js'
import { RowLog } from '../log/row-log.js'
import type { Session } from '../wire/session.js'

/** A session of a file. */
export interface Opened {
  readonly name: string
  readonly server: string
  readonly log: RowLog
}

const words = {
  en: {
    save: 'Save',
    open: 'Open',
    file: 'Open a saved session',
    saved: 'The session is saved, without credentials.',
    bad: 'This is not a session that the console saved.',
    large: 'The file is too large: at most 64 MiB.'
  },
  ko: {
    save: '저장',
    open: '열기',
    file: '저장한 세션 열기',
    saved: '자격 증명을 빼고 세션을 저장했습니다.',
    bad: '콘솔이 저장한 세션 파일이 아닙니다.',
    large: '파일이 너무 큽니다. 최대 64 MiB입니다.'
  }
} satisfies Words<Record<string, string>>

function download (text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/x-ndjson' }))
  const link = document.createElement('a')
  link.href = url
  link.download = `tickwire-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.jsonl`
  link.click()
  // Not at once: the browser may not have begun to read it.
  setTimeout(() => { URL.revokeObjectURL(url) }, 60_000)
}

/** Saves the frames as a file, and opens such a file without any server. */
export function FileButtons ({ session, onOpen }: {
  readonly session: Session
  readonly onOpen: (opened: Opened) => void
}): ReactNode {
  const text = useWords(words)
  const input = useRef<HTMLInputElement>(null)
  const open = async (file: File): Promise<void> => {
    if (file.size > MAX_FILE_BYTES) {
      notify(text.large, 'bad')
      return
    }
    const read = readSession(await file.text())
    if (read === undefined) {
      notify(text.bad, 'bad')
      return
    }
    const log = new RowLog()
    for (const frame of read.frames) log.add(frame)
    log.flush()
    onOpen({ name: file.name, server: read.server, log })
  }
  return (
    <>
      <button
        type='button' data-save
        onClick={() => {
          download(session.credentials.hide(sessionText(session.log.frames(), serverAddress(), Date.now())))
          notify(text.saved, 'good')
        }}
      >
        {text.save}
      </button>
      <button type='button' data-open onClick={() => { input.current?.click() }}>{text.open}</button>
      <input
        ref={input} type='file' hidden aria-label={text.file} accept='.jsonl,.ndjson,application/x-ndjson'
        onChange={({ target }) => {
          const [file] = target.files ?? []
          if (file !== undefined) void open(file)
          // The same file can be chosen again.
          target.value = ''
        }}
      />
    </>
  )
}
