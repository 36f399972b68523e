import type { ReactNode } from 'react'
import { useTrades } from '@tickwire/client/react'
import { arrowOf, formatTime, groupDigits } from '../../app/format.js'
import { useUnlessFrozen } from '../../app/freeze.js'
import { Panel } from '../../app/panel.js'
import { useWords, type Words } from '../../app/preferences.js'
import { useIsStale } from '../../app/connection.js'
import { useSelected } from '../selection.js'

const words = {
  en: {
    title: 'Trades',
    empty: 'No trades yet.',
    time: 'Time',
    price: 'Price',
    size: 'Size',
    buy: 'bought',
    sell: 'sold',
    corrected: 'corrects another trade'
  },
  ko: {
    title: '체결',
    empty: '아직 체결이 없습니다.',
    time: '시각',
    price: '가격',
    size: '수량',
    buy: '매수',
    sell: '매도',
    corrected: '정정 체결'
  }
} satisfies Words<Record<string, string>>

const SHOWN = 60
const SIGNS = { buy: 1, sell: -1 } as const
const CLASSES = { buy: 'up', sell: 'down' } as const

/** The newest trades of the selected symbol. */
export function TradesPanel (): ReactNode {
  const selected = useSelected()
  return selected === undefined ? <Empty /> : <Tape symbol={selected} />
}

function Empty (): ReactNode {
  const text = useWords(words)
  return <Panel name='trades' title={text.title} empty={text.empty} />
}

function Tape ({ symbol }: { readonly symbol: string }): ReactNode {
  const text = useWords(words)
  const isStale = useIsStale()
  const trades = useUnlessFrozen(useTrades(symbol, { limit: SHOWN }))
  if (trades.length === 0) return <Empty />
  return (
    <Panel name='trades' title={text.title} isStale={isStale}>
      <table>
        <thead>
          <tr>
            <th scope='col'>{text.time}</th>
            <th scope='col' className='number'>{text.price}</th>
            <th scope='col' className='number'>{text.size}</th>
          </tr>
        </thead>
        <tbody>
          {trades.map(({ sequence, data: { price, size, side, timestamp, corrects } }) => (
            <tr
              key={sequence} data-sequence={sequence}
              title={corrects === undefined ? undefined : text.corrected}
            >
              <td className='faint'>{formatTime(timestamp)}{corrects === undefined ? '' : ' *'}</td>
              <td className={`number ${side === undefined ? '' : CLASSES[side]}`}>
                {side !== undefined &&
                  <span role='img' aria-label={text[side]}>{arrowOf(SIGNS[side])} </span>}
                {groupDigits(price)}
              </td>
              <td className='number'>{groupDigits(size)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  )
}
