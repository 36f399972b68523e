import type { Action } from '../schema/check.js'

/** A request over HTTP that does the same as an action. Its path is relative to the server's address. */
export interface Twin {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly body?: object
}

/** Stands in a path where the action names no order by its `order_id`. */
const ORDER_PLACE = 'ORDER_ID'

function orderPath ({ order_id: id }: Action): string {
  return `v1/orders/${id === undefined ? ORDER_PLACE : encodeURIComponent(String(id))}`
}

const topicOf = ({ channel, symbols }: Action): string =>
  Array.isArray(symbols) && symbols.length > 0 ? `${String(channel)}:${String(symbols[0])}` : String(channel)

/**
 * Returns the request that does the same over HTTP (PROTOCOL.md, REST); undefined: there is none, or the
 * request for the stream does it.
 */
export function twinOf (action: Action): Twin | undefined {
  const { action: name, id, ...fields } = action
  switch (name) {
    case 'publish': return { method: 'POST', path: 'v1/publish', body: (fields['messages'] ?? []) as object }
    case 'ack': return { method: 'POST', path: 'v1/ack', body: fields }
    case 'submit_order': return { method: 'POST', path: 'v1/orders', body: fields }
    case 'replace_order': {
      const { order_id: _order, client_order_id: _own, ...terms } = fields
      return { method: 'PATCH', path: orderPath(action), body: terms }
    }
    case 'cancel_order': {
      const { order_id: _order, client_order_id: _own, ...rest } = fields
      const query = new URLSearchParams(Object.entries(rest).map(([key, value]) => [key, String(value)]))
      return { method: 'DELETE', path: `${orderPath(action)}?${query}` }
    }
    case 'snapshot': {
      const topic = encodeURIComponent(topicOf(action)).replaceAll('%3A', ':')
      return { method: 'GET', path: `v1/snapshot?topic=${topic}` }
    }
    default: return undefined
  }
}
