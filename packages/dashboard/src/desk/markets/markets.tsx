import type { ReactNode } from 'react'
import type { MarketStatus } from '@tickwire/protocol'
import { formatTime } from '../../app/format.js'
import { Panel } from '../../app/panel.js'
import { useWords, type Words } from '../../app/preferences.js'
import { useInstruments } from '../instruments.js'
import { useStatuses } from './statuses.js'
import './markets.css'

const words = {
  en: {
    title: 'Markets',
    empty: 'No market yet.',
    market: 'Market',
    status: 'Status',
    until: 'Until',
    instruments: 'Symbols',
    unknown: 'open all the time',
    pre_open: 'opens soon',
    open: 'open',
    halted: 'halted',
    closed: 'closed',
    stale: 'feed is dead'
  },
  ko: {
    title: '시장',
    empty: '아직 시장이 없습니다.',
    market: '시장',
    status: '상태',
    until: '까지',
    instruments: '종목 수',
    unknown: '상시 개장',
    pre_open: '개장 전',
    open: '개장',
    halted: '거래 정지',
    closed: '폐장',
    stale: '시세 중단'
  }
} satisfies Words<Record<MarketStatus['status'] | string, string>>

/** Shows which market trades. */
export function MarketsPanel (): ReactNode {
  const text = useWords(words)
  const statuses = useStatuses()
  const counts = new Map<string, number>()
  for (const { market } of useInstruments()?.values() ?? []) {
    if (market !== undefined) counts.set(market, (counts.get(market) ?? 0) + 1)
  }
  const markets = [...new Set([...counts.keys(), ...statuses.keys()])].sort()
  return (
    <Panel name='markets' title={text.title} empty={markets.length === 0 ? text.empty : undefined}>
      <table>
        <thead>
          <tr>
            <th scope='col'>{text.market}</th>
            <th scope='col'>{text.status}</th>
            <th scope='col'>{text.until}</th>
            <th scope='col' className='number'>{text.instruments}</th>
          </tr>
        </thead>
        <tbody>
          {markets.map(market => {
            const { status, reason, until } = statuses.get(market) ?? {}
            return (
              <tr key={market} data-market={market} data-status={status}>
                <th scope='row'>{market}</th>
                <td title={reason}><span className='market-status'>{text[status ?? 'unknown']}</span></td>
                <td>{until === undefined ? '' : formatTime(until)}</td>
                <td className='number'>{counts.get(market) ?? 0}</td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </Panel>
  )
}
