import { type ReactNode, useEffect, useState } from 'react'
import { useClient } from '@tickwire/client/react'
import type { News } from '@tickwire/protocol'
import { formatTime } from '../../app/format.js'
import { useUnlessFrozen } from '../../app/freeze.js'
import { Panel } from '../../app/panel.js'
import { useWords, type Words } from '../../app/preferences.js'
import { select, useSelected } from '../selection.js'
import './news.css'

const words = {
  en: {
    title: 'News',
    empty: 'No headlines yet.',
    none: 'Nothing about this symbol yet.',
    only: 'This symbol only'
  },
  ko: {
    title: '뉴스',
    empty: '아직 뉴스가 없습니다.',
    none: '이 종목의 뉴스가 아직 없습니다.',
    only: '이 종목만'
  }
} satisfies Words<Record<string, string>>

const MOST = 100

interface Headline extends News {
  readonly sequence: number
}

/** Returns the newest headlines, newest first. */
function useHeadlines (): readonly Headline[] {
  const client = useClient()
  const [headlines, setHeadlines] = useState<readonly Headline[]>([])
  useEffect(() => {
    const subscription = client.subscribe('news', { last: MOST })
    subscription.listen(event => {
      if (event.type === 'reset') {
        // Up to the sequence of the reset, nothing is lost.
        setHeadlines(before => before.filter(({ sequence }) => sequence <= (event.sequence ?? 0)))
      } else {
        const headline = { ...event.data, sequence: event.sequence }
        setHeadlines(before => [headline, ...before].slice(0, MOST))
      }
    })
    return () => {
      subscription.close()
      setHeadlines([])
    }
  }, [client])
  return headlines
}

/** A page must not be sent to a script by a headline. */
const isLink = (url: string | undefined): url is string => url !== undefined && /^https?:\/\//i.test(url)

export function NewsPanel (): ReactNode {
  const text = useWords(words)
  const selected = useSelected()
  const [isOnly, setOnly] = useState(false)
  const all = useUnlessFrozen(useHeadlines())
  const shown = isOnly ? all.filter(({ symbols }) => symbols.includes(selected ?? '')) : all
  const empty = shown.length > 0 ? undefined : isOnly && all.length > 0 ? text.none : text.empty
  return (
    <Panel
      name='news' title={text.title} empty={empty} tools={
        <label className='check'>
          <input type='checkbox' checked={isOnly} onChange={({ target }) => { setOnly(target.checked) }} />
          {text.only}
        </label>
      }
    >
      <ol className='news' tabIndex={0} aria-label={text.title}>
        {shown.map(({ sequence, headline, source, timestamp, symbols, url }) => (
          <li key={sequence}>
            {isLink(url)
              ? <a href={url} target='_blank' rel='noreferrer noopener'>{headline}</a>
              : <span>{headline}</span>}
            <span className='faint'>{formatTime(timestamp)} · {source}</span>
            {symbols.slice(0, 4).map(symbol => (
              <button key={symbol} type='button' className='plain' onClick={() => { select(symbol) }}>
                {symbol}
              </button>
            ))}
          </li>
        ))}
      </ol>
    </Panel>
  )
}
