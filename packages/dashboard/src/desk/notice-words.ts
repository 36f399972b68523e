import type { Alert, Order } from '@tickwire/protocol'
import { groupDigits } from '../app/format.js'
import type { Notice } from '../app/notices.js'
import { type Language, language } from '../app/preferences.js'
import { orderWords, wordFor } from './orders/order-words.js'

interface NoticeText {
  /** An order, as people say it: “Buy 0.1 BTC-USD”. */
  readonly order: (side: string, quantity: string, symbol: string) => string
  readonly fill: (quantity: string, price: string) => string
  readonly whole: string
  readonly part: (left: string) => string
  readonly alert: string
}

const words: Readonly<Record<Language, NoticeText>> = {
  en: {
    order: (side, quantity, symbol) => `${side} ${quantity} ${symbol}`,
    fill: (quantity, price) => `${quantity} at ${price}`,
    whole: 'filled',
    part: left => `partly filled, ${left} left`,
    alert: 'Alert'
  },
  ko: {
    order: (side, quantity, symbol) => `${symbol} ${quantity} ${side}`,
    fill: (quantity, price) => `${price}에 ${quantity}`,
    whole: '전량 체결',
    part: left => `일부 체결, 잔량 ${left}`,
    alert: '알림'
  }
}

export type Said = Pick<Notice, 'text' | 'kind'>

const KINDS: Readonly<Record<string, Notice['kind']>> = {
  new: 'info', replaced: 'info', canceled: 'info', expired: 'info', rejected: 'bad'
}

/** Says a message of `orders` in the language of the page; undefined: it is not worth a notice. */
export function sayOrder (order: Order): Said | undefined {
  const text = words[language.get()]
  const names = orderWords[language.get()]
  const { status, reason, exec_id: execId, last_qty: quantity, last_price: price } = order
  const named = text.order(wordFor(names, order.side), groupDigits(order.quantity), order.symbol)
  if (execId !== undefined) {
    const what = status === 'filled' ? text.whole : text.part(groupDigits(order.leaves_qty))
    const fill = text.fill(groupDigits(quantity), groupDigits(price))
    return { kind: 'good', text: `${named}: ${what} (${fill})` }
  }
  const kind = KINDS[status]
  // With a reason it says something whatever the status is, such as that it is too late to cancel.
  if (kind === undefined && reason === undefined) return undefined
  const why = reason === undefined ? '' : `: ${reason}`
  return { kind: kind ?? 'info', text: `${named}: ${wordFor(names, status)}${why}` }
}

export const sayAlert = ({ message }: Alert): Said =>
  ({ kind: 'info', text: `${words[language.get()].alert}: ${message}` })
