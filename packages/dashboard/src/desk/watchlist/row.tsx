import { memo, type ReactNode, useEffect, useRef } from 'react'
import { arrowOf, formatCompact, formatPercent, groupDigits, signOf } from '../../app/format.js'
import { select } from '../selection.js'
import type { QuoteBoard, QuoteRow } from './quote-board.js'
import { drawSparkline, type Sparklines } from './sparkline.js'

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
    let flashes = 0
    const show = ({ quote, direction }: QuoteRow): void => {
      const isNew = last!.textContent !== ''
      if (write(last!, groupDigits(quote?.last ?? quote?.bid)) && isNew && direction !== 0) {
        // Two names of one animation, so that it begins again without a layout in between.
        last!.dataset['flash'] = `${direction > 0 ? 'up' : 'down'}-${flashes++ % 2}`
      }
      const sign = signOf(quote?.change_percent)
      write(change!, `${arrowOf(sign)} ${formatPercent(quote?.change_percent)}`)
      row.current!.dataset['sign'] = String(sign)
      write(volume!, formatCompact(quote?.volume))
    }
    return board.watch(symbol, show)
  }, [board, symbol])
  useEffect(() => {
    const canvas = row.current!.querySelector('canvas')!
    let timer: ReturnType<typeof setInterval> | undefined
    const stop = sparklines.read(symbol, closes => {
      const draw = (): void => { drawSparkline(canvas, closes, board.row(symbol).last) }
      draw()
      timer = setInterval(draw, SPARK_MS)
    })
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
