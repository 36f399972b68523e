import { test } from 'tap'
import { type Message, openClient, until } from '../helpers/clients.js'
import { startServer } from '../helpers/server.js'
import { startVenue } from '../helpers/small-venue.js'

/** Frames as docs.upbit.com has them (WebSocket: Ticker, Trade, Orderbook; REST: list of pairs), as bytes. */
const orderbook = (bid: string): string =>
  `{"type":"orderbook","code":"KRW-BTC","timestamp":1746601573804,"total_ask_size":4.79158413,"total_bid_size":2.65609625,"orderbook_units":[{"ask_price":137002000.0,"bid_price":${bid},"ask_size":0.10623869,"bid_size":0.03656812},{"ask_price":137023000.0,"bid_price":1.36000000E8,"ask_size":0.06144079,"bid_size":0.33543284}],"stream_type":"REALTIME","level":0}`

test('Upbit, live: reads the market in won, whose books come whole each time', async t => {
  const venue = await startVenue(t, {
    isBinary: true,
    onRequest: ({ url }) => url === '/v1/market/all'
      ? [200, [{ market: 'KRW-BTC', korean_name: '비트코인', english_name: 'Bitcoin' }, { market: 'BTC-ETH' }]]
      : [404, {}]
  })
  const server = await startServer(t, { SOURCES: `upbit:BTC-KRW+NO-KRW?${venue.options}&depth=15`, UNKNOWN_SYMBOLS: 'reject' })
  const messages: Message[] = []
  const client = openClient('ws-json', server.origin, 'subscribe=quotes:*&subscribe=trades:*&subscribe=book:*&subscribe=market:UPBIT', undefined,
    { onMessage: message => { messages.push(message) }, onCursor: () => {} })
  t.teardown(() => { client.cut() })
  await venue.heard('a subscription', (message: unknown) => Array.isArray(message))
  t.match(venue.received[0], [
    { ticket: String }, { type: 'ticker', codes: ['KRW-BTC', 'KRW-NO'] }, { type: 'trade', is_only_realtime: true },
    { type: 'orderbook', codes: ['KRW-BTC.15', 'KRW-NO.15'] }, { format: 'DEFAULT' }
  ])
  venue.send('{"status":"UP"}')
  venue.send(orderbook('137001000.0'))
  venue.send('{"type":"ticker","code":"KRW-BTC","opening_price":137108000.00000000,"high_price":137800000.00000000,"low_price":136511000.00000000,"trade_price":136983000.00000000,"signed_change_price":-137000.00000000,"acc_trade_volume_24h":1530.68117860,"ask_bid":"BID","timestamp":1746601573804,"stream_type":"REALTIME"}')
  venue.send('{"type":"trade","code":"KRW-BTC","timestamp":1746601573830,"trade_timestamp":1746601573804,"trade_price":137002000.0,"trade_volume":0.00005833,"ask_bid":"BID","sequential_id":17466015738040000,"stream_type":"REALTIME"}')
  await until('the trade is there', () => messages.some(({ type }) => type === 'trade'))
  t.match(messages.find(({ type }) => type === 'trade')?.data, {
    symbol: 'BTC-KRW', price: '137002000.0', size: '0.00005833', side: 'buy', trade_id: '17466015738040000', timestamp: '2025-05-07T07:06:13.804Z', exchange: 'upbit'
  })
  t.match(messages.filter(({ type }) => type === 'quote').at(-1)?.data, {
    symbol: 'BTC-KRW', bid: '137001000.0', ask: '137002000.0', last: '136983000.00000000', change: '-137000.00000000'
  })
  const book = (): object[] => messages.filter(({ type, symbol }) => type === 'book' && symbol === 'BTC-KRW')
  t.match(book().at(-1), { snapshot: true, data: { bids: [['137001000.0', '0.03656812'], ['136000000', '0.33543284']] } })
  await until('the market is open', () => messages.filter(({ type }) => type === 'market_status').some(({ data }) => (data as { status: string }).status === 'open'))

  venue.send(orderbook('137002000.0'))
  await until('a crossed book is stale', () => (book().at(-1) as Message).data !== undefined && ((book().at(-1) as Message).data as { stale?: boolean }).stale === true)
  venue.send(orderbook('137000000.0'))
  await until('the next one is good', () => ((book().at(-1) as Message).data as { stale?: boolean }).stale !== true)
  await until('the symbol that it does not list is refused', () => server.parts.sources.feeds()[0]!.counts.refused === 1)
  const { symbols } = await (await fetch(`${server.origin}/v1/symbols?market=UPBIT`)).json() as { symbols: Array<{ symbol: string }> }
  t.match(symbols.find(({ symbol }) => symbol === 'BTC-KRW'), { currency: 'KRW', venue_symbol: 'KRW-BTC' })
})
