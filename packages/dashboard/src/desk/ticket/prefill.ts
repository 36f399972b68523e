import type { OrderType } from '@tickwire/protocol'
import { createStore } from '../../app/store.js'
import { select } from '../selection.js'
import { changeDraft, type Side } from './draft.js'

/** What another panel puts into the ticket. What is absent stays as it is, if the symbol is the same. */
export interface Prefill {
  readonly symbol: string
  readonly side: Side
  readonly price?: string
  readonly quantity?: string
  /** Absent: `limit` with a price, else `market`. */
  readonly type?: OrderType
}

/** Whether something was put into the ticket that has not taken the focus yet. */
export const isPrefilled = createStore(false)

/** Selects a symbol and puts an order into the ticket. Nothing is sent. */
export function prefill ({ symbol, side, price, quantity, type }: Prefill): void {
  select(symbol)
  changeDraft(symbol, {
    side,
    type: type ?? (price === undefined ? 'market' : 'limit'),
    ...(price === undefined ? {} : { limitPrice: price }),
    ...(quantity === undefined ? {} : { quantity })
  })
  isPrefilled.set(true)
}
