import type { ReactNode } from 'react'
import { useWords, type Words } from '../../app/preferences.js'
import type { Row } from '../log/row-log.js'

export interface Filter {
  readonly text: string
  /** Empty: every type, every topic. */
  readonly type: string
  readonly topic: string
}

export const NO_FILTER: Filter = { text: '', type: '', topic: '' }

const words = {
  en: { text: 'Filter by text', type: 'Type', topic: 'Topic', types: 'every type', topics: 'every topic' },
  ko: { text: '텍스트로 거르기', type: '유형', topic: '토픽', types: '모든 유형', topics: '모든 토픽' }
} satisfies Words<Record<string, string>>

/** Returns the rows that a person wants to see. */
export function filtered (rows: readonly Row[], { text, type, topic }: Filter): readonly Row[] {
  if (text === '' && type === '' && topic === '') return rows
  const wanted = text.toLowerCase()
  return rows.filter(row => (type === '' || row.type === type) && (topic === '' || row.topic === topic) &&
    (wanted === '' || row.text.toLowerCase().includes(wanted) || row.topic.toLowerCase().includes(wanted)))
}

const namesOf = (rows: readonly Row[], field: 'type' | 'topic', chosen: string): string[] =>
  [...new Set([...rows.map(row => row[field]), chosen])].filter(name => name !== '').sort()

/** What of the frames is shown. */
export function FrameFilter ({ rows, filter, onFilter }: {
  readonly rows: readonly Row[]
  readonly filter: Filter
  readonly onFilter: (filter: Filter) => void
}): ReactNode {
  const text = useWords(words)
  const choice = (field: 'type' | 'topic', every: string): ReactNode => (
    <select
      aria-label={text[field]} value={filter[field]} data-filter={field}
      onChange={({ target }) => { onFilter({ ...filter, [field]: target.value }) }}
    >
      <option value=''>{every}</option>
      {namesOf(rows, field, filter[field]).map(name => <option key={name}>{name}</option>)}
    </select>
  )
  return (
    <>
      <input
        type='search' aria-label={text.text} placeholder={text.text} value={filter.text} data-filter='text'
        onChange={({ target }) => { onFilter({ ...filter, text: target.value }) }}
      />
      {choice('type', text.types)}
      {choice('topic', text.topics)}
    </>
  )
}
