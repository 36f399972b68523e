import { memo, type ReactNode, useEffect, useRef } from 'react'
import { arrowOf, formatCompact, formatPercent, groupDigits, signOf } from '../../app/format.js'
import { select } from '../selection.js'
import type { QuoteBoard, QuoteRow } from './quote-board.js'
import { drawSparkline, type Sparklines } from './sparkline.js'

const FLASH_MS = 300
/** How often the last point of a sparkline moves. */
const SPARK_MS = 2000

export interface RowProps {
  readonly board: QuoteBoard
  readonly sparklines: Sparklines
  readonly symbol: string
  readonly name: string | undefined
  readonly isSelected: boolean
  /** Whether the feed of its market is dead. */
  readonly isStale: boolean
  readonly index: number
}

/** Writes a text only if it has changed: everything else costs a layout. */
function write (cell: HTMLElement, text: string): boolean {
  if (cell.textContent === text) return false
  cell.textContent = text
  return true
}

/** One row; it writes its own cells, and React does not render it for a new price. */
export const Row = memo(({
  board, sparklines, symbol, name, isSelected, isStale, index
}: RowProps): ReactNode => {
  const row = useRef<HTMLTableRowElement>(null)
  useEffect(() => {
    const [, last, change, volume] = [...row.current!.cells]
    let flash: ReturnType<typeof setTimeout> | undefined
    const show = ({ quote, direction }: QuoteRow): void => {
      const isNew = last!.textContent !== ''
      if (write(last!, groupDigits(quote?.last ?? quote?.bid)) && isNew && direction !== 0) {
        // Not an animation: that would draw the cell again in each frame.
        last!.dataset['flash'] = direction > 0 ? 'up' : 'down'
        clearTimeout(flash)
        flash = setTimeout(() => { delete last!.dataset['flash'] }, FLASH_MS)
      }
      const sign = signOf(quote?.change_percent)
      write(change!, `${arrowOf(sign)} ${formatPercent(quote?.change_percent)}`)
      row.current!.dataset['sign'] = String(sign)
      write(volume!, formatCompact(quote?.volume))
    }
    const stop = board.watch(symbol, show)
    return () => {
      clearTimeout(flash)
      stop()
    }
  }, [board, symbol])
  useEffect(() => {
    const canvas = row.current!.querySelector('canvas')!
    let closes: readonly number[] = []
    const draw = (): void => { drawSparkline(canvas, closes, board.row(symbol).last) }
    const stop = sparklines.follow(symbol, found => {
      closes = found
      draw()
    })
    const timer = setInterval(draw, SPARK_MS)
    return () => {
      stop()
      clearInterval(timer)
    }
  }, [board, sparklines, symbol])
  return (
    <tr
      ref={row} data-symbol={symbol} data-selected={isSelected} data-stale={isStale} aria-rowindex={index + 2}
    >
      <th scope='row'>
        <button
          type='button' className='plain' tabIndex={isSelected ? 0 : -1}
          aria-current={isSelected} onClick={() => { select(symbol) }}
        >
          <span>{symbol}</span>
          {name !== undefined && <span className='name'>{name}</span>}
        </button>
      </th>
      <td className='number' />
      <td className='number change' />
      <td className='number wide' />
      <td className='spark'><canvas width={92} height={44} aria-hidden='true' /></td>
    </tr>
  )
})
