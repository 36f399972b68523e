import type { Schemas } from './schemas.js'

/** What a template is filled with. */
export interface Filling {
  readonly symbol: string
  readonly cursor: string | undefined
  readonly epoch: string | undefined
  readonly id: number
}

const BUILT_IN: Readonly<Record<string, (filling: Filling) => object>> = {
  subscribe: ({ symbol }) => ({ channel: 'quotes', symbols: [symbol] }),
  unsubscribe: ({ symbol }) => ({ channel: 'quotes', symbols: [symbol] }),
  snapshot: ({ symbol }) => ({ channel: 'quotes', symbols: [symbol] }),
  auth: () => ({ token: '' }),
  publish: ({ symbol }) => ({
    messages: [{ channel: 'quotes', symbol, data: { symbol, bid: '100.10', ask: '100.20' } }]
  }),
  ack: () => ({ channel: 'orders', sequence: 1 }),
  submit_order: ({ symbol, id }) => ({
    client_order_id: `console-${id}`, symbol, side: 'buy', order_type: 'market', quantity: '1'
  }),
  cancel_order: ({ id }) => ({ request_id: `console-${id}`, order_id: '' }),
  replace_order: ({ id }) => ({ request_id: `console-${id}`, order_id: '', quantity: '2' })
}

/** Returns a message to begin with. */
export function templateOf (action: string, schemas: Schemas, filling: Filling): string {
  const required = schemas.actions[action]?.required ?? []
  const others = Object.fromEntries(required.filter(name => name !== 'action').map(name => [name, '']))
  const fields = BUILT_IN[action]?.(filling) ?? others
  return JSON.stringify({ action, id: filling.id, ...fields }, null, 2)
    .replace(/\[\s+("[^"]*")\s+\]/g, '[$1]')
}
