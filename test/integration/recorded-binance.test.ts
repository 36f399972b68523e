import { test } from 'tap'
import { type Message, openClient, until } from '../helpers/clients.js'
import { Follower, type Level, NaiveBook, needsRecordings, recorded } from '../helpers/naive-book.js'
import { startServer } from '../helpers/server.js'

interface Body { readonly lastUpdateId: number, readonly bids: Level[], readonly asks: Level[] }
interface Event { readonly s: string, readonly u: number, readonly b: Level[], readonly a: Level[] }

/** Each book at the end of the recording, by the venue's own names. */
function books (): Map<string, string> {
  return new Map(recorded('binance-depth-http.txt').map(({ address, text }) => {
    const symbol = /symbol=(\w+)/.exec(address)![1]!
    const { lastUpdateId, ...sides } = JSON.parse(text) as Body
    const book = NaiveBook.of(sides)
    for (const { text } of recorded('binance-ws.txt')) {
      const { stream, data } = JSON.parse(text) as { stream: string, data: Event }
      if (stream.includes('@depth') && data.s === symbol && data.u > lastUpdateId) book.apply({ bids: data.b, asks: data.a })
    }
    return [symbol, String(book)]
  }))
}

test('the recorded session of Binance: clients hold its books, quotes and trades', needsRecordings, async t => {
  const folder = process.env['RECORDINGS']
  const server = await startServer(t, { SOURCES: `replay:${folder}/binance-ws.txt?speed=max&start=manual&answers=${folder}/binance-depth-http.txt` })
  const { symbols } = await (await fetch(`${server.origin}/v1/symbols?market=BINANCE`)).json() as { symbols: Array<{ symbol: string }> }
  t.same(symbols.map(({ symbol }) => symbol).sort(), ['BLZ-ETH', 'LRC-BTC', 'NKN-USDT', 'RUNE-EUR'])
  const followers = new Map<string, Follower>()
  const others: Message[] = []
  const client = openClient('ws-json', server.origin, 'subscribe=book:*&subscribe=quotes:*&subscribe=trades:*', undefined, {
    onMessage: message => {
      const { type, symbol, snapshot, data } = message
      if (type === 'quote' || type === 'trade') others.push(message)
      if (type !== 'book') return
      const follower = followers.get(symbol!) ?? new Follower()
      followers.set(symbol!, follower)
      follower.take({ ...(snapshot === true ? { snapshot } : {}), data: data as never })
    },
    onCursor: () => {}
  })
  await until('it is there', () => server.parts.connections.active === 1)
  await new Promise(resolve => setTimeout(resolve, 50))
  await fetch(`${server.origin}/v1/admin/sources/replay/start`, { method: 'POST', headers: { authorization: `Bearer ${server.token({ admin: true })}` } })
  const expected = books()
  const held = (): Array<[string, string]> => [...followers].map(([symbol, { book }]) => [symbol.replace('-', ''), String(book)])
  await until('all books are as in the file', () => held().length === 4 && held().every(([symbol, book]) => book === expected.get(symbol)))
  await until('all quotes and trades have come', () => others.length >= 86)
  t.same(others.filter(({ type }) => type === 'quote').length, 84)
  t.match(others.find(({ type }) => type === 'quote'), { symbol: 'NKN-USDT', data: { bid: '0.35210000', bid_size: '672.00000000', ask: '0.35260000', ask_size: '3199.00000000' } })
  t.match(others.filter(({ type }) => type === 'trade').map(({ data }) => data), [{ symbol: 'NKN-USDT', price: '0.35280000' }, { symbol: 'LRC-BTC', price: '0.00000638', size: '177.00000000', side: 'buy', trade_id: '9213679', timestamp: '2021-10-12T00:28:54.486Z' }])
  t.notMatch(await (await fetch(`${server.origin}/metrics`)).text(), /tickwire_books_stale_total\{/)
  client.cut()
})
