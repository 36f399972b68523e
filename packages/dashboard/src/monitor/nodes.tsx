import type { ReactNode } from 'react'
import { formatCompact } from '../app/format.js'
import { Panel } from '../app/panel.js'
import { useWords } from '../app/preferences.js'
import type { NodeFigures } from './shapes.js'
import { words } from './words.js'

type Summed = 'connections' | 'messages_per_second' | 'bytes_per_second'
const sum = (figures: NodeFigures, field: Summed): number =>
  figures.transports.reduce((total, transport) => total + transport[field], 0)

const ms = (value: number | undefined): string => value === undefined ? '–' : value.toFixed(1)

/** Each node with its figures of the last second. */
export function NodesPanel ({ nodes }: { readonly nodes: readonly NodeFigures[] }): ReactNode {
  const text = useWords(words)
  const heads = [
    text.connections, text.users, text.subscriptions, text.messages, text.bytes, text.latency, text.lagging,
    text.slow, text.overdue, text.log, text.store, text.loop, text.cpu, text.memory
  ]
  return (
    <Panel name='nodes' title={text.nodes} empty={nodes.length === 0 ? text.noFigures : undefined}>
      <table>
        <thead>
          <tr>
            <th scope='col'>{text.node}</th>
            {heads.map(head => <th key={head} scope='col' className='number'>{head}</th>)}
          </tr>
        </thead>
        <tbody>
          {nodes.map(figures => <NodeRow key={figures.node} figures={figures} />)}
        </tbody>
      </table>
    </Panel>
  )
}

function NodeRow ({ figures }: { readonly figures: NodeFigures }): ReactNode {
  const text = useWords(words)
  const { latency, log, redis, store, overdue } = figures
  const isLogUp = log.available && redis?.available !== false
  const isStoreUp = store.state === 'available' || store.state === 'none'
  const storeText = store.complete ? store.state : `${store.state} · ${text.incomplete}`
  const usersLate = overdue.reduce((total, { users }) => total + users, 0)
  const cells: ReadonlyArray<readonly [name: string, value: ReactNode, isBad?: boolean]> = [
    ['connections', sum(figures, 'connections').toLocaleString('en')],
    ['users', figures.users.toLocaleString('en')],
    ['subscriptions', figures.subscriptions.toLocaleString('en')],
    ['messages', formatCompact(sum(figures, 'messages_per_second'))],
    ['bytes', formatCompact(sum(figures, 'bytes_per_second'))],
    ['latency', `${ms(latency.p50_ms)} / ${ms(latency.p95_ms)} / ${ms(latency.p99_ms)} ms`],
    ['lagging', figures.lagging, figures.lagging > 0],
    ['slow', figures.slow_readers, figures.slow_readers > 0],
    ['overdue', usersLate, usersLate > 0],
    ['log', `${log.kind} · ${isLogUp ? text.up : text.down} · ${ms(log.latency_ms)} ms`, !isLogUp],
    ['store', storeText, !isStoreUp || !store.complete],
    ['loop', `${ms(figures.event_loop_delay_ms)} ms`],
    ['cpu', `${(figures.cpu * 100).toFixed(0)} %`],
    ['memory', `${(figures.memory_bytes / 1024 ** 2).toFixed(0)} MiB`]
  ]
  return (
    <tr data-node={figures.node}>
      <th scope='row' title={`${figures.version}, ${figures.started}`}>{figures.name}</th>
      {cells.map(([name, value, isBad = false]) => (
        <td key={name} className={`number ${isBad ? 'problem' : ''}`} data-figure={name}>{value}</td>
      ))}
    </tr>
  )
}
