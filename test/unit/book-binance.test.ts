import { test } from 'tap'
import type { BookEvent, Fault } from '../../src/book/book-event.js'
import { binanceDepth, binanceSnapshot } from '../../src/book/binance/frames.js'
import { JoinedBook } from '../../src/book/binance/joined-book.js'
import { Books } from '../../src/book/books.js'
import { coinbaseLevel2 } from '../../src/book/coinbase/frames.js'
import { VenueBook } from '../../src/book/venue-book.js'
import { Follower, type Level, NaiveBook, needsRecordings, recorded } from '../helpers/naive-book.js'

const bids = (size: string): Array<[string, string]> => [['1', size]]
const update = (first: number, last: number, levels = bids(String(last))): BookEvent => ({ kind: 'update', symbol: 'X', bids: levels, asks: [], first, last })
const snapshot = (last: number): BookEvent => ({ kind: 'snapshot', symbol: 'X', bids: bids(`${last}.0`), asks: [['2', '1']], last })

/**
 * A book that takes events, and says for each what is published: nothing, its newest number, or that it is
 * stale.
 */
function joined (): { take (...events: BookEvent[]): unknown[], faults: string[], follower: Follower } {
  const faults: string[] = []
  const follower = new Follower()
  const book = new JoinedBook({ symbol: 'X', onFault: ({ reason, detail }: Fault) => { faults.push(`${reason}: ${detail}`) } })
  return {
    faults,
    follower,
    take: (...events) => events.map(event => {
      const message = book.take(event)
      if (message === undefined) return undefined
      follower.take(message)
      return message.data.stale === true ? 'stale' : `${message.snapshot === true ? 'snapshot ' : ''}${message.data.venue_sequence}`
    })
  }
}

test('Binance: updates are joined with a snapshot, and a gap makes the book stale until the next one', t => {
  const { take, faults, follower } = joined()
  t.same(take(snapshot(150), update(140, 149), update(148, 155), update(156, 160)), ['snapshot 150', undefined, '155', '160'])
  t.same(take(update(156, 160)), [undefined], 'sent twice')
  t.same(take(update(162, 165)), ['stale'])
  t.same(faults, ['gap: an update from 162 to 165 came, where 161 is next'])
  t.same(take(update(166, 170), update(171, 171)), [undefined, undefined], 'they wait')
  t.same(take(snapshot(160)), [undefined], 'it is too old')
  t.same(take(snapshot(167)), ['snapshot 171'])
  t.same(follower.book.levels().bids, [['1', '171']])
  t.same(take(update(172, 180), snapshot(175), update(181, 181)), ['180', undefined, '181'], 'an older snapshot does not take the book back')
  t.equal(faults.length, 2)
  t.end()
})

test('Binance: updates that come before the snapshot wait for it, in any number, doubled and out of order', t => {
  const early = joined()
  t.same(early.take(update(140, 149), update(148, 155), update(156, 160), snapshot(150)), [undefined, undefined, undefined, 'snapshot 160'])
  t.same(early.faults, [])
  const doubled = joined()
  t.same(doubled.take(update(148, 155), update(156, 160), update(148, 155), snapshot(150), update(161, 161)), [undefined, undefined, undefined, 'snapshot 160', '161'])
  t.same(doubled.follower.book.levels().bids, [['1', '161']], 'the older one is not applied again')
  const swapped = joined()
  t.same(swapped.take(update(156, 160), update(151, 155), snapshot(150)), [undefined, undefined, 'stale'])
  t.same(swapped.take(snapshot(158)), ['snapshot 160'])
  const missing = joined()
  t.same(missing.take(update(152, 155), snapshot(150), snapshot(151)), [undefined, 'stale', 'snapshot 155'])
  const many = joined()
  for (let id = 1; id <= 1500; id++) many.take(update(id, id))
  t.same(many.take(snapshot(400), snapshot(500)), ['stale', 'snapshot 1500'], 'of more than a thousand the oldest are gone')
  t.end()
})

test('Binance: a snapshot from before what the book had does not take it back in time', t => {
  const { take, faults } = joined()
  t.same(take(snapshot(150), update(151, 160), update(170, 171)), ['snapshot 150', '160', 'stale'])
  t.same(take(snapshot(155), snapshot(169)), [undefined, 'snapshot 171'], 'and the next one begins it')
  t.same(faults.length, 2)
  t.end()
})

test('Binance: numbers are of changes, not of levels, and a zero for an unknown level is no error', t => {
  const levels = Array.from({ length: 9 }, (_, at): Level => [`1.${at}`, at === 3 ? '0.00000000' : '5.00'])
  const { take, faults } = joined()
  const [event] = binanceDepth({ e: 'depthUpdate', E: 1, s: 'X', U: 286020835, u: 286020847, b: levels, a: [['9', '0.00']] })
  t.same(take(snapshot(286020834), update(286020834, 286020834), event!), ['snapshot 286020834', undefined, '286020847'])
  t.same(faults, [])
  t.end()
})

test('Binance: a book that crosses, or an event that is malformed, needs a snapshot that has it', t => {
  const crossed = joined()
  t.same(crossed.take(snapshot(150), update(151, 152, [['3', '1']]), update(153, 153)), ['snapshot 150', 'stale', undefined])
  t.same(crossed.take(snapshot(151), snapshot(152)), [undefined, 'snapshot 153'])
  t.same(crossed.faults.map(fault => fault.slice(0, 3)), ['cro', 'gap'])
  const [malformed] = binanceDepth({ e: 'depthUpdate', s: 'X', U: 151, u: 152, b: [['1', 1]], a: [] })
  t.equal(malformed?.kind, 'malformed')
  const broken = joined()
  t.same(broken.take(snapshot(150), malformed!, update(153, 153), snapshot(150), snapshot(152)), ['snapshot 150', 'stale', undefined, undefined, 'snapshot 153'])
  t.equal(binanceSnapshot('X', { code: -1121, msg: 'Invalid symbol.' }).kind, 'malformed')
  for (const event of [{ e: 'depthUpdate', s: 'X', b: [], a: [] }, { e: 'depthUpdate', s: 'X', U: 2, u: 1, b: [], a: [] }, { e: 'depthUpdate', s: 'X', U: 1, u: 2 ** 53, b: [], a: [] }]) t.equal(binanceDepth(event)[0]?.kind, 'malformed')
  for (const event of [{ e: 'aggTrade', s: 'X' }, null, [], 7, { u: 1, s: 'X', b: '1', B: '2' }]) t.same(binanceDepth(event), [])
  t.end()
})

interface Depth { readonly s: string, readonly u: number, readonly b: Level[], readonly a: Level[] }

test('the recorded session of Binance: every book is what the file says, built directly', needsRecordings, t => {
  const answers = recorded('binance-depth-http.txt')
  const both = [...recorded('binance-ws.txt'), ...answers].sort((a, b) => a.time - b.time)
  const faults: string[] = []
  const onFault = ({ detail }: { readonly detail: string }): void => { faults.push(detail) }
  const books = new Books(symbol => new JoinedBook({ symbol, onFault }))
  const followers = new Map<string, Follower>()
  let [messages, compared] = [0, 0]
  const direct = (symbol: string, until: number): string => {
    const { text } = answers.find(({ address }) => address.includes(`symbol=${symbol}&`))!
    const { lastUpdateId, bids, asks } =
      JSON.parse(text) as { lastUpdateId: number, bids: Level[], asks: Level[] }
    const book = NaiveBook.of({ bids, asks })
    for (const { text } of recorded('binance-ws.txt')) {
      const { data } = JSON.parse(text) as { data: Partial<Depth> }
      const isDepth = data.s === symbol && Array.isArray(data.b)
      if (!isDepth || data.u! <= lastUpdateId || data.u! > until) continue
      book.apply({ bids: data.b!, asks: data.a! })
    }
    return String(book)
  }
  for (const { address, text } of both) {
    const symbol = /symbol=(\w+)/.exec(address)?.[1]
    const body = JSON.parse(text) as { data?: unknown }
    const events = symbol === undefined ? binanceDepth(body.data) : [binanceSnapshot(symbol, body)]
    for (const message of books.take(events)) {
      const follower = followers.get(message.symbol) ?? new Follower()
      followers.set(message.symbol, follower)
      follower.take(message)
      if (++messages % 10 === 0 || message.symbol !== 'NKNUSDT') {
        compared++
        if (String(follower.book) !== direct(message.symbol, message.data.venue_sequence as number)) t.fail(`${message.symbol} at ${message.data.venue_sequence}`)
      }
    }
  }
  t.same(faults, [])
  t.same([...followers.keys()].sort(), ['BLZETH', 'LRCBTC', 'NKNUSDT', 'RUNEEUR'])
  t.ok(compared > 30, `${compared} of ${messages}`)
  for (const [symbol, { book }] of followers) t.equal(String(book), direct(symbol, Infinity), symbol)
  t.end()
})

test('the recorded session of Coinbase: every book is what the file says, built directly', needsRecordings, t => {
  const frames = recorded('coinbase-ws.txt').map(({ text }) => JSON.parse(text) as Record<string, unknown>)
  const faults: Fault[] = []
  const books = new Books(symbol => new VenueBook({ symbol, onFault: fault => { faults.push(fault) } }))
  const followers = new Map<string, Follower>()
  const direct = new Map<string, NaiveBook>()
  let messages = 0
  for (const frame of frames) {
    const symbol = String(frame['product_id'])
    if (frame['type'] === 'snapshot') direct.set(symbol, NaiveBook.of(frame as never))
    if (frame['type'] === 'l2update') {
      const changes = frame['changes'] as Array<[string, string, string]>
      const side = (name: string): Level[] =>
        changes.filter(([side]) => side === name).map(([, price, size]) => [price, size])
      direct.get(symbol)!.apply({ bids: side('buy'), asks: side('sell') })
    }
    for (const message of books.take(coinbaseLevel2(frame))) {
      messages++
      const follower = followers.get(symbol) ?? new Follower()
      followers.set(symbol, follower)
      follower.take(message)
      if (messages % 500 === 0) t.equal(String(follower.book), String(direct.get(symbol)), `after ${messages}`)
    }
  }
  t.equal(messages, 9729)
  t.same(faults, [])
  for (const [symbol, { book }] of followers) t.equal(String(book), String(direct.get(symbol)), symbol)
  t.end()
})
