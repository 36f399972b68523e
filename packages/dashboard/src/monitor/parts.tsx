import type { ReactNode } from 'react'
import { formatCompact } from '../app/format.js'
import { Panel } from '../app/panel.js'
import { useWords } from '../app/preferences.js'
import type { NodeFigures } from './shapes.js'
import { words } from './words.js'

/** What is sent of each channel, over all nodes. */
export function ChannelsPanel ({ nodes }: { readonly nodes: readonly NodeFigures[] }): ReactNode {
  const text = useWords(words)
  const rates = new Map<string, readonly [messages: number, bytes: number]>()
  for (const { channel, ...rate } of nodes.flatMap(({ channels }) => channels)) {
    const { messages_per_second: messages, bytes_per_second: bytes } = rate
    const [before, bytesBefore] = rates.get(channel) ?? [0, 0]
    rates.set(channel, [before + messages, bytesBefore + bytes])
  }
  const rows = [...rates].sort(([, [a]], [, [b]]) => b - a)
  return (
    <Panel name='channels' title={text.channels} empty={rows.length === 0 ? text.noFigures : undefined}>
      <table>
        <thead>
          <tr>
            <th scope='col'>{text.channel}</th>
            <th scope='col' className='number'>{text.messages}</th>
            <th scope='col' className='number'>{text.bytes}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([channel, [messages, bytes]]) => (
            <tr key={channel} data-channel={channel}>
              <th scope='row'>{channel}</th>
              <td className='number'>{formatCompact(messages)}</td>
              <td className='number'>{formatCompact(bytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  )
}

/** What brings and computes messages, and where it runs. */
export function PartsPanel ({ nodes }: { readonly nodes: readonly NodeFigures[] }): ReactNode {
  const text = useWords(words)
  const rows = nodes.flatMap(({ node, name, sources, processors }) => [
    ...sources.map(({ source, state }) => ({ node, name, part: source, state })),
    ...processors.map(({ processor, state }) => ({ node, name, part: processor, state }))
  ])
  return (
    <Panel name='parts' title={text.parts} empty={rows.length === 0 ? text.noFigures : undefined}>
      <table>
        <thead>
          <tr>
            <th scope='col'>{text.part}</th>
            <th scope='col'>{text.node}</th>
            <th scope='col'>{text.state}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ node, name, part, state }) => (
            <tr key={`${node} ${part}`} data-part={part}>
              <th scope='row'>{part}</th>
              <td>{name}</td>
              <td className={state === 'retrying' ? 'problem' : ''}>{state}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  )
}
