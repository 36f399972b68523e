import { type ReactNode, useState } from 'react'
import { formatCompact, formatTime } from '../app/format.js'
import { frozen } from '../app/freeze.js'
import { Panel } from '../app/panel.js'
import { useWords } from '../app/preferences.js'
import { useStore } from '../app/store.js'
import { usePolled } from './poll.js'
import type { ConnectionRow, ConnectionsAnswer, NodeFigures } from './shapes.js'
import { words } from './words.js'

const EVERY_MS = 2000
const LIMIT = 200
const TRANSPORTS = ['websocket', 'sse', 'poll'] as const

interface Choice {
  readonly transport: string
  readonly user: string
  readonly node: string
  readonly address: string
  readonly sort: string
  readonly isEnded: boolean
}

const NO_FILTERS = { transport: '', user: '', node: '', address: '' }
const FIRST: Choice = { ...NO_FILTERS, sort: '-connected_at', isEnded: false }

function pathOf ({ sort, isEnded, ...filters }: Choice): string {
  const parameters = new URLSearchParams({ sort, limit: String(LIMIT), ended: String(isEnded) })
  for (const [name, value] of Object.entries(filters)) {
    if (value.trim() !== '') parameters.set(name, value.trim())
  }
  return `v1/admin/connections?${parameters.toString()}`
}

type Word = keyof typeof words.en

/** The columns: what each says, by which field the server sorts it, and how a row shows it. */
const COLUMNS: ReadonlyArray<readonly [
  word: Word, sort: string | undefined, show: (row: ConnectionRow) => string, isNumber?: true
]> = [
  ['transport', undefined, ({ transport }) => transport],
  ['node', undefined, ({ name }) => name],
  ['address', undefined, ({ address }) => address],
  ['state', undefined, row => row.disconnect_reason ?? row.state],
  ['connectedAt', 'connected_at', row => formatTime(row.connected_at)],
  ['lastHeard', 'last_heartbeat', row => formatTime(row.last_heartbeat)],
  ['subscriptions', 'selectors', ({ selectors }) => String(selectors), true],
  ['sent', 'messages_sent', row => row.messages_sent.toLocaleString('en'), true],
  ['sentBytes', 'bytes_sent', row => formatCompact(row.bytes_sent), true],
  ['received', 'messages_received', row => row.messages_received.toLocaleString('en'), true],
  ['unsent', 'unsent_bytes', row => formatCompact(row.unsent_bytes), true],
  ['overdue', undefined, ({ unacknowledged }) => unacknowledged === null ? '' : String(unacknowledged), true]
]

/** Who is connected: filtered and sorted by the server, over all nodes. */
export function ConnectionsPanel ({ nodes, chosen, onChoose }: {
  readonly nodes: readonly NodeFigures[]
  readonly chosen: string | undefined
  readonly onChoose: (id: string) => void
}): ReactNode {
  const text = useWords(words)
  const isFrozen = useStore(frozen)
  const [choice, setChoice] = useState(FIRST)
  const { answer, problem } = usePolled<ConnectionsAnswer>(pathOf(choice), EVERY_MS, isFrozen)
  const rows = answer?.connections ?? []
  const field = (name: 'user' | 'address', label: string): ReactNode => (
    <input
      type='search' name={name} aria-label={label} placeholder={label} value={choice[name]}
      onChange={({ target }) => { setChoice({ ...choice, [name]: target.value }) }}
    />
  )
  const options = (
    name: 'transport' | 'node', label: string, all: ReadonlyArray<readonly [value: string, shown: string]>
  ): ReactNode => (
    <select
      name={name} aria-label={label} value={choice[name]}
      onChange={({ target }) => { setChoice({ ...choice, [name]: target.value }) }}
    >
      <option value=''>{label}: {text.all}</option>
      {all.map(([value, shown]) => <option key={value} value={value}>{shown}</option>)}
    </select>
  )
  const sortBy = (sort: string): void => {
    setChoice({ ...choice, sort: choice.sort === `-${sort}` ? sort : `-${sort}` })
  }
  const missing = answer?.missing.map(({ name }) => name).join(', ') ?? ''
  const tools = (
    <>
      {problem !== undefined && <span className='problem' role='status'>{problem}</span>}
      {missing !== '' && <span className='problem'>{missing}: {text.missing}</span>}
      {answer?.complete === false && missing === '' && <span className='problem'>{text.incomplete}</span>}
      <span className='faint' data-total={answer?.total}>
        {text.shown.replace('{shown}', String(rows.length)).replace('{total}', String(answer?.total ?? 0))}
      </span>
      {options('transport', text.transport, TRANSPORTS.map(name => [name, name]))}
      {options('node', text.node, nodes.map(({ node, name }) => [node, name]))}
      {field('user', text.user)}{field('address', text.address)}
      <label className='check'>
        <input
          type='checkbox' checked={choice.isEnded} onChange={({ target }) => {
            const sort = target.checked ? '-disconnected_at' : FIRST.sort
            setChoice({ ...choice, isEnded: target.checked, sort })
          }}
        />
        {text.ended}
      </label>
    </>
  )
  const head = (word: Word, sort: string | undefined, isNumber = false): ReactNode => {
    const isSorted = sort !== undefined && choice.sort.replace('-', '') === sort
    const direction = choice.sort.startsWith('-') ? 'descending' : 'ascending'
    return (
      <th
        key={word} scope='col' className={isNumber ? 'number' : ''}
        aria-sort={isSorted ? direction : undefined}
      >
        {sort === undefined
          ? text[word]
          : (
            <button type='button' className='plain' onClick={() => { sortBy(sort) }}>
              {text[word]}{isSorted ? (direction === 'descending' ? ' ↓' : ' ↑') : ''}
            </button>
            )}
      </th>
    )
  }
  return (
    <Panel
      name='connections' title={text.connections} tools={tools}
      empty={answer !== undefined && rows.length === 0 ? text.none : undefined}
    >
      <table>
        <thead>
          <tr>
            <th scope='col'>{text.user}</th>
            {COLUMNS.map(([word, sort, , isNumber]) => head(word, sort, isNumber))}
            {choice.isEnded && head('endedAt', 'disconnected_at')}
          </tr>
        </thead>
        <tbody>
          {rows.map(row => (
            <tr
              key={row.connection_id} data-connection={row.connection_id}
              data-chosen={row.connection_id === chosen}
            >
              <th scope='row'>
                <button
                  type='button' className='plain' aria-pressed={row.connection_id === chosen}
                  onClick={() => { onChoose(row.connection_id) }}
                >
                  {row.user_id ?? text.anonymous}
                </button>
              </th>
              {COLUMNS.map(([word, , show, isNumber]) => (
                <td key={word} className={isNumber === true ? 'number' : ''}>{show(row)}</td>
              ))}
              {choice.isEnded &&
                <td>{typeof row.disconnected_at === 'string' ? formatTime(row.disconnected_at) : ''}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  )
}
