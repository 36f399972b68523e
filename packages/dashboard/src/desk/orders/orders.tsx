import { type ReactNode, useState } from 'react'
import { useAction } from '@tickwire/client/react'
import { Panel } from '../../app/panel.js'
import { useIsStale } from '../../app/connection.js'
import { useUnlessFrozen } from '../../app/freeze.js'
import { useWords } from '../../app/preferences.js'
import { useActions } from '../actions.js'
import { wordsOf } from '../../app/ask.js'
import { ConfirmDialog } from '../confirm.js'
import { useLoginNeeded } from '../needs-login.js'
import { type Filter, FILTERS, isKnown, isOpen, useOrderList } from './order-list.js'
import { COLUMNS, OrderRow } from './order-row.js'
import { panelWords } from './panel-words.js'
import '../private.css'
import './orders.css'

export { FillsPanel } from './fills.js'

/** The orders of the user; those that are open can be canceled and replaced. */
export function OrdersPanel (): ReactNode {
  const text = useWords(panelWords)
  const needed = useLoginNeeded()
  if (needed !== undefined) return <Panel name='orders' title={text.orders} empty={needed} />
  return <Orders />
}

function Orders (): ReactNode {
  const text = useWords(panelWords)
  const [filter, setFilter] = useState<Filter>('open')
  const list = useOrderList(filter)
  const frozen = useUnlessFrozen({ ...list, filter })
  // Who looks at others on a frozen page gets them as they are now.
  const { items, more, problem, isRead } = frozen.filter === filter ? frozen : list
  const open = list.items.filter(order => isOpen(order) && isKnown(order))
  const empty = filter === 'open' ? text.noOpen : text.noOrders
  const isStale = useIsStale()
  return (
    <Panel
      name='orders' title={text.orders} isStale={isStale}
      tools={(
        <>
          <select
            aria-label={text.filter} value={filter}
            onChange={({ target }) => { setFilter(target.value as Filter) }}
          >
            {FILTERS.map(one => <option key={one} value={one}>{text[one]}</option>)}
          </select>
          <CancelAll orderIds={open.map(({ order_id: id }) => id)} />
        </>
      )}
    >
      {problem !== undefined && <p role='alert' className='problem'>{problem}</p>}
      {items.length === 0
        ? isRead && <p className='empty'>{empty}</p>
        : (
          <table>
            <thead>
              <tr>
                {COLUMNS.map(([name, kind]) => <th key={name} scope='col' className={kind}>{text[name]}</th>)}
              </tr>
            </thead>
            <tbody>{items.map(order => <OrderRow key={order.order_id} order={order} />)}</tbody>
          </table>
          )}
      {more && (
        <button type='button' className='older' onClick={() => { list.readMore() }}>{text.older}</button>
      )}
    </Panel>
  )
}

/** Cancels all orders that are open, one after another. */
function CancelAll ({ orderIds }: { readonly orderIds: readonly string[] }): ReactNode {
  const text = useWords(panelWords)
  const actions = useActions()
  const [isAsking, setIsAsking] = useState(false)
  const [cancel, { pending, error }] = useAction(async (ids: readonly string[]) => {
    const results = await Promise.allSettled(ids.map(async id => await actions.cancelOrder({ order_id: id })))
    const failed = results.find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
  })
  return (
    <>
      {error !== undefined && <span role='alert' className='problem'>{wordsOf(error)}</span>}
      <button
        type='button' className='danger' data-cancel-all disabled={orderIds.length === 0 || pending}
        onClick={() => { setIsAsking(true) }}
      >
        {text.cancelAll}
      </button>
      <ConfirmDialog
        title={text.cancelAllTitle} isOpen={isAsking} confirm={text.cancelAll}
        onConfirm={() => { void cancel(orderIds) }} onClose={() => { setIsAsking(false) }}
      >
        <p>{text.cancelAllOf(orderIds.length)}</p>
      </ConfirmDialog>
    </>
  )
}
