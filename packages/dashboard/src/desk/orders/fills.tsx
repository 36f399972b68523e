import { type ReactNode, useEffect, useMemo, useState } from 'react'
import type { Order } from '@tickwire/protocol'
import { useClient } from '@tickwire/client/react'
import { useIsStale } from '../../app/connection.js'
import { formatTime, groupDigits } from '../../app/format.js'
import { useUnlessFrozen } from '../../app/freeze.js'
import { Panel } from '../../app/panel.js'
import { useWords } from '../../app/preferences.js'
import { useLoginNeeded } from '../needs-login.js'
import { type Pages, usePages, useReadTurn } from '../pages.js'
import { panelWords } from './panel-words.js'
import { SideOf } from './side.js'
import '../private.css'
import './orders.css'

/** How many fills that have come meanwhile are kept. */
const MOST_NEW = 500

interface Fill {
  readonly exec_id: string
  readonly symbol: string
  readonly side: string
  readonly quantity: string
  readonly price: string
  readonly fee?: string | undefined
  readonly currency?: string | undefined
  readonly time: string
}

interface FillsAnswer {
  readonly fills: readonly Fill[]
  readonly next: string | null
  readonly more: boolean
}

const fillsOf = ({ fills }: FillsAnswer): readonly Fill[] => fills
const newestFirst = (a: Fill, b: Fill): number => b.time < a.time ? -1 : 1

/** Returns the fill that a message of `orders` says; undefined: it says none. */
function fillOf (order: Order): Fill | undefined {
  const { exec_id: id, last_qty: quantity, last_price: price, updated_at: time = '', symbol, side } = order
  if (id === undefined || quantity === undefined || price === undefined) return undefined
  return { exec_id: id, symbol, side, quantity, price, fee: order.fee, currency: order.currency, time }
}

/** Returns the fills of the user, newest first: what the server had, page by page, and all since. */
function useFills (): Omit<Pages<Fill>, 'next'> {
  const client = useClient()
  const [arrived, setArrived] = useState<readonly Fill[]>([])
  const turn = useReadTurn('orders')
  const { items: read, ...rest } = usePages('v1/fills?limit=100', fillsOf, turn)
  useEffect(() => {
    setArrived([])
    const subscription = client.subscribe('orders')
    subscription.listen(event => {
      if (event.type === 'reset') return setArrived([])
      const fill = fillOf(event.data)
      if (fill !== undefined) setArrived(before => [fill, ...before].slice(0, MOST_NEW))
    })
    return subscription.close
  }, [client])
  const items = useMemo(() =>
    [...new Map([...read, ...arrived].map(fill => [fill.exec_id, fill])).values()].sort(newestFirst),
  [read, arrived])
  return { ...rest, items }
}

/** What was filled of the user's orders. */
export function FillsPanel (): ReactNode {
  const text = useWords(panelWords)
  const needed = useLoginNeeded()
  if (needed !== undefined) return <Panel name='fills' title={text.fills} empty={needed} />
  return <Fills />
}

function Fills (): ReactNode {
  const text = useWords(panelWords)
  const fills = useFills()
  const { items, more, problem, isRead } = useUnlessFrozen(fills)
  const isStale = useIsStale()
  return (
    <Panel name='fills' title={text.fills} isStale={isStale}>
      {problem !== undefined && <p role='alert' className='problem'>{problem}</p>}
      {items.length === 0
        ? isRead && <p className='empty'>{text.noFills}</p>
        : (
          <table>
            <thead>
              <tr>
                <th scope='col'>{text.time}</th>
                <th scope='col'>{text.symbol}</th>
                <th scope='col'>{text.side}</th>
                <th scope='col' className='number'>{text.quantity}</th>
                <th scope='col' className='number'>{text.price}</th>
                <th scope='col' className='number'>{text.fee}</th>
              </tr>
            </thead>
            <tbody>
              {items.map(fill => (
                <tr key={fill.exec_id} data-fill={fill.exec_id}>
                  <td>{formatTime(fill.time)}</td>
                  <td>{fill.symbol}</td>
                  <td><SideOf side={fill.side} /></td>
                  <td className='number'>{groupDigits(fill.quantity)}</td>
                  <td className='number'>{groupDigits(fill.price)} {fill.currency}</td>
                  <td className='number'>{groupDigits(fill.fee)}</td>
                </tr>
              ))}
            </tbody>
          </table>
          )}
      {more && (
        <button type='button' className='older' onClick={() => { fills.readMore() }}>{text.older}</button>
      )}
    </Panel>
  )
}
