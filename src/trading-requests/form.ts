import type { TSchema } from '@sinclair/typebox'
import type { TypeCheck } from '@sinclair/typebox/compiler'
import {
  type Instrument, type OrderType, ProtocolError, type SubmitOrder, type TimeInForce
} from '@tickwire/protocol'
import { Big } from 'big.js'

/** What is refused of a request before it makes an order; each error says what would be right. */

/** The numbers of a request. */
type Terms = Partial<Pick<SubmitOrder, 'quantity' | 'limit_price' | 'stop_price'>>

const PRICES = ['limit_price', 'stop_price'] as const
const PRICES_OF: Readonly<Record<OrderType, ReadonlyArray<typeof PRICES[number]>>> = {
  market: [],
  limit: ['limit_price'],
  stop: ['stop_price'],
  stop_limit: ['limit_price', 'stop_price']
}
const STANDS: readonly TimeInForce[] = ['day', 'gtc']

/** @throws ProtocolError `invalid_message`, which names the field and says what it must be */
export function demandFit (check: TypeCheck<TSchema>, request: unknown): void {
  if (check.Check(request)) return
  const first = check.Errors(request).First()
  const path = first?.path.slice(1) ?? ''
  const field = /^\w{1,64}$/.test(path) ? path : path === '' ? 'the request' : 'a field'
  const title = first?.schema.title
  throw invalid(field, title === undefined ? first?.message ?? 'does not fit' : `it must be ${title}`)
}

/** Demands the prices that an order has, and no other. @throws ProtocolError `invalid_message` */
export function demandPrices (type: OrderType, terms: Terms): void {
  demandOwnPrices(type, terms)
  for (const name of PRICES_OF[type]) {
    if (terms[name] === undefined) throw invalid(name, `an order of the type ${type} needs it`)
  }
}

/** Refuses prices that an order does not have. @throws ProtocolError `invalid_message` */
export function demandOwnPrices (type: OrderType, terms: Terms): void {
  const own = PRICES_OF[type]
  for (const name of PRICES) {
    if (terms[name] !== undefined && !own.includes(name)) {
      throw invalid(name, `an order of the type ${type} has none`)
    }
  }
}

/** A stop order waits, so it must be one that stands. @throws ProtocolError `invalid_message` */
export function demandStanding (type: OrderType, timeInForce: TimeInForce): void {
  if (!PRICES_OF[type].includes('stop_price') || STANDS.includes(timeInForce)) return
  const right = STANDS.join(' or ')
  throw invalid('time_in_force', `an order of the type ${type} waits for its price: it is ${right}`)
}

/**
 * Demands that the quantity is a multiple of the instrument's lot size, and each price one of its tick size.
 * @throws ProtocolError `invalid_message`
 */
export function demandMultiples (terms: Terms, instrument: Instrument | undefined): void {
  demandMultiple('quantity', terms.quantity, 'lot size', instrument?.lot_size)
  for (const name of PRICES) demandMultiple(name, terms[name], 'tick size', instrument?.tick_size)
}

function demandMultiple (
  field: string, value: string | undefined, what: string, size: string | undefined
): void {
  if (value === undefined || size === undefined) return
  const amount = new Big(value)
  const over = amount.mod(size)
  if (over.eq(0)) return
  const below = amount.minus(over)
  const above = below.plus(size).toFixed()
  const right = below.eq(0) ? `${above} is` : `${below.toFixed()} and ${above} are`
  throw invalid(field, `${value} is not a multiple of the ${what} ${size}; ${right}`)
}

export const invalid = (field: string, words: string): ProtocolError =>
  new ProtocolError('invalid_message', `${field}: ${words}`)
