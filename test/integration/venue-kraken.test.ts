import { test } from 'tap'
import { type Message, openClient, until } from '../helpers/clients.js'
import { startServer } from '../helpers/server.js'
import { type SmallVenue, startVenue } from '../helpers/small-venue.js'
import { krakenChecksum } from '../venues/protocols/kraken.js'

interface Request {
  readonly method: string
  readonly params: { readonly channel: string, readonly symbol: string[], readonly snapshot?: boolean }
}

type Level = readonly [price: string, size: string]

/**
 * Frames as docs.kraken.com has them (Spot WebSocket v2: Book, Ticker, Trades, Instruments). Numbers are
 * written as they stand, because the checksum is of the digits.
 */
const BIDS: readonly Level[] = [['0.9', '1.00000000'], ['0.8', '1.00000000'], ['0.7', '1.00000000']]
const ASKS: readonly Level[] = [['1.0', '1.00000000'], ['1.1', '2.50000000']]

const json = (levels: readonly Level[]): string =>
  `[${levels.map(([price, qty]) => `{"price":${price},"qty":${qty}}`).join(',')}]`
const frame = (
  type: string, symbol: string, asks: readonly Level[], bids: readonly Level[], sum: number
): string =>
  `{"channel":"book","type":"${type}","data":[{"symbol":"${symbol}","bids":${json(bids)},"asks":${json(asks)},"checksum":${sum}}]}`
const snapshot = (symbol: string): string => frame('snapshot', symbol, ASKS, BIDS, krakenChecksum({ asks: ASKS, bids: BIDS }))

const acknowledge = (channel: string, symbol: string): object =>
  ({ method: 'subscribe', success: true, result: { channel, symbol, ...(channel === 'book' ? { depth: 10 } : {}) } })

/** Answers subscriptions as Kraken does; it does not have NO/PE. */
function answer ({ method, params: { channel, symbol } }: Request, venue: SmallVenue): void {
  if (method !== 'subscribe') return
  for (const pair of symbol ?? []) {
    if (pair === 'NO/PE') {
      venue.send({ error: 'Currency pair not supported NO/PE', method, success: false, symbol: pair })
      continue
    }
    venue.send(acknowledge(channel, pair))
    if (channel === 'book') venue.send(snapshot(pair))
  }
  if (channel === 'instrument') {
    venue.send('{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[' +
      '{"symbol":"BTC/USD","price_increment":0.1,"qty_increment":1e-08},{"symbol":"OTHER/USD","price_increment":1}]}}')
  }
}

const statuses = (messages: readonly Message[]): unknown[] =>
  messages.filter(({ type }) => type === 'market_status').map(({ data }) => (data as { status: string }).status)

/** What a client was sent of a book: its kind, and its newest best ask. */
const books = (messages: readonly Message[], symbol: string): string[] =>
  messages.filter(message => message.type === 'book' && message.symbol === symbol).map(message => {
    const { stale, asks } = message.data as { stale?: boolean, asks: Level[] }
    return stale === true ? 'stale' : `${message.snapshot === true ? 'snapshot' : 'update'} ${asks[0]?.join('@')}`
  })

test('Kraken, live: reads quotes, trades and books while somebody subscribes, and resyncs one book alone', async t => {
  const venue = await startVenue(t, { onMessage: answer })
  const server = await startServer(t, { SOURCES: `kraken:BTC-USD+ETH-USD+NO-PE?${venue.options}`, UNKNOWN_SYMBOLS: 'reject' })
  const listed = await (await fetch(`${server.origin}/v1/symbols?market=KRAKEN`)).json() as { symbols: object[] }
  t.match(listed.symbols.find(({ symbol }: { symbol?: string }) => symbol === 'ETH-USD'),
    { market: 'KRAKEN', currency: 'USD', venue_symbol: 'ETH/USD' })
  t.equal(venue.opened, 0, 'nobody subscribes, so nothing is connected')

  const messages: Message[] = []
  const client = openClient('ws-json', server.origin, 'subscribe=quotes:*&subscribe=trades:*&subscribe=book:*&subscribe=market:KRAKEN', undefined,
    { onMessage: message => { messages.push(message) }, onCursor: () => {} })
  t.teardown(() => { client.cut() })
  await until('both books are there', () => ['BTC-USD', 'ETH-USD'].every(symbol => books(messages, symbol).includes('snapshot 1.0@1.00000000')))
  await until('the market is open', () => statuses(messages).at(-1) === 'open')
  t.equal(venue.opened, 1)
  t.same(books(messages, 'NO-PE'), ['stale'], 'the others go on without a symbol that the venue refuses')

  venue.send('{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":0.90,"bid_qty":1.00000000,"ask":1.0,"ask_qty":2,"last":0.95,"volume":12.50,"low":0.1,"high":2,"change":-0.05,"change_pct":-5.00,"timestamp":"2026-01-01T00:00:00.123456Z"}]}')
  venue.send('{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":0.950,"qty":0.10,"ord_type":"market","trade_id":4665906,"timestamp":"2026-01-01T00:00:00.123456Z"}]}')
  await until('the trade is there', () => messages.some(({ type }) => type === 'trade'))
  t.match(messages.find(({ type }) => type === 'quote')?.data, { symbol: 'BTC-USD', bid: '0.90', ask: '1.0', last: '0.95', change_percent: '-5.00' })
  const trade = messages.find(({ type }) => type === 'trade')?.data as { received_at: string }
  t.match(trade, { symbol: 'BTC-USD', price: '0.950', size: '0.10', side: 'sell', trade_id: '4665906', exchange: 'kraken', timestamp: '2026-01-01T00:00:00.123456Z' })
  t.match(trade.received_at, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)

  const before = venue.received.length
  const known = books(messages, 'BTC-USD').length
  venue.send(frame('update', 'BTC/USD', [['1.0', '5.00000000']], [], 1))
  await until('it is stale, then good again', () =>
    books(messages, 'BTC-USD').slice(known).join() === 'stale,snapshot 1.0@1.00000000')
  t.match(venue.received.slice(before), [
    { method: 'unsubscribe', params: { channel: 'book', symbol: ['BTC/USD'] } },
    { method: 'subscribe', params: { channel: 'book', symbol: ['BTC/USD'] } }
  ])
  t.notOk(books(messages, 'ETH-USD').slice(1).includes('stale'), 'the other book is untouched')

  const { symbols } = await (await fetch(`${server.origin}/v1/symbols?market=KRAKEN`)).json() as { symbols: Array<{ symbol: string }> }
  t.match(symbols.find(({ symbol }) => symbol === 'BTC-USD'), { tick_size: '0.1', lot_size: '0.00000001' })

  const metrics = await (await fetch(`${server.origin}/metrics`)).text()
  t.match(metrics, /tickwire_venue_connections\{source="kraken"\} 1/)
  t.match(metrics, /tickwire_venue_symbols_refused_total\{source="kraken"\} 1/)
  t.match(metrics, /tickwire_books_stale_total\{source="kraken",reason="checksum"\} 1/)

  const cutAt = messages.length
  venue.sockets[0]!.terminate()
  await until('the market is stale, and open again', () =>
    statuses(messages.slice(cutAt)).join() === 'stale,open')
  for (const symbol of ['BTC-USD', 'ETH-USD']) {
    await until(`${symbol} is good again`, () =>
      books(messages.slice(cutAt), symbol).join() === 'stale,snapshot 1.0@1.00000000')
  }
  const trades = venue.received.filter(message => (message as Request).params.channel === 'trade') as Request[]
  t.same(trades.map(({ params }) => params.snapshot), [false, true], 'after a cut it asks for the trades that it missed')
  t.same(trades[1]!.params.symbol, ['BTC/USD', 'ETH/USD'], 'it does not ask again for what the venue does not have')
})

test('Kraken, live: ends its connection some time after the last subscriber', async t => {
  const venue = await startVenue(t, { onMessage: answer })
  const server = await startServer(t, { SOURCES: `kraken:BTC-USD?lazy=0.5&suffix=.KRAKEN&${venue.options}` })
  let messages = 0
  const events = { onMessage: () => { messages++ }, onCursor: () => {} }
  const askedAt = performance.now()
  const client = openClient('sse', server.origin, 'subscribe=book:BTC-USD.KRAKEN', undefined, events)
  await until('the book is there', () => messages >= 2)
  t.comment(`the book came ${Math.round(performance.now() - askedAt)} ms after the subscription`)
  client.cut()
  await until('nothing is connected', () => venue.sockets.length === 0)
  const state = async (topic: string): Promise<unknown> =>
    await (await fetch(`${server.origin}/v1/snapshot?topic=${topic}`)).json()
  await until('the source has ended', () => server.parts.sources.status()[0]!.state === 'waiting')
  t.match(await state('book:BTC-USD.KRAKEN'), { data: { stale: true, asks: [] } }, 'nobody follows it any more')
  t.match(await state('market:KRAKEN'), { data: { status: 'stale' } })
  const again = openClient('sse', server.origin, 'subscribe=market:KRAKEN', undefined, events)
  t.teardown(() => { again.cut() })
  await venue.connected(2)
  t.pass('a subscriber to the market alone is one, too')
})

test('refuses a second source of a symbol, unless a suffix tells them apart', async t => {
  const venue = await startVenue(t, {})
  const two = (suffix: string): string => `coinbase:BTC-USD?${venue.options},kraken:BTC-USD?${suffix}${venue.options}`
  await t.rejects(startServer(t, { SOURCES: two('') }), /coinbase and kraken both bring BTC-USD.*suffix=\.KRAKEN/)
  const server = await startServer(t, { SOURCES: two('suffix=.KRAKEN&') })
  const { symbols } = await (await fetch(`${server.origin}/v1/symbols`)).json() as { symbols: Array<{ symbol: string }> }
  t.same(symbols.map(({ symbol }) => symbol).sort(), ['BTC-USD', 'BTC-USD.KRAKEN'])
})
