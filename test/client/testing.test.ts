import { type Subscription, TickwireClient } from '@tickwire/client'
import { openBook } from '@tickwire/client/book'
import { TestServer } from '@tickwire/client/testing'
import { type Test, test } from 'tap'
import { until } from '../helpers/clients.js'
import { type Read, readAll } from '../helpers/tickwire-client.js'

const trade = { symbol: 'A', price: '1', size: '1', timestamp: '2026-01-01T00:00:00Z' }

/** A server in memory, with a client that reads the trades and quotes of A. */
async function begin (t: Test) {
  const server = new TestServer()
  const client = new TickwireClient(server.options)
  t.teardown(() => { client.close() })
  const read = {
    trades: readAll(client.subscribe('trades', ['A'])),
    quotes: readAll(client.subscribe('quotes', ['A']))
  }
  const isLive = async (): Promise<void> => { await until('the client is live', () => client.state.name === 'live') }
  await isLive()
  return { server, client, read, isLive }
}

const dataOf = ({ messages }: Pick<Read, 'messages'>): unknown[] => messages.map(({ data }) => data)

test('a message is at the client when it was emitted, and a state comes first', async t => {
  const server = new TestServer()
  server.emit('quotes', 'A', { symbol: 'A', bid: '1' })
  server.emit('trades', 'A', trade)
  const client = new TickwireClient(server.options)
  t.teardown(() => { client.close() })
  const quotes = readAll(client.subscribe('quotes', ['A']))
  const trades = readAll(client.subscribe('trades', ['A']))
  await until('the client is live', () => client.state.name === 'live')
  t.same(dataOf(quotes), [{ symbol: 'A', bid: '1' }])
  t.equal(quotes.messages[0]!.snapshot, true)
  t.same(trades.order, [], 'a history has no state')
  server.emit('trades', 'A', trade)
  t.same(trades.order, [2])
  server.emit('news', { headline: 'h', source: 's', symbols: [], timestamp: '2026-01-01T00:00:00Z' })
  t.equal(client.inspect().messages, 2, 'what nobody reads is not sent')
  const past = readAll(client.subscribe('trades', ['B'], { last: 2 }))
  for (let i = 0; i < 3; i++) server.emit('trades', 'B', { ...trade, symbol: 'B' })
  await until('the past has come', () => past.messages.length === 2)
  t.same(past.order, [2, 3])
})

test('a client resumes after a cut, and gets each message once', async t => {
  const { server, client, read, isLive } = await begin(t)
  server.emit('trades', 'A', trade)
  server.cut({ stays: true })
  t.equal(client.state.name, 'offline')
  server.emit('trades', 'A', trade)
  server.emit('quotes', 'A', { symbol: 'A', bid: '2' })
  server.mend()
  await isLive()
  server.emit('trades', 'A', trade)
  t.same(read.trades.order, [1, 2, 3])
  t.same(dataOf(read.quotes), [{ symbol: 'A', bid: '2' }])
  t.equal(server.opened, 2)
  t.equal(server.connections, 1)
})

test('a client that comes back behind what the log has gets a reset, then a state', async t => {
  const { server, read, isLive } = await begin(t)
  server.emit('quotes', 'A', { symbol: 'A', bid: '1' })
  server.emit('trades', 'A', trade)
  server.cut({ stays: true })
  server.emit('quotes', 'A', { symbol: 'A', bid: '2' })
  server.emit('trades', 'A', trade)
  server.expire()
  server.emit('trades', 'A', trade)
  server.mend()
  await isLive()
  t.same(read.quotes.order, [1, 'history_lost', 2])
  t.same(read.trades.order, [1, 'history_lost', 3])
})

test('a new epoch resets exactly the topics that lost messages', async t => {
  const { server, read, isLive } = await begin(t)
  server.emit('quotes', 'A', { symbol: 'A', bid: '1' })
  server.emit('trades', 'A', trade)
  server.emit('trades', 'A', trade)
  server.epoch(1)
  server.emit('trades', 'A', { ...trade, price: '2' })
  t.same(read.trades.order, [1, 2, 'epoch_changed', 1, 2])
  t.same(read.quotes.order, [1])
  server.cut({ stays: true })
  server.epoch(1)
  server.mend()
  await isLive()
  t.same(read.trades.order.slice(5), ['epoch_changed', 1], 'and those behind the cursor of a client that was away')
})

test('a reset, a client that lags, refusals and rejections', async t => {
  const { server, client, read, isLive } = await begin(t)
  server.emit('quotes', 'A', { symbol: 'A', bid: '1' })
  server.reset('quotes', 'A', 'lagging')
  t.same(read.quotes.order, [1, 'lagging', 1])

  server.lag(3)
  t.equal(client.state.name, 'catching_up')
  server.emit('trades', 'A', trade)
  t.same(read.trades.order, [])
  server.lag(0)
  t.same(read.trades.order, [1])
  t.equal(client.state.name, 'live')

  server.reject('quotes', 'NOPE')
  const { granted, rejected } = await client.subscribe('quotes', ['A', 'NOPE']).result
  t.same([granted, rejected.map(({ code }) => code)], [['A'], ['unknown_symbol']])

  server.refuse('overloaded')
  t.equal(client.state.code, 'overloaded')
  server.mend()
  await isLive()
  server.refuse('forbidden')
  t.same([client.state.name, client.state.code], ['closed', 'forbidden'])
})

test('a book is folded, sets have their members, and other endpoints answer as the test says', async t => {
  const server = new TestServer({ sets: { '@market/X': ['A', 'B'] } })
  server.emit('book', 'A', { symbol: 'A', bids: [['2', '1'], ['1', '1']], asks: [] }, { snapshot: true })
  server.emit('book', 'A', { symbol: 'A', bids: [['2', '0']], asks: [['3', '1']] })
  const client = new TickwireClient(server.options)
  t.teardown(() => { client.close() })
  const book = openBook(client, 'A')
  const set: Subscription = client.subscribe('quotes', ['@market/X'])
  const quotes = readAll(set)
  const { rejected } = await client.subscribe('quotes', ['@market/Y']).result
  t.same(rejected.map(({ code }) => code), ['unknown_symbol'])
  t.same([book.snapshot().bids, book.snapshot().asks], [[['1', '1']], [['3', '1']]])
  for (const symbol of ['A', 'B', 'C']) server.emit('quotes', symbol, { symbol, bid: '1' })
  t.same(quotes.messages.map(({ symbol }) => symbol), ['A', 'B'])
  server.answer('GET v1/symbols', { symbols: [] })
  t.same(await (await client.fetch('v1/symbols?limit=1')).json(), { symbols: [] })
  t.equal((await client.fetch('v1/bars?symbol=A&interval=1m')).status, 404)
})
