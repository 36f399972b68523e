import { type ReactNode, useState } from 'react'
import { useWords, type Words } from '../../app/preferences.js'
import { indented } from '../log/json-text.js'
import type { Row } from '../log/row-log.js'
import { clockOf } from './frame-row.js'

const words = {
  en: {
    title: 'Frame',
    raw: 'As it came',
    close: 'Close',
    copy: 'Copy',
    of: 'of',
    part: 'message',
    text: 'Text of the frame'
  },
  ko: {
    title: '프레임',
    raw: '원문 그대로',
    close: '닫기',
    copy: '복사',
    of: '/',
    part: '메시지',
    text: '프레임 내용'
  }
} satisfies Words<Record<string, string>>

/** Returns JSON on many lines, and any other text as it is. */
function pretty (text: string): string {
  // A request over HTTP has its body behind an empty line.
  const [head = '', ...rest] = text.split('\n\n')
  if (rest.length > 0) return [head, ...rest.map(pretty)].join('\n\n')
  return /^\s*[{[]/.test(text) ? indented(text) : text
}

/** A frame that was clicked, to be read. */
export function FrameDetail ({ row, onClose }: {
  readonly row: Row
  readonly onClose: () => void
}): ReactNode {
  const text = useWords(words)
  const [isRaw, setRaw] = useState(false)
  const shown = isRaw ? row.frame.text : pretty(row.text)
  const part = row.place === undefined ? '' : ` · ${text.part} ${row.place.index} ${text.of} ${row.place.of}`
  return (
    <section className='frame-detail' aria-label={text.title} data-frame-detail>
      <header>
        <h3>{clockOf(row.frame.at)} · {row.frame.kind} · {row.type}{part}</h3>
        <span className='spacer' />
        <button type='button' aria-pressed={isRaw} data-raw onClick={() => { setRaw(!isRaw) }}>
          {text.raw}
        </button>
        <button type='button' onClick={() => { void navigator.clipboard.writeText(shown) }}>
          {text.copy}
        </button>
        <button type='button' className='plain' aria-label={text.close} onClick={onClose}>×</button>
      </header>
      <pre tabIndex={0} aria-label={text.text} role='region'>{shown}</pre>
    </section>
  )
}
