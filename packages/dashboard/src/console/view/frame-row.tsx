import { memo, type ReactNode } from 'react'
import { formatTime } from '../../app/format.js'
import type { Row } from '../log/row-log.js'
import type { FrameWords } from './frame-words.js'

/** More of a frame is never seen in a row. */
const SHOWN_CHARACTERS = 400

export function clockOf (at: number): string {
  return `${formatTime(at)}.${String(at % 1000).padStart(3, '0')}`
}

/** One message of a frame. */
export const FrameRow = memo(function FrameRow ({ row, index, text, isSelected, onSelect }: {
  readonly row: Row
  readonly index: number
  readonly text: FrameWords
  readonly isSelected: boolean
  readonly onSelect: (row: Row) => void
}): ReactNode {
  const { frame, type, topic, sequence, latencyMs, size, validity } = row
  const isNote = frame.kind === 'note'
  const arrow = isNote ? '·' : frame.direction === 'in' ? '↓' : '↑'
  return (
    <tr
      aria-rowindex={index} aria-selected={isSelected} data-row
      data-direction={isNote ? 'note' : frame.direction}
      data-type={type} data-topic={topic} data-validity={validity} data-sequence={sequence}
      onClick={() => { onSelect(row) }}
    >
      <td className='col-time'><button type='button' className='plain'>{clockOf(frame.at)}</button></td>
      <td className='col-direction'>
        <span aria-hidden='true'>{arrow}</span>
        <span className='hidden'>{isNote ? '' : text[frame.direction]}</span>
      </td>
      <td className='col-type'>{type}</td>
      <td className='col-topic'>{topic}</td>
      <td className='col-sequence number'>{sequence}</td>
      <td className='col-latency number'>{latencyMs === undefined ? '' : `${Math.round(latencyMs)} ms`}</td>
      <td className='col-size number'>{isNote ? '' : size.toLocaleString('en')}</td>
      <td className='col-validity'>{validity === undefined ? '' : text[validity]}</td>
      <td className='col-text'><code>{row.text.slice(0, SHOWN_CHARACTERS)}</code></td>
    </tr>
  )
})
