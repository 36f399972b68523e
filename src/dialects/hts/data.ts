import type { Alert, Book, Order, Quote, StrategyMessage } from '@tickwire/protocol'
import { isoTime } from '../../hub/iso-time.js'

/**
 * What clients of `/api/ws` are told of prices, orders and so on, as JSON text (docs/compat.md). They read
 * numbers: a decimal is written without its quotes, with all its digits. What a source does not know is left
 * out.
 */

type Field = readonly [name: string, json: string | undefined]

const object = (fields: readonly Field[]): string =>
  `{${fields.flatMap(([name, json]) => json === undefined ? [] : `"${name}":${json}`).join(',')}}`

const text = (value: string | undefined): string | undefined =>
  value === undefined ? undefined : JSON.stringify(value)

/** Returns the data of `price_update`; undefined if the source has said no price. */
export function priceUpdate (payload: string, timestamp: number): string | undefined {
  const { last, change, change_percent: percent, volume, venue_time: time } = JSON.parse(payload) as Quote
  if (last === undefined) return undefined
  return object([
    ['price', last],
    ['change', change],
    ['change_percent', percent],
    ['volume', volume],
    ['timestamp', text(time ?? isoTime(timestamp))]
  ])
}

/** Returns the data of `price`; undefined if the source has said no price. */
export function presentPrice (payload: string, timestamp: number): string | undefined {
  const { last, open, high, low, volume, venue_time: time } = JSON.parse(payload) as Quote
  if (last === undefined) return undefined
  return object([
    ['price', last],
    ['open', open],
    ['high', high],
    ['low', low],
    ['volume', volume],
    ['timestamp', text(time ?? isoTime(timestamp))]
  ])
}

/** Returns the data of `order_update`. Where nothing is filled yet, its price is 0, as its quantity is. */
export const orderUpdate = ({ order_id: id, status, filled_qty: quantity, avg_price: price = '0' }: Order) =>
  object([
    ['order_id', text(id)],
    ['status', text(status)],
    ['filled_quantity', quantity],
    ['filled_price', price]
  ])

/** Returns the data of `strategy_signal`; undefined for a message without a signal. */
export function strategySignal (message: StrategyMessage): string | undefined {
  const { signal, symbol, quantity, reason } = message
  if (signal === undefined) return undefined
  return object([
    ['signal', text(signal)],
    ['symbol', text(symbol)],
    ['quantity', quantity],
    ['reason', text(reason)]
  ])
}

const levels = (side: Book['bids']): string =>
  `[${side.map(([price, size]) => `{"price":${price},"quantity":${size}}`).join(',')}]`

/** Returns the data of `orderbook_update`: the levels that the book holds now. */
export const orderBook = ({ bids, asks }: Book, timestamp: number): string => object([
  ['bids', levels(bids)],
  ['asks', levels(asks)],
  ['timestamp', text(isoTime(timestamp))]
])

/** Returns the data of `alert`. */
export const alertData = (alert: Alert): string => object([
  ['alert_id', text(alert.alert_id)],
  ['alert_type', text(alert.type)],
  ['symbol', text(alert.symbol)],
  ['value', alert.value],
  ['message', text(alert.message)],
  ['timestamp', text(alert.triggered_at)]
])
