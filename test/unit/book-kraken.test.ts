import { test } from 'tap'
import type { BookEvent, Fault } from '../../src/book/book-event.js'
import { Books } from '../../src/book/books.js'
import { parseExact } from '../../src/book/exact-json.js'
import { createKrakenChecksum } from '../../src/book/kraken/checksum.js'
import { krakenDepth, krakenV1, krakenV2 } from '../../src/book/kraken/frames.js'
import { VenueBook } from '../../src/book/venue-book.js'
import { asV2 } from '../helpers/kraken-v2.js'
import { Follower, needsRecordings, recorded } from '../helpers/naive-book.js'

/** As of a book that nobody knows yet. */
const krakenChecksum = (book: Parameters<ReturnType<typeof createKrakenChecksum>>[0]): number =>
  createKrakenChecksum()(book)

const RECORDING = 'kraken-book-ws.txt'
const sized = (size: string, ...prices: string[]): Array<[string, string]> =>
  prices.map(price => [price, size])

test('the checksum covers ten levels of each side, without points and leading zeros', t => {
  const asks = Array.from({ length: 10 }, (_, at) => (0.05005 + at * 0.00005).toFixed(5))
  const bids = ['0.05000', '0.04995', '0.04990', '0.04980', '0.04975', '0.04970', '0.04965', '0.04960', '0.04955', '0.04950']
  const book = { bids: sized('0.00000500', ...bids), asks: sized('0.00000500', ...asks) }
  t.equal(krakenChecksum(book), 974947235)
  t.equal(krakenChecksum({ bids: [...book.bids, ['0.04000', '1.00000000']], asks: [...book.asks, ['0.06', '1']] }), 974947235, 'an eleventh level does not count')
  t.not(krakenChecksum({ ...book, asks: [['0.0500500', '0.00000500'], ...book.asks.slice(1)] }), 974947235, 'zeros at the end count')
  t.end()
})

test('a book of depth 10 drops the eleventh level for good', t => {
  const asks = Array.from({ length: 10 }, (_, at) => `${at + 1}.0`)
  const book = new VenueBook({ symbol: 'X', depth: 10, checksumOf: createKrakenChecksum() })
  const follower = new Follower()
  const take = (event: BookEvent): void => { follower.take(book.take(event)!) }
  take({ kind: 'snapshot', symbol: 'X', bids: sized('1.00000000', '0.9', '0.8', '0.7'), asks: sized('1.00000000', ...asks) })
  take({ kind: 'update', symbol: 'X', bids: [], asks: [['2.5', '1.00000000']] })
  t.notOk(follower.book.levels().asks.some(([price]) => price === '10.0'), 'followers hear of it')
  take({ kind: 'update', symbol: 'X', bids: [], asks: [['2.5', '0.00000000']] })
  take({ kind: 'update', symbol: 'X', bids: [], asks: [['11.0', '1.00000000']], checksum: '161265345' })
  t.same(follower.state, 'good')
  t.same(follower.book.levels().asks.map(([price]) => price), [...asks.slice(0, 9), '11.0'])
  t.equal(krakenChecksum(follower.book.levels() as never), 161265345)
  t.end()
})

interface Followed {
  readonly good: number
  readonly messages: number
  readonly faults: string[]
  readonly followers: Map<string, Follower>
  readonly types: Set<string>
}

/** What a session gives to its followers, and how many of the checksums in their messages are right. */
function follow (events: Iterable<readonly BookEvent[]>, depth: number): Followed {
  const faults: string[] = []
  const types = new Set<string>()
  const books = new Books(symbol => new VenueBook({ symbol, depth, checksumOf: createKrakenChecksum(), onFault: ({ detail }: Fault) => { faults.push(`${symbol}: ${detail}`) } }))
  const followers = new Map<string, Follower>()
  let [good, messages] = [0, 0]
  for (const event of events) {
    for (const message of books.take(event)) {
      const follower = followers.get(message.symbol) ?? new Follower()
      followers.set(message.symbol, follower)
      follower.take(message)
      messages++
      const { checksum } = message.data
      if (checksum === undefined || message.snapshot === true) continue
      types.add(typeof checksum)
      // By the followers' own levels.
      if (krakenChecksum(follower.book.levels(10) as never) === Number(checksum)) good++
    }
  }
  return { good, messages, faults, followers, types }
}

test('the recorded session: all checksums are right, in the server and at those who follow', needsRecordings, t => {
  const frames = recorded(RECORDING).map(({ text }) => JSON.parse(text) as unknown)
  t.same(new Set(frames.map(frame => krakenDepth(frame)?.depth)), new Set([undefined, 1000]))
  t.same(krakenDepth({ method: 'subscribe', result: { channel: 'book', depth: '25', symbol: 'BTC/USD' }, success: true }), { symbol: 'BTC/USD', depth: 25 })
  const { good, messages, faults, followers, types } = follow(frames.map(krakenV1), 1000)
  t.equal(good, 4269)
  t.equal(messages, 4279, 'with ten snapshots')
  t.same(faults, [])
  t.equal(followers.size, 10)
  t.same([...types], ['string'], 'as the venue wrote it')
  t.end()
})

test('the same session in version 2, with numbers: all checksums again, and the same books', needsRecordings, t => {
  const frames = recorded(RECORDING).flatMap(({ text }) => asV2(text))
  t.match(frames.at(-1), /"price":\d/)
  const { good, faults, followers, types } = follow(frames.map(frame => krakenV2(parseExact(frame))), 1000)
  t.equal(good, 4269)
  t.same(faults, [])
  t.same([...types], ['number'], 'as the venue wrote it')
  const first = follow(recorded(RECORDING).map(({ text }) => krakenV1(JSON.parse(text))), 1000)
  for (const [symbol, { book }] of first.followers) {
    t.equal(String(followers.get(symbol)?.book), String(book), symbol)
  }
  const asText = (_: string, value: unknown): unknown => typeof value === 'number' ? String(value) : value
  const lossy = follow(frames.map(frame => krakenV2(JSON.parse(frame, asText))), 1000)
  t.ok(lossy.faults.length > 0, 'as JavaScript numbers they would have lost digits')
  t.end()
})

test('frames of Kraken that are no update make a book malformed, and other frames are none of books', t => {
  const kinds = (events: BookEvent[]): string[] => events.map(({ kind, symbol }) => `${kind} ${symbol}`)
  const v1 = (...parts: unknown[]): string[] => kinds(krakenV1([7, ...parts, 'book-10', 'A/B']))
  t.same(v1({ a: [['1', '2', '3']], c: '5' }), ['update A/B'])
  t.same(v1({ a: [['1', '2', '3', 'r']] }, { b: [['1', '0', '3']], c: '5' }), ['update A/B'])
  t.same(v1({ as: [], bs: [] }), ['snapshot A/B'])
  for (const parts of [[{ a: [['1', '2']] }], [{ a: [['1', 2]], c: '5' }], [{ a: 7, c: '5' }], [{ a: [7], c: '5' }], [{}], [7], [null], [{ a: [['1', '1e999']], c: '5' }]]) t.same(v1(...parts), ['malformed A/B'], JSON.stringify(parts))
  for (const frame of [{ event: 'heartbeat' }, [], [7], [7, {}, 'trade', 'A/B'], [7, {}, 'book-10', 7], null, 'text']) t.same(krakenV1(frame), [])
  const v2 = (type: unknown, book: object): string[] => kinds(krakenV2({ channel: 'book', type, data: [book] }))
  t.same(v2('update', { symbol: 'A/B', bids: [{ price: '1', qty: '0.50' }], checksum: '5' }), ['update A/B'])
  for (const [type, book] of [['other', { checksum: '5' }], ['update', {}], ['update', { bids: [7], checksum: '5' }], ['update', { bids: [{ price: '1' }], checksum: '5' }], ['update', { asks: {}, checksum: '5' }]] as const) t.same(v2(type, { symbol: 'A/B', ...book }), ['malformed A/B'])
  for (const frame of [{ channel: 'heartbeat' }, { channel: 'book' }, { channel: 'book', type: 'update', data: [7, {}] }, null, []]) t.same(krakenV2(frame), [])
  t.end()
})
