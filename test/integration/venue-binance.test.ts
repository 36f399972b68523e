import { test } from 'tap'
import { type Message, openClient, until } from '../helpers/clients.js'
import { startServer } from '../helpers/server.js'
import { type Answer, startVenue } from '../helpers/small-venue.js'

type Level = [price: string, size: string]

/** What a client was sent of a book: its kind, and its newest number. */
const books = (messages: readonly Message[], symbol: string): string[] =>
  messages.filter(message => message.type === 'book' && message.symbol === symbol).map(({ snapshot, data }) => {
    const { stale, venue_sequence: sequence } = data as { stale?: boolean, venue_sequence?: number }
    return stale === true ? 'stale' : `${snapshot === true ? 'snapshot' : 'update'} ${sequence}`
  })

/**
 * Frames and answers as developers.binance.com has them (Spot, WebSocket Streams: Diff. Depth, Individual
 * Symbol Book Ticker, Trade; REST API: Order book, Exchange information, error -1121).
 */
const depth = (pair: string, first: number, last: number): object => ({
  stream: `${pair.toLowerCase()}@depth@100ms`,
  data: { e: 'depthUpdate', E: 1672515782136000, s: pair, U: first, u: last, b: [['0.0024', '10']], a: [] }
})

test('Binance, live: joins the stream with snapshots, and gets a new one after a gap', async t => {
  let last = 100
  const onRequest = ({ url = '' }: { readonly url?: string | undefined }): Answer => {
    const { pathname, searchParams } = new URL(url, 'http://venue')
    const pair = searchParams.get('symbol')
    if (pair === 'NOUSDT') return [400, { code: -1121, msg: 'Invalid symbol.' }]
    if (pathname === '/api/v3/depth') {
      const [bids, asks]: Level[][] = [[['0.0023', '4.0']], [['0.0026', '12.0']]]
      return [200, { lastUpdateId: last, bids, asks }]
    }
    return [200, {
      symbols: [{
        symbol: pair,
        filters: [
          { filterType: 'PRICE_FILTER', minPrice: '0.0001', tickSize: '0.00010000' }, { filterType: 'LOT_SIZE', stepSize: '0.00000000' }
        ]
      }]
    }]
  }
  const venue = await startVenue(t, {
    onRequest,
    onMessage ({ id }: { id: number }, venue) {
      venue.send({ result: null, id })
    }
  })
  const server = await startServer(t, { SOURCES: `binance:BNB-BTC+NO-USDT?${venue.options}`, UNKNOWN_SYMBOLS: 'reject' })
  const messages: Message[] = []
  const client = openClient('ws-json', server.origin, 'subscribe=quotes:*&subscribe=trades:*&subscribe=book:*&subscribe=market:BINANCE', undefined,
    { onMessage: message => { messages.push(message) }, onCursor: () => {} })
  t.teardown(() => { client.cut() })
  await until('the book is there', () => books(messages, 'BNB-BTC').at(-1) === 'snapshot 100')
  t.match(venue.received[0], { method: 'SUBSCRIBE', params: ['bnbbtc@depth@100ms', 'bnbbtc@bookTicker', 'bnbbtc@trade', 'nousdt@depth@100ms', 'nousdt@bookTicker', 'nousdt@trade'] })
  venue.send(depth('BNBBTC', 99, 102))
  venue.send({ stream: 'bnbbtc@bookTicker', data: { u: 102, s: 'BNBBTC', b: '0.0024', B: '10', a: '0.0026', A: '100' } })
  venue.send({ stream: 'bnbbtc@trade', data: { e: 'trade', E: 1672515782136001, s: 'BNBBTC', t: 12345, p: '0.001', q: '100', T: 1672515782136123, m: true, M: true } })
  await until('the update is there', () => books(messages, 'BNB-BTC').at(-1) === 'update 102')
  await until('the trade is there', () => messages.some(({ type }) => type === 'trade'))
  t.match(messages.find(({ type }) => type === 'quote')?.data, { symbol: 'BNB-BTC', bid: '0.0024', ask: '0.0026' })
  t.match(messages.find(({ type }) => type === 'trade')?.data, { symbol: 'BNB-BTC', timestamp: '2022-12-31T19:43:02.136123Z', side: 'sell', trade_id: '12345' })

  last = 110
  const known = books(messages, 'BNB-BTC').length
  venue.send(depth('BNBBTC', 105, 106))
  await until('it is stale, then good again', () => books(messages, 'BNB-BTC').slice(known).join() === 'stale,snapshot 110')
  const metrics = await (await fetch(`${server.origin}/metrics`)).text()
  t.match(metrics, /tickwire_venue_symbols_refused_total\{source="binance"\} 1/)
  t.match(metrics, /tickwire_books_stale_total\{source="binance",reason="gap"\} 1/)
  const { symbols } = await (await fetch(`${server.origin}/v1/symbols?market=BINANCE`)).json() as { symbols: Array<{ symbol: string }> }
  const bnb = symbols.find(({ symbol }) => symbol === 'BNB-BTC')
  t.match(bnb, { tick_size: '0.00010000', venue_symbol: 'BNBBTC', currency: 'BTC' })
  t.notOk('lot_size' in bnb!, 'a step of zero is none')
})

test('Binance, live: keeps to a pause that the venue asks for, and the rest goes on', async t => {
  let busy = true
  const venue = await startVenue(t, {
    onRequest: ({ url = '' }) => {
      if (!url.startsWith('/api/v3/depth')) return [200, { symbols: [] }]
      if (busy) {
        busy = false
        return [429, {}, { 'Retry-After': '1' }]
      }
      return [200, { lastUpdateId: 7, bids: [], asks: [['1', '1']] }]
    },
    onMessage ({ id }: { id: number }, venue) { venue.send({ result: null, id }) }
  })
  const server = await startServer(t, { SOURCES: `binance:BNB-BTC?lazy=false&${venue.options}` })
  const messages: Message[] = []
  const client = openClient('sse', server.origin, 'subscribe=quotes:BNB-BTC&subscribe=book:BNB-BTC', undefined,
    { onMessage: message => { messages.push(message) }, onCursor: () => {} })
  t.teardown(() => { client.cut() })
  await until('it has asked', () => !busy)
  venue.send({ u: 1, s: 'BNBBTC', b: '0.0024', B: '10', a: '0.0026', A: '100' })
  await until('a quote is there', () => messages.some(({ type }) => type === 'quote'))
  t.notOk(books(messages, 'BNB-BTC').includes('snapshot 7'), 'the pause is not over')
  await until('the book is there', () => books(messages, 'BNB-BTC').at(-1) === 'snapshot 7')
})
