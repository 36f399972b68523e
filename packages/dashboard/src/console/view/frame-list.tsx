import { type KeyboardEvent, type ReactNode, useEffect, useRef } from 'react'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useWords } from '../../app/preferences.js'
import type { Row } from '../log/row-log.js'
import { FrameRow } from './frame-row.js'
import { frameWords } from './frame-words.js'

const ROW_PX = 26
/** How near to its end the list must be to go on with what comes. */
const NEAR_PX = 2 * ROW_PX

const space = (height: number): ReactNode => height > 0 && (
  <tr aria-hidden='true' className='space'><td colSpan={COLUMNS.length} style={{ height }} /></tr>
)

const COLUMNS =
  ['time', 'direction', 'type', 'topic', 'sequence', 'latency', 'size', 'validity', 'text'] as const
const NUMBERS: readonly string[] = ['sequence', 'latency', 'size']

/** The frames, newest last. Only those in sight are in the page. */
export function FrameList ({ rows, selected, onSelect }: {
  readonly rows: readonly Row[]
  readonly selected: number | undefined
  readonly onSelect: (row: Row) => void
}): ReactNode {
  const text = useWords(frameWords)
  const box = useRef<HTMLDivElement>(null)
  const follows = useRef(true)
  const focuses = useRef(false)
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    getItemKey: index => rows[index]!.id,
    overscan: 12
  })
  const lastId = rows.at(-1)?.id
  useEffect(() => {
    if (follows.current && rows.length > 0) virtual.scrollToIndex(rows.length - 1, { align: 'end' })
  }, [virtual, rows.length, lastId])
  // The row that the keys went to is in the page only after it was scrolled to.
  useEffect(() => {
    if (!focuses.current) return
    const button = box.current?.querySelector<HTMLElement>('[aria-selected=true] button')
    button?.focus()
    focuses.current = button == null
  })

  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key]
    const at = rows.findIndex(({ id }) => id === selected)
    if (step === undefined || at < 0) return
    event.preventDefault()
    const next = Math.min(rows.length - 1, Math.max(0, at + step))
    follows.current = next === rows.length - 1
    focuses.current = true
    virtual.scrollToIndex(next)
    onSelect(rows[next]!)
  }
  const items = virtual.getVirtualItems()
  return (
    <div
      ref={box} className='frames' tabIndex={0} role='region' aria-label={text.title}
      data-frames={rows.length}
      onKeyDown={onKeyDown}
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        follows.current = scrollHeight - clientHeight - scrollTop < NEAR_PX
      }}
    >
      <table aria-rowcount={rows.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            {COLUMNS.map(name => (
              <th key={name} scope='col' className={`col-${name}${NUMBERS.includes(name) ? ' number' : ''}`}>
                {name === 'direction' ? <span className='hidden'>{text.direction}</span> : text[name]}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {space(items[0]?.start ?? 0)}
          {items.map(({ index, key }) => (
            <FrameRow
              key={key} row={rows[index]!} index={index + 2} text={text}
              isSelected={rows[index]!.id === selected} onSelect={onSelect}
            />
          ))}
          {space(virtual.getTotalSize() - (items.at(-1)?.end ?? 0))}
        </tbody>
      </table>
    </div>
  )
}
