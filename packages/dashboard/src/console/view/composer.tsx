import { type KeyboardEvent, type ReactNode, useEffect, useId, useMemo, useRef, useState } from 'react'
import { Panel } from '../../app/panel.js'
import { useWords, type Words } from '../../app/preferences.js'
import { useStore } from '../../app/store.js'
import { actionOf, faultsOf } from '../schema/check.js'
import type { Known } from '../schema/complete.js'
import { templateOf } from '../schema/templates.js'
import { isWebSocket, type Session } from '../wire/session.js'
import { twinOf } from '../wire/twin.js'
import { FaultLine } from './fault-line.js'
import { optionId, Suggestions } from './suggestions.js'
import { useCompletion } from './use-completion.js'

const words = {
  en: {
    title: 'Message',
    template: 'Template',
    message: 'Message to the server, as JSON',
    send: 'Send',
    rest: 'Send over HTTP',
    keys: 'Ctrl+Space completes, Ctrl+Enter sends.',
    notHere: 'Over this transport, send subscribe and unsubscribe here, and everything else over HTTP.'
  },
  ko: {
    title: '메시지',
    template: '템플릿',
    message: '서버로 보낼 JSON 메시지',
    send: '보내기',
    rest: 'HTTP로 보내기',
    keys: 'Ctrl+Space 자동 완성, Ctrl+Enter 보내기.',
    notHere: '이 전송 방식에서는 subscribe 와 unsubscribe 만 여기로, 나머지는 HTTP로 보냅니다.'
  }
} satisfies Words<Record<string, string>>

/** Where a message to the server is written. */
export function Composer ({ session, known, written, onWrite }: {
  readonly session: Session
  readonly known: Known
  readonly written: string
  readonly onWrite: (text: string) => void
}): ReactNode {
  const text = useWords(words)
  const { transport } = useStore(session.state)
  const area = useRef<HTMLTextAreaElement>(null)
  const completion = useCompletion(area, known)
  const [list, line] = [useId(), useId()]
  const [template, setTemplate] = useState('subscribe')
  const nextId = useRef(1)
  /** The template as it was. */
  const begun = useRef('')
  const { schemas, instruments, cursor, epoch } = known
  const faults = useMemo(() => faultsOf(written, schemas), [written, schemas])
  const action = actionOf(written)
  const twin = action === undefined ? undefined : twinOf(action)
  const changesStream = ['subscribe', 'unsubscribe'].includes(String(action?.['action']))
  const maySend = written.trim() !== '' && (isWebSocket(transport) || changesStream)

  const begin = (name: string): void => {
    setTemplate(name)
    const symbol = instruments[0]?.symbol ?? 'AAPL'
    begun.current = templateOf(name, schemas, { symbol, cursor, epoch, id: nextId.current++ })
    onWrite(begun.current)
    completion.close()
  }
  // Instruments come later than the page. What a person has written stays.
  useEffect(() => { if (written === begun.current) begin(template) }, [instruments])

  const send = (): void => {
    completion.close()
    if (maySend) session.send(written, action)
  }
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>): void => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault()
      send()
    } else if (completion.key(event) || closesQuote(event)) event.preventDefault()
  }
  const { suggestions, active } = completion
  return (
    <Panel
      name='composer' title={text.title}
      tools={
        <label className='inline'>{text.template}
          <select data-template value={template} onChange={({ target }) => { begin(target.value) }}>
            {Object.keys(schemas.actions).map(name => <option key={name}>{name}</option>)}
          </select>
        </label>
      }
    >
      <div className='composer'>
        <div className='composer-field'>
          <textarea
            ref={area} data-composer rows={7} spellCheck={false} autoComplete='off' autoCapitalize='off'
            aria-label={text.message} aria-describedby={line} aria-autocomplete='list' aria-haspopup='listbox'
            aria-controls={list} aria-invalid={faults.length > 0}
            aria-activedescendant={suggestions.length === 0 ? undefined : optionId(list, active)}
            value={written} onKeyDown={onKeyDown}
            onBlur={() => { completion.close() }}
            onClick={() => { completion.close() }}
            onChange={({ target }) => {
              onWrite(target.value)
              completion.look(false)
            }}
          />
          <Suggestions id={list} completion={completion} />
        </div>
        <FaultLine id={line} faults={faults} />
        <div className='connect-buttons'>
          <button type='button' className='main' data-send disabled={!maySend} onClick={send}>
            {text.send}
          </button>
          <button
            type='button' data-rest disabled={twin === undefined}
            onClick={() => { if (twin !== undefined) void session.request(twin) }}
          >
            {text.rest}
          </button>
          <span className='faint'>{isWebSocket(transport) || maySend ? text.keys : text.notHere}</span>
        </div>
      </div>
    </Panel>
  )
}

/** Writes both quotes at once, and steps over the second: a text that does not end would swallow the rest. */
function closesQuote (event: KeyboardEvent<HTMLTextAreaElement>): boolean {
  const { selectionStart: from, selectionEnd: to, value } = event.currentTarget
  if (event.key !== '"' || from !== to || value[from - 1] === '\\') return false
  if (value[from] === '"') {
    event.currentTarget.setSelectionRange(from + 1, from + 1)
    return true
  }
  // Inside a text that ends later a quote is only a quote.
  if (/[\w가-힣]/.test(value[from] ?? '') || !document.execCommand('insertText', false, '""')) return false
  event.currentTarget.setSelectionRange(from + 1, from + 1)
  return true
}
