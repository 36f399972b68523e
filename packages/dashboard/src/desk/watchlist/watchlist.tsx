import { type KeyboardEvent, type ReactNode, useEffect, useMemo, useRef, useState } from 'react'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useClient } from '@tickwire/client/react'
import { useIsStale } from '../../app/connection.js'
import { Panel } from '../../app/panel.js'
import { useWords, type Words } from '../../app/preferences.js'
import { useStore } from '../../app/store.js'
import { useInstruments } from '../instruments.js'
import { useStatuses } from '../markets/statuses.js'
import { select, useSelected } from '../selection.js'
import { ALL, type Choice, choose, COLUMNS, type SortColumn } from './order.js'
import { QuoteBoard } from './quote-board.js'
import { Row } from './row.js'
import { Sparklines } from './sparkline.js'
import './watchlist.css'

const words = {
  en: {
    title: 'Watchlist',
    empty: 'No symbols yet.',
    none: 'No symbol is like this.',
    filter: 'Filter',
    market: 'Market',
    sector: 'Sector',
    all: 'all',
    symbol: 'Symbol',
    last: 'Last',
    change: 'Change',
    volume: 'Volume',
    spark: 'Hour',
    sort: 'sort by it'
  },
  ko: {
    title: '관심 종목',
    empty: '아직 종목이 없습니다.',
    none: '조건에 맞는 종목이 없습니다.',
    filter: '검색',
    market: '시장',
    sector: '업종',
    all: '전체',
    symbol: '종목',
    last: '현재가',
    change: '등락률',
    volume: '거래량',
    spark: '1시간',
    sort: '정렬'
  }
} satisfies Words<Record<string, string>>

const ROW_PX = 40
const OVERSCAN = 6
const CLASSES = { symbol: '', last: 'number', change: 'number', volume: 'number wide' } as const
const ARROWS = { ascending: ' ↑', descending: ' ↓' } as const

/** All symbols with their prices, sorted and filtered as a person likes. */
export function WatchlistPanel (): ReactNode {
  const text = useWords(words)
  const client = useClient()
  const instruments = useInstruments()
  const [choice, setChoice] = useState<Choice>(ALL)
  const board = useMemo(() => new QuoteBoard(), [])
  const sparklines = useMemo(() => new Sparklines(client), [client])
  useEffect(() => board.follow(client), [board, client])
  const order = useStore(board.order)
  const chosen = useMemo(
    () => choose(instruments?.values() ?? [], board, choice),
    // The rows are changed in place; `order` says so.
    [instruments, board, choice, order]
  )
  const selected = useSelected()
  const first = instruments?.keys().next().value
  useEffect(() => {
    if (selected === undefined && first !== undefined) select(first)
  }, [selected, first])

  const valuesOf = (field: 'market' | 'sector'): readonly string[] =>
    [...new Set([...instruments?.values() ?? []].flatMap(instrument => instrument[field] ?? []))].sort()
  const selectOf = (field: 'market' | 'sector'): ReactNode => (
    <select
      aria-label={text[field]} name={field} value={choice[field]}
      onChange={({ target }) => { setChoice({ ...choice, [field]: target.value }) }}
    >
      <option value=''>{text[field]}: {text.all}</option>
      {valuesOf(field).map(value => <option key={value} value={value}>{value}</option>)}
    </select>
  )
  const sortBy = (column: SortColumn): void => {
    const isSame = choice.sortBy === column
    const isDescending = isSame ? !choice.isDescending : column !== 'symbol'
    setChoice({ ...choice, sortBy: column, isDescending })
  }
  const empty = instruments === undefined || instruments.size === 0
    ? text.empty
    : chosen.length === 0 ? text.none : undefined
  return (
    <Panel
      name='watchlist' title={text.title} isStale={useIsStale()} empty={empty} tools={
        <>
          <input
            type='search' name='filter' aria-label={text.filter} placeholder={text.filter} value={choice.text}
            onChange={({ target }) => { setChoice({ ...choice, text: target.value }) }}
          />
          {selectOf('market')}{selectOf('sector')}
        </>
      }
    >
      <List
        board={board} sparklines={sparklines} chosen={chosen} choice={choice} onSort={sortBy} text={text}
      />
    </Panel>
  )
}

function List ({ board, sparklines, chosen, choice, onSort, text }: {
  readonly board: QuoteBoard
  readonly sparklines: Sparklines
  readonly chosen: ReturnType<typeof choose>
  readonly choice: Choice
  readonly onSort: (column: SortColumn) => void
  readonly text: typeof words.en
}): ReactNode {
  const scroller = useRef<HTMLDivElement>(null)
  const selected = useSelected()
  const statuses = useStatuses()
  const virtual = useVirtualizer({
    count: chosen.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: OVERSCAN
  })
  const direction = choice.isDescending ? 'descending' : 'ascending'
  const items = virtual.getVirtualItems()
  const [before, after] = [items[0]?.start ?? 0, virtual.getTotalSize() - (items.at(-1)?.end ?? 0)]

  const move = (event: KeyboardEvent): void => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key]
    if (by === undefined || chosen.length === 0) return
    event.preventDefault()
    const at = chosen.findIndex(({ symbol }) => symbol === selected)
    const next = Math.min(chosen.length - 1, Math.max(0, at + by))
    const { symbol } = chosen[next]!
    select(symbol)
    virtual.scrollToIndex(next)
    requestAnimationFrame(() => {
      scroller.current?.querySelector<HTMLElement>(`[data-symbol="${CSS.escape(symbol)}"] button`)?.focus()
    })
  }
  return (
    <div
      ref={scroller} className='watchlist' tabIndex={0} onKeyDown={move} aria-label={text.title} role='group'
    >
      <table aria-rowcount={chosen.length + 1}>
        <thead>
          <tr>
            {COLUMNS.map(column => (
              <th
                key={column} scope='col' className={CLASSES[column]}
                aria-sort={column === choice.sortBy ? direction : 'none'}
              >
                <button type='button' className='plain' title={text.sort} onClick={() => { onSort(column) }}>
                  {text[column]}{column === choice.sortBy ? ARROWS[direction] : ''}
                </button>
              </th>
            ))}
            <th scope='col' className='spark'>{text.spark}</th>
          </tr>
        </thead>
        <tbody>
          <Gap height={before} />
          {items.map(({ index }) => {
            const { symbol, name, market } = chosen[index]!
            return (
              <Row
                key={symbol} board={board} sparklines={sparklines} symbol={symbol} name={name} index={index}
                isSelected={symbol === selected} isStale={statuses.get(market ?? '')?.status === 'stale'}
              />
            )
          })}
          <Gap height={after} />
        </tbody>
      </table>
    </div>
  )
}

/** Stands for the rows above or below those that can be seen. */
const Gap = ({ height }: { readonly height: number }): ReactNode => height === 0
  ? null
  : <tr aria-hidden='true'><td colSpan={4} style={{ height, padding: 0 }} /></tr>
