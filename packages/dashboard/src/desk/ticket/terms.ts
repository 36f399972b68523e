import type { OrderInput } from '@tickwire/client/actions'
import type { OrderType, Quote, TimeInForce } from '@tickwire/protocol'
import { compareDecimals } from '@tickwire/protocol/decimal'
import { isMultiple, multiply, readDecimal } from '../../app/decimals.js'
import type { Words } from '../../app/preferences.js'
import type { Instrument } from '../instruments.js'
import type { Draft, TypedField } from './draft.js'

/** Bounds of the server on quantities and prices (PROTOCOL.md, Orders). */
const MOST_DIGITS = 15
const MOST_DECIMALS = 12

// No interface: only a type can be one of the words of a page.
type FaultText = Readonly<{
  missing: string
  number: string
  bounds: string
  step: (step: string) => string
}>

export const faultWords: Words<FaultText> = {
  en: {
    missing: 'Enter a number above 0.',
    number: 'This is no number.',
    bounds: `At most ${MOST_DIGITS} digits before the point and ${MOST_DECIMALS} after it.`,
    step: step => `It must be a multiple of ${step}.`
  },
  ko: {
    missing: '0보다 큰 수를 입력하십시오.',
    number: '숫자가 아닙니다.',
    bounds: `소수점 앞은 최대 ${MOST_DIGITS}자리, 뒤는 최대 ${MOST_DECIMALS}자리입니다.`,
    step: step => `${step}의 배수여야 합니다.`
  }
}

export const hasLimit = ({ type }: Draft): boolean => type === 'limit' || type === 'stop_limit'
export const hasStop = ({ type }: Draft): boolean => type === 'stop' || type === 'stop_limit'

export const ORDER_TYPES: readonly OrderType[] = ['market', 'limit', 'stop', 'stop_limit']

/** Returns the times in force that an order of a type may have: a stop order waits. */
export const timesFor = (type: OrderType): readonly TimeInForce[] =>
  type === 'stop' || type === 'stop_limit' ? ['day', 'gtc'] : ['day', 'gtc', 'ioc', 'fok']

/** Says what is wrong with a quantity or a price. @param step of which it must be a multiple */
export function amountFault (typed: string, step: string | undefined, text: FaultText): string | undefined {
  if (typed.trim() === '') return text.missing
  const value = readDecimal(typed)
  if (value === undefined) return text.number
  if (compareDecimals(value, '0') <= 0) return text.missing
  const [whole = '', part = ''] = value.split('.')
  if (whole.length > MOST_DIGITS || part.length > MOST_DECIMALS) return text.bounds
  return step === undefined || isMultiple(value, step) ? undefined : text.step(step)
}

export type Faults = Partial<Record<TypedField, string>>

/** Says what is wrong with an order, field by field. The server judges it again. */
export function faultsOf (draft: Draft, instrument: Instrument | undefined, text: FaultText): Faults {
  const { tick_size: tick, lot_size: lot } = instrument ?? {}
  const faults: Record<keyof Faults, string | undefined> = {
    quantity: amountFault(draft.quantity, lot, text),
    limitPrice: hasLimit(draft) ? amountFault(draft.limitPrice ?? '', tick, text) : undefined,
    stopPrice: hasStop(draft) ? amountFault(draft.stopPrice, tick, text) : undefined
  }
  return Object.fromEntries(Object.entries(faults).filter(([, fault]) => fault !== undefined))
}

/** Returns what is sent to the server. The draft must be without faults. */
export function orderOf (draft: Draft): OrderInput {
  return {
    symbol: draft.symbol,
    side: draft.side,
    order_type: draft.type,
    quantity: readDecimal(draft.quantity)!,
    time_in_force: draft.timeInForce,
    ...(hasLimit(draft) ? { limit_price: readDecimal(draft.limitPrice!)! } : {}),
    ...(hasStop(draft) ? { stop_price: readDecimal(draft.stopPrice)! } : {})
  }
}

/** Returns the price that an order is likely to get, or to reserve; undefined: nobody knows. */
function priceOf (draft: Draft, quote: Quote | undefined): string | undefined {
  if (hasLimit(draft)) return readDecimal(draft.limitPrice ?? '')
  if (hasStop(draft)) return readDecimal(draft.stopPrice)
  return (draft.side === 'buy' ? quote?.ask : quote?.bid) ?? quote?.last
}

/** Returns quantity times price; undefined as long as one of them is missing. */
export function valueOf (draft: Draft, quote: Quote | undefined): string | undefined {
  const [quantity, price] = [readDecimal(draft.quantity), priceOf(draft, quote)]
  return quantity === undefined || price === undefined ? undefined : multiply(quantity, price)
}
