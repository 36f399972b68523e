import { type KeyboardEvent, type ReactNode, useState } from 'react'
import type { Level } from '@tickwire/client/book'
import { useBook } from '@tickwire/client/react'
import { useIsStale } from '../../app/connection.js'
import { groupDigits } from '../../app/format.js'
import { useUnlessFrozen } from '../../app/freeze.js'
import { Panel } from '../../app/panel.js'
import { useWords, type Words } from '../../app/preferences.js'
import { useHeight } from '../../app/height.js'
import { useSelected } from '../selection.js'
import { prefill } from '../ticket/prefill.js'
import { DepthChart } from './depth-chart.js'
import './book.css'

const words = {
  en: {
    title: 'Order book',
    empty: 'No book yet.',
    stale: 'The book is unsound until the next snapshot.',
    bid: 'Bid',
    ask: 'Ask',
    size: 'Size',
    price: 'Price',
    spread: 'Spread',
    levels: 'Levels',
    depth: 'Depth',
    depthLabel: 'Size up to each price, bids on the left and asks on the right',
    take: 'Order at this price'
  },
  ko: {
    title: '호가',
    empty: '아직 호가가 없습니다.',
    stale: '다음 스냅샷까지 호가를 믿을 수 없습니다.',
    bid: '매수',
    ask: '매도',
    size: '잔량',
    price: '가격',
    spread: '스프레드',
    levels: '호가표',
    depth: '누적',
    depthLabel: '가격별 누적 잔량: 왼쪽은 매수, 오른쪽은 매도',
    take: '이 가격으로 주문'
  }
} satisfies Words<Record<string, string>>

/** The most levels of a side; so many are shown as fit. */
const DEPTH = 25
const ROW_PX = 21
/** What the head and the spread take. */
const OTHERS_PX = 60
/** A person cannot read faster; the last state always comes. */
const THROTTLE_MS = 100

/** The order book of the selected symbol, as levels or as a curve. */
export function BookPanel (): ReactNode {
  const text = useWords(words)
  const selected = useSelected()
  const [isCurve, setCurve] = useState(false)
  const tools = (
    <>
      <button type='button' aria-pressed={!isCurve} onClick={() => { setCurve(false) }}>{text.levels}</button>
      <button type='button' aria-pressed={isCurve} onClick={() => { setCurve(true) }}>{text.depth}</button>
    </>
  )
  if (selected === undefined) return <Panel name='book' title={text.title} empty={text.empty} tools={tools} />
  return isCurve
    ? <Curve symbol={selected} tools={tools} />
    : <Levels symbol={selected} tools={tools} />
}

interface ViewProps {
  readonly symbol: string
  readonly tools: ReactNode
}

const CURVE_DEPTH = 200

function Curve ({ symbol, tools }: ViewProps): ReactNode {
  const text = useWords(words)
  const isStale = useIsStale()
  const book = useUnlessFrozen(useBook(symbol, { depth: CURVE_DEPTH, throttleMs: 2 * THROTTLE_MS }))
  const empty = book === undefined ? text.empty : book.stale ? text.stale : undefined
  return (
    <Panel name='book' title={text.title} empty={empty} isStale={isStale} tools={tools}>
      {book !== undefined && <DepthChart bids={book.bids} asks={book.asks} label={text.depthLabel} />}
    </Panel>
  )
}

function Levels ({ symbol, tools }: ViewProps): ReactNode {
  const text = useWords(words)
  const isStale = useIsStale()
  const book = useUnlessFrozen(useBook(symbol, { depth: DEPTH, throttleMs: THROTTLE_MS }))
  const empty = book === undefined ? text.empty : book.stale ? text.stale : undefined
  const [box, height] = useHeight()
  const fits = Math.max(3, Math.floor((height - OTHERS_PX) / 2 / ROW_PX))
  const [bids, asks] = [book?.bids.slice(0, fits) ?? [], book?.asks.slice(0, fits) ?? []]
  const most = Math.max(...[...bids, ...asks].map(([, size]) => Number(size)))
  return (
    <Panel name='book' title={text.title} empty={empty} isStale={isStale} tools={tools}>
      <div ref={box} className='canvas-box'>
        <table className='book' data-sequence={book?.sequence} onKeyDown={moveAlong}>
          <thead>
            <tr>
              <th scope='col'>{text.price}</th>
              <th scope='col' className='number'>{text.size}</th>
            </tr>
          </thead>
          <tbody aria-label={text.ask} data-side='ask'>
            {asks.map((level, at) => (
              <LevelRow
                key={level[0]} symbol={symbol} side='ask' level={level} most={most} isBest={at === 0}
              />
            )).reverse()}
          </tbody>
          <tbody>
            <tr className='spread'>
              <th scope='row'>{text.spread}</th>
              <td className='number' data-spread>{groupDigits(book?.spread)}</td>
            </tr>
          </tbody>
          <tbody aria-label={text.bid} data-side='bid'>
            {bids.map((level, at) => (
              <LevelRow
                key={level[0]} symbol={symbol} side='bid' level={level} most={most} isBest={at === 0}
              />
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  )
}

/** Arrow keys move along the prices; the best of each side are reached by the tab key. */
function moveAlong (event: KeyboardEvent<HTMLElement>): void {
  const by = { ArrowUp: -1, ArrowDown: 1 }[event.key]
  if (by === undefined) return
  const prices = [...event.currentTarget.querySelectorAll<HTMLElement>('[data-take]')]
  const next = prices[prices.indexOf(document.activeElement as HTMLElement) + by]
  if (next === undefined) return
  event.preventDefault()
  next.focus()
}

function LevelRow ({ symbol, side, level: [price, size], most, isBest }: {
  readonly symbol: string
  readonly side: 'bid' | 'ask'
  readonly level: Level
  readonly most: number
  readonly isBest: boolean
}): ReactNode {
  const text = useWords(words)
  return (
    <tr data-price={price} data-size={size}>
      <td className={side === 'bid' ? 'up' : 'down'}>
        <button
          type='button' className='plain take' data-take tabIndex={isBest ? 0 : -1} title={text.take}
          onClick={() => { prefill({ symbol, side: side === 'bid' ? 'sell' : 'buy', price }) }}
        >
          {groupDigits(price)}
        </button>
      </td>
      <td className='number'>
        <span className='bar' data-side={side} style={{ width: `${100 * Number(size) / most}%` }} />
        <span className='over'>{groupDigits(size)}</span>
      </td>
    </tr>
  )
}
