import { test } from 'tap'
import { binance } from '../../src/sources/venues/binance/index.js'
import { coinbase } from '../../src/sources/venues/coinbase/index.js'
import { runLive } from '../helpers/live-run.js'

const coinbaseSnapshot = (product: string): string =>
  JSON.stringify({ type: 'snapshot', product_id: product, bids: [['9', '1']], asks: [['10', '1']] })

test('a market is stale while its venue is silent, with its books, and open once data flows again', async t => {
  const { clock, sockets, newest, statuses, books, messages, logged, source, stop } = runLive(coinbase, ['A-B', 'C-D'])
  await clock.advance(0)
  t.same(statuses(), ['stale'], 'until it is connected')
  t.same(books('A-B'), ['stale'], 'what an earlier run published last may be old')
  newest().opened()
  t.same(newest().sent.map(text => (JSON.parse(text) as { product_ids: string[] }).product_ids), [['A-B'], ['C-D']])
  newest().frame('{"type":"subscriptions","channels":[]}')
  await clock.advance(100)
  t.same(statuses(), ['stale'], 'an answer is no data')
  newest().frame(coinbaseSnapshot('A-B'))
  newest().frame(coinbaseSnapshot('C-D'))
  newest().frame(coinbaseSnapshot('X-Y'))
  await clock.advance(100)
  t.same(statuses(), ['stale', 'open'])
  t.same(books('A-B'), ['stale', 'snapshot 10@1'])
  t.same(books('X-Y'), [], 'a book for which nobody asked is left out')

  await clock.advance(10_000)
  t.same(statuses(), ['stale', 'open', 'stale'])
  t.match(messages.filter(({ channel }) => channel === 'market').at(-1)?.data, { market: 'COINBASE', reason: 'coinbase: nothing came for too long' })
  t.same([books('A-B').at(-1), books('C-D').at(-1)], ['stale', 'stale'])
  t.ok(sockets[0]!.isClosed)
  await clock.advance(1000)
  t.equal(sockets.length, 2)
  newest().opened()
  newest().frame(coinbaseSnapshot('A-B'))
  await clock.advance(100)
  t.same([statuses().at(-1), books('A-B').at(-1), books('C-D').at(-1)], ['open', 'snapshot 10@1', 'stale'])
  t.same([...source.counts.losses], [['silent', 1]])
  t.equal(source.counts.connections, 1)

  // The venue is away for long.
  const before = logged.length
  newest().closed('gone')
  for (let n = 0; n < 60; n++) {
    await clock.advance(60_000)
    newest().closed('gone')
  }
  const losses = [...source.counts.losses.values()].reduce((sum, count) => sum + count)
  t.ok(losses > 40, `${losses} losses`)
  t.ok(logged.length - before < 10, `it is logged ${logged.length - before} times`)
  await stop()
  t.equal(clock.size, 0, 'no timer outlives the run')
})

test('a frame that cannot be read ends its connection, and nothing after it is published', async t => {
  const { clock, newest, books, source, stop } = runLive(coinbase, ['A-B'])
  await clock.advance(0)
  newest().opened()
  newest().frame(coinbaseSnapshot('A-B'))
  newest().frame('{"type":"l2up')
  newest().frame('{"type":"l2update","product_id":"A-B","changes":[["sell","10","2"]]}')
  await clock.advance(100)
  t.same(books('A-B'), ['stale', 'snapshot 10@1', 'stale'])
  t.same([...source.counts.losses], [['malformed', 1]])
  await clock.advance(1000)
  newest().opened()
  newest().frame(coinbaseSnapshot('A-B'))
  await clock.advance(100)
  t.equal(books('A-B').at(-1), 'snapshot 10@1')
  await stop()
})

test('one book that fails is asked for again, and the others are left alone', async t => {
  const { clock, newest, books, stop } = runLive(coinbase, ['A-B', 'C-D'])
  await clock.advance(0)
  newest().opened()
  for (const product of ['A-B', 'C-D']) newest().frame(coinbaseSnapshot(product))
  await clock.advance(100)
  const sent = newest().sent.length
  newest().frame('{"type":"l2update","product_id":"A-B","changes":[["buy","11","2"]]}')
  await clock.advance(1000)
  t.equal(books('A-B').at(-1), 'stale')
  t.same(newest().sent.slice(sent).map(text => JSON.parse(text) as unknown), [
    { type: 'unsubscribe', product_ids: ['A-B'], channels: ['level2_batch'] },
    { type: 'subscribe', product_ids: ['A-B'], channels: ['level2_batch'] }
  ])
  newest().frame(coinbaseSnapshot('A-B'))
  await clock.advance(100)
  t.same([books('A-B').at(-1), books('C-D')], ['snapshot 10@1', ['stale', 'snapshot 10@1']])
  await stop()
})

const depth = (first: number, last: number): string => JSON.stringify({
  stream: 'ab@depth@100ms', data: { e: 'depthUpdate', s: 'ABUSDT', U: first, u: last, b: [], a: [['10', String(last)]] }
})
const trade = (id: number): string =>
  JSON.stringify({ stream: 'ab@trade', data: { e: 'trade', s: 'ABUSDT', t: id, p: '1', q: '1', T: 1672515782136000, m: false } })

test('Binance: a new connection takes over before the old one is cut, and nothing is lost or doubled', async t => {
  const depthOf = { lastUpdateId: 100, bids: [['9', '1']], asks: [['10', '100']] }
  const { clock, sockets, newest, books, messages, statuses, asked, source, stop } =
    runLive(binance, ['ABUSDT'], { answer: path => path.includes('depth') ? depthOf : { symbols: [] } })
  await clock.advance(0)
  newest().opened()
  t.match(JSON.parse(newest().sent[0]!), { method: 'SUBSCRIBE', params: ['abusdt@depth@100ms', 'abusdt@bookTicker', 'abusdt@trade'] })
  newest().frame(depth(99, 101))
  t.notOk(asked.some(path => path.includes('depth')), 'the snapshot is asked for once the stream stands')
  newest().frame('{"result":null,"id":1}')
  await clock.advance(100)
  t.same(books('AB-USDT'), ['stale', 'snapshot 10@101'])
  t.equal(statuses().at(-1), 'open')

  const [old] = sockets
  newest().frame('{"e":"serverShutdown","E":1770123456789}')
  await clock.advance(0)
  t.equal(sockets.length, 2)
  newest().opened()
  newest().frame('{"result":null,"id":1}')
  // The new connection cuts the same changes into other updates.
  old!.frame(depth(102, 105))
  newest().frame(depth(103, 107))
  old!.frame(depth(106, 107))
  for (const socket of sockets) for (const id of [1, 2]) socket.frame(trade(id))
  await clock.advance(3000)
  t.ok(old!.isClosed)
  newest().frame(depth(108, 108))
  await clock.advance(100)
  t.same(books('AB-USDT').slice(2), ['update 10@105', 'update 10@107', 'update 10@108'])
  t.same(messages.filter(({ channel }) => channel === 'trades').map(({ data }) => (data as { trade_id: string }).trade_id), ['1', '2'])
  t.match(messages.find(({ channel }) => channel === 'trades')?.data, { timestamp: '2022-12-31T19:43:02.136000Z' })
  t.same(statuses(), ['stale', 'open'])
  t.equal(source.counts.losses.size, 0)
  t.equal(source.counts.connections, 1)

  await clock.advance(1)
  // A quiet market answers the questions that keep the connection.
  for (let hour = 0; hour < 24 * 60 * 6; hour++) {
    await clock.advance(10_000)
    newest().frame('{"result":[],"id":0}')
    if (sockets.length === 3) break
  }
  t.equal(sockets.length, 3, 'before a day is over, the next one is made')
  await stop()
})

test('Binance: splits its symbols over connections, and asks for no snapshot that came before a loss', async t => {
  const pairs = Array.from({ length: 400 }, (_, at) => `P${at}USDT`)
  let answers = 0
  const { clock, sockets, books, statuses, newest, stop } = runLive(binance, pairs, {
    answer (path) {
      if (path.includes('depth')) answers++
      return path.includes('depth') ? { lastUpdateId: 1, bids: [], asks: [['1', '1']] } : { symbols: [] }
    }
  })
  await clock.advance(0)
  t.equal(sockets.length, 2)
  for (const socket of sockets) {
    socket.opened()
    await clock.advance(1000)
    const params = socket.sent.flatMap(text => (JSON.parse(text) as { params?: string[] }).params ?? [])
    t.ok(params.length <= 1024, `${params.length} streams`)
  }
  sockets[0]!.frame('{"result":null,"id":1}')
  await clock.advance(0)
  t.equal(statuses().at(-1), 'stale', 'a market is open when all its connections bring data')
  newest().frame('{"result":null,"id":1}')
  await clock.advance(100)
  t.equal(statuses().at(-1), 'open')
  t.ok(answers <= 50, `${answers} snapshots at once`)
  for (let n = 0; n < 10; n++) {
    for (const socket of sockets) socket.frame('{"result":[],"id":0}')
    await clock.advance(10_000)
  }
  t.ok(answers > 60)
  t.ok(books('P0-USDT').includes('snapshot 1@1'))
  await stop()
})
