/** An order as the exchange keeps it in `open_orders`; alice's, accepted with the year 2026. */
export const openOrder = (id: string, more: object = {}): object => ({
  user: 'alice',
  number: 1,
  order_id: id,
  client_order_id: `client-${id}`,
  symbol: 'AAPL',
  side: 'buy',
  order_type: 'limit',
  time_in_force: 'gtc',
  quantity: '5',
  limit_price: '186',
  currency: 'USD',
  status: 'new',
  filled_qty: '0',
  notional: '0',
  decimals: 0,
  fills: 0,
  reserved: '10.5',
  fee_rate: '0.001',
  created_at: '2026-01-01T00:00:00.001Z',
  ...more
})
