import { type ReactNode, useState } from 'react'
import type { Order } from '@tickwire/protocol'
import { useAction } from '@tickwire/client/react'
import { formatTime, groupDigits } from '../../app/format.js'
import { useWords } from '../../app/preferences.js'
import { useActions } from '../actions.js'
import { wordsOf } from '../../app/ask.js'
import { ignoreDoubleClick } from '../confirm.js'
import { select } from '../selection.js'
import { isKnown, isOpen } from './order-list.js'
import { orderWords, wordFor } from './order-words.js'
import { panelWords } from './panel-words.js'
import { ReplaceForm } from './replace-form.js'
import { SideOf } from './side.js'

export const COLUMNS = [
  ['time', ''], ['symbol', ''], ['order', ''], ['filledOf', 'number'], ['price', 'number'],
  ['average', 'number'], ['status', ''], ['actions', 'actions']
] as const

/** Returns the prices of an order: the limit, and what triggers it. */
function pricesOf ({ limit_price: limit, stop_price: stop }: Order): string {
  const trigger = stop === undefined ? '' : `⚑ ${groupDigits(stop)}`
  return [limit === undefined ? '' : groupDigits(limit), trigger].filter(part => part !== '').join(' ') || '–'
}

export function OrderRow ({ order }: { readonly order: Order }): ReactNode {
  const [text, names] = [useWords(panelWords), useWords(orderWords)]
  const actions = useActions()
  const [isReplacing, setIsReplacing] = useState(false)
  const [cancel, { pending, error }] = useAction(async () =>
    await actions.cancelOrder({ order_id: order.order_id }))
  const named = `${wordFor(names, order.side)} ${groupDigits(order.quantity)} ${order.symbol}`
  const mayChange = isOpen(order) && isKnown(order) && order.status !== 'pending_cancel'
  const row = (
    <tr data-order={order.order_id} data-status={order.status}>
      <td>{order.created_at === undefined ? '–' : formatTime(order.created_at)}</td>
      <td>
        <button type='button' className='plain' onClick={() => { select(order.symbol) }}>
          {order.symbol}
        </button>
      </td>
      <td title={wordFor(names, order.time_in_force)}>
        <SideOf side={order.side} /> {wordFor(names, order.order_type)}
      </td>
      <td className='number'>{groupDigits(order.filled_qty)} / {groupDigits(order.quantity)}</td>
      <td className='number'>{pricesOf(order)}</td>
      <td className='number'>{groupDigits(order.avg_price)}</td>
      <td className='status-text'>
        {wordFor(names, order.status)}
        {order.reason !== undefined && <span className='faint reason'> {order.reason}</span>}
        {error !== undefined && <span role='alert' className='problem reason'> {wordsOf(error)}</span>}
      </td>
      <td className='actions'>
        {mayChange && (
          <>
            <button
              type='button' data-replace aria-label={text.replaceOf(named)} aria-expanded={isReplacing}
              onClick={() => { setIsReplacing(!isReplacing) }}
            >
              {text.replace}
            </button>
            <button
              type='button' className='danger' data-cancel aria-disabled={pending}
              aria-label={text.cancelOf(named)}
              onClick={event => {
                ignoreDoubleClick(event)
                if (!event.defaultPrevented) void cancel()
              }}
            >
              {text.cancel}
            </button>
          </>
        )}
      </td>
    </tr>
  )
  if (!mayChange || !isReplacing) return row
  return (
    <>
      {row}
      <tr>
        <td colSpan={COLUMNS.length}>
          <ReplaceForm order={order} named={named} onDone={() => { setIsReplacing(false) }} />
        </td>
      </tr>
    </>
  )
}
