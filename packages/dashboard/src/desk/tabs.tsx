import { type KeyboardEvent, type ReactNode, useRef } from 'react'
import { useWords, type Words } from '../app/preferences.js'
import type { PanelName } from './panels.js'

/** The names of the panels, as tabs and choices show them. */
export const panelWords = {
  en: {
    watchlist: 'Watchlist',
    chart: 'Chart',
    heatmap: 'Heatmap',
    book: 'Book',
    trades: 'Trades',
    news: 'News',
    markets: 'Markets',
    ticket: 'Ticket',
    orders: 'Orders',
    positions: 'Positions',
    fills: 'Fills',
    portfolio: 'Portfolio',
    alerts: 'Alerts',
    strategies: 'Strategies'
  },
  ko: {
    watchlist: '관심 종목',
    chart: '차트',
    heatmap: '히트맵',
    book: '호가',
    trades: '체결',
    news: '뉴스',
    markets: '시장',
    ticket: '주문',
    orders: '주문 내역',
    positions: '보유 종목',
    fills: '체결 내역',
    portfolio: '포트폴리오',
    alerts: '알림',
    strategies: '전략'
  }
} satisfies Words<Record<PanelName, string>>

/** Chooses one of several panels; arrow keys move between the tabs. */
export function Tabs ({ names, shown, onChoose }: {
  readonly names: readonly PanelName[]
  readonly shown: PanelName
  readonly onChoose: (name: PanelName) => void
}): ReactNode {
  const text = useWords(panelWords)
  const list = useRef<HTMLDivElement>(null)
  const move = (event: KeyboardEvent): void => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (by === undefined) return
    event.preventDefault()
    const next = (names.indexOf(shown) + by + names.length) % names.length
    onChoose(names[next]!)
    list.current?.querySelectorAll<HTMLElement>('[role="tab"]')[next]?.focus()
  }
  return (
    <div ref={list} className='tabs' role='tablist' onKeyDown={move}>
      {names.map(name => (
        <button
          key={name} type='button' role='tab' data-tab={name} aria-selected={name === shown}
          tabIndex={name === shown ? 0 : -1} onClick={() => { onChoose(name) }}
        >
          {text[name]}
        </button>
      ))}
    </div>
  )
}
