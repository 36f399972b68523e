import type { OrderType, TimeInForce } from '@tickwire/protocol'
import { createStore } from '../../app/store.js'

export type Side = 'buy' | 'sell'

/** What the ticket has in its fields, as it was typed. */
export interface Draft {
  readonly symbol: string
  readonly side: Side
  readonly type: OrderType
  readonly quantity: string
  /** Undefined until the first quote, which gives it. */
  readonly limitPrice: string | undefined
  readonly stopPrice: string
  readonly timeInForce: TimeInForce
}

/** Which fields of a draft are typed. */
export type TypedField = 'quantity' | 'limitPrice' | 'stopPrice'

const FIRST: Draft = {
  symbol: '',
  side: 'buy',
  type: 'limit',
  quantity: '',
  limitPrice: undefined,
  stopPrice: '',
  timeInForce: 'day'
}

export const draft = createStore(FIRST)

/** Returns the draft for a symbol. Prices and quantities of another symbol mean nothing for it. */
export function draftFor (symbol: string, held: Draft): Draft {
  const { side, type, timeInForce } = held
  return held.symbol === symbol ? held : { ...FIRST, symbol, side, type, timeInForce }
}

export function changeDraft (symbol: string, change: Partial<Omit<Draft, 'symbol'>>): void {
  draft.set({ ...draftFor(symbol, draft.get()), ...change })
}
