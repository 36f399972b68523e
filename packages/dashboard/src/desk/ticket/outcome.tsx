import type { ReactNode } from 'react'
import { useOrders } from '@tickwire/client/react'
import { useWords } from '../../app/preferences.js'
import { wordsOf } from '../../app/ask.js'
import { orderWords, wordFor } from '../orders/order-words.js'
import { ticketWords } from './ticket-words.js'

/** Says what became of the order that was sent last: in the server's words, if it was refused. */
export function Outcome ({ orderId, error }: {
  readonly orderId: string | undefined
  readonly error: Error | undefined
}): ReactNode {
  const [text, names] = [useWords(ticketWords), useWords(orderWords)]
  const order = useOrders().find(({ order_id: id }) => id === orderId)
  const status = wordFor(names, order?.status ?? 'pending_new')
  const reason = order?.reason === undefined ? '' : `: ${order.reason}`
  return (
    <>
      <p role='status' className={order?.status === 'rejected' ? 'problem' : 'faint'} data-outcome='sent'>
        {orderId !== undefined && `${text.outcome} ${status}${reason}`}
      </p>
      <p role='alert' className='problem' data-outcome='refused'>
        {error !== undefined && wordsOf(error)}
      </p>
    </>
  )
}
