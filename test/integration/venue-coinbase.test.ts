import { test } from 'tap'
import { type Message, openClient, until } from '../helpers/clients.js'
import { startServer } from '../helpers/server.js'
import { startVenue } from '../helpers/small-venue.js'

interface Request { readonly type: string, readonly product_ids: string[], readonly channels: string[] }

/** Frames as docs.cdp.coinbase.com has them (Exchange, WebSocket feed: channels and errors). */
const snapshot = (product: string): object =>
  ({ type: 'snapshot', product_id: product, bids: [['10101.10', '0.45054140']], asks: [['10102.55', '0.57753524']] })

test('Coinbase, live: reads each product by itself, and resyncs a book that differs from the ticker', async t => {
  const venue = await startVenue(t, {
    onRequest: ({ url }) => url === '/products'
      ? [200, [{ id: 'BTC-USD', quote_increment: '0.01', base_increment: '0.00000001', status: 'online' }]]
      : [404, {}],
    onMessage ({ type, product_ids: [product], channels }: Request, venue) {
      if (type !== 'subscribe') return
      if (product === 'NO-USD') {
        venue.send({ type: 'error', message: 'Failed to subscribe', reason: 'NO-USD is not a valid product' })
        return
      }
      venue.send({ type: 'subscriptions', channels: channels.map(name => ({ name, product_ids: [product] })) })
      if (channels.includes('level2_batch')) venue.send(snapshot(product!))
    }
  })
  const server = await startServer(t, { SOURCES: `coinbase:BTC-USD+NO-USD+ETH-USD?${venue.options}`, UNKNOWN_SYMBOLS: 'reject' })
  const messages: Message[] = []
  const client = openClient('ws-json', server.origin, 'subscribe=quotes:*&subscribe=trades:*&subscribe=book:*', undefined,
    { onMessage: message => { messages.push(message) }, onCursor: () => {} })
  t.teardown(() => { client.cut() })
  const books = (symbol: string): string => messages
    .filter(message => message.type === 'book' && message.symbol === symbol)
    .map(({ data }) => (data as { stale?: boolean }).stale === true ? 'stale' : 'good').join()
  await until('both books are there', () => ['BTC-USD', 'ETH-USD'].every(symbol => books(symbol) === 'stale,good'))
  t.equal(books('NO-USD'), 'stale')
  const match = {
    type: 'match',
    trade_id: 10,
    sequence: 50,
    maker_order_id: 'a',
    taker_order_id: 'b',
    time: '2014-11-07T08:19:27.028459Z',
    product_id: 'BTC-USD',
    size: '5.23512',
    price: '400.23',
    side: 'sell'
  }
  venue.send(match)
  venue.send({ ...match, trade_id: 13 })
  const ticker = {
    type: 'ticker',
    sequence: 1,
    product_id: 'BTC-USD',
    price: '10101.10',
    best_bid: '10101.10',
    best_ask: '10102.55',
    best_bid_size: '1',
    best_ask_size: '1',
    time: '2022-10-19T23:28:22.061769Z',
    trade_id: 13,
    last_size: '1'
  }
  venue.send({ ...ticker, best_bid: '9999' })
  await until('the quote is there', () => messages.some(({ type }) => type === 'quote'))
  // The book moves on without a trade: the ticker says what was, and the book had it.
  venue.send(ticker)
  venue.send({ type: 'l2update', product_id: 'BTC-USD', changes: [['buy', '10101.80', '0.1']], time: '2022-10-19T23:28:22.1Z' })
  const beats = setInterval(() => {
    venue.send({ type: 'heartbeat', sequence: 90, last_trade_id: 13, product_id: 'BTC-USD', time: '2022-10-19T23:28:23Z' })
  }, 200)
  t.teardown(() => { clearInterval(beats) })
  venue.send({ ...ticker, best_bid: '10101.90' })
  await until('it is stale, then good again', () => books('BTC-USD') === 'stale,good,good,stale,good')
  t.equal(books('ETH-USD'), 'stale,good', 'the other is untouched')
  t.same((venue.received as Request[]).filter(({ type }) => type === 'unsubscribe'), [
    { type: 'unsubscribe', product_ids: ['BTC-USD'], channels: ['level2_batch'] }
  ])
  const metrics = await (await fetch(`${server.origin}/metrics`)).text()
  t.match(metrics, /tickwire_venue_trades_missed_total\{source="coinbase"\} 2/)
  t.match(metrics, /tickwire_books_stale_total\{source="coinbase",reason="differs"\} 1/)
  const { symbols } = await (await fetch(`${server.origin}/v1/symbols?market=COINBASE`)).json() as { symbols: Array<{ symbol: string }> }
  t.match(symbols.find(({ symbol }) => symbol === 'BTC-USD'), { tick_size: '0.01', lot_size: '0.00000001', currency: 'USD' })
})
