import fc from 'fast-check'
import { test } from 'tap'
import type { BookEvent, Fault } from '../../src/book/book-event.js'
import { Books } from '../../src/book/books.js'
import { parseExact } from '../../src/book/exact-json.js'
import { OrderBook, type Sides } from '../../src/book/order-book.js'
import { VenueBook } from '../../src/book/venue-book.js'
import { Follower, NaiveBook } from '../helpers/naive-book.js'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 500)

/** Prices in tenths, spelt in several ways. */
const price = (from: number, to: number): fc.Arbitrary<string> =>
  fc.tuple(fc.integer({ min: from, max: to }), fc.nat(2))
    .map(([tenths, zeros]) => (tenths / 10).toFixed(1 + zeros))
const size = fc.oneof(fc.constantFrom('0', '0.00000000'), fc.constantFrom('1', '0.50', '12.00000001'))
const levels = (from: number, to: number): fc.Arbitrary<Array<[string, string]>> =>
  fc.array(fc.tuple(price(from, to), size), { maxLength: 6 })
/** Bids are below asks, unless a test wants them crossed. */
const sides = fc.record({ bids: levels(1, 20), asks: levels(21, 40) })

function equal (got: unknown, expected: unknown, what: string): void {
  if (JSON.stringify(got) !== JSON.stringify(expected)) throw new Error(`${what}: ${JSON.stringify(got)} instead of ${JSON.stringify(expected)}`)
}

test('a book holds what a map and a sort hold, and followers hold the same at any depth', t => {
  const updatesOf = fc.array(sides, { maxLength: 20 })
  const depths = fc.constantFrom(1, 3, 5, Infinity)
  fc.assert(fc.property(sides, updatesOf, depths, (snapshot, updates, depth) => {
    const book = new OrderBook(depth)
    const naive = NaiveBook.of(snapshot)
    naive.cut(depth)
    book.replace(snapshot)
    const follower = NaiveBook.of(book.copy())
    equal(book.copy(), naive.levels(), 'after the snapshot')
    for (const update of updates) {
      const given = JSON.stringify(update)
      const before = book.copy()
      const kept = JSON.stringify(before)
      const changes = book.apply(update)
      naive.apply(update)
      naive.cut(depth)
      follower.apply(changes)
      equal(book.copy(), naive.levels(), 'after an update')
      equal(follower.levels(), naive.levels(), 'a follower')
      for (const [name, direction] of [['bids', -1], ['asks', 1]] as const) {
        const prices = changes[name].map(([price]) => Number(price) * direction)
        if (prices.some((price, at) => at > 0 && price <= prices[at - 1]!)) throw new Error(`not best first, each once: ${prices.join(' ')}`)
      }
      equal(JSON.stringify(update), given, 'the update is not changed')
      equal(JSON.stringify(before), kept, 'a copy is not changed')
    }
  }), { numRuns })
  t.end()
})

test('a level that the depth cuts off is given out as a removal, and does not come back by itself', t => {
  const book = new OrderBook(2)
  book.replace({ bids: [], asks: [['1', '1'], ['2', '1'], ['3', '1']] })
  t.same(book.asks, [['1', '1'], ['2', '1']])
  t.same(book.apply({ bids: [], asks: [['1.5', '7']] }), { bids: [], asks: [['1.5', '7'], ['2', '0']] })
  t.same(book.apply({ bids: [], asks: [['1.5', '0']] }), { bids: [], asks: [['1.5', '0']] })
  t.same(book.asks, [['1', '1']])
  t.same(book.apply({ bids: [], asks: [['4', '1'], ['5', '1']] }), { bids: [], asks: [['4', '1'], ['5', '0']] }, 'a level that never fitted')
  t.same(book.apply({ bids: [['0.5', '0']], asks: [['9', '0.000']] }).bids, [['0.5', '0']], 'a zero for a level that is not there is no error')
  t.end()
})

const change = (kind: 'snapshot' | 'update', bid: string, ask: string, size = '1'): BookEvent => ({ kind, symbol: 'X', bids: [[bid, size]], asks: [[ask, size]] })
const cases: ReadonlyArray<readonly [name: string, event: BookEvent, from: Record<'waiting' | 'sound' | 'stale', string>]> = [
  ['a good snapshot', change('snapshot', '1', '2'), { waiting: 'sound', sound: 'sound', stale: 'sound' }],
  ['a good update', change('update', '1.5', '1.9'), { waiting: 'stale', sound: 'sound', stale: 'stale' }],
  ['a crossed snapshot', change('snapshot', '2', '1'), { waiting: 'stale', sound: 'stale', stale: 'stale' }],
  ['a locked snapshot', change('snapshot', '2.0', '2'), { waiting: 'stale', sound: 'stale', stale: 'stale' }],
  ['a crossing update', change('update', '3', '4'), { waiting: 'stale', sound: 'stale', stale: 'stale' }],
  ['a wrong checksum', { ...change('update', '1', '2'), checksum: '7' } as BookEvent, { waiting: 'stale', sound: 'stale', stale: 'stale' }],
  ['a malformed frame', { kind: 'malformed', symbol: 'X', detail: 'no' }, { waiting: 'stale', sound: 'stale', stale: 'stale' }]
]

test('a book is waiting, sound or stale; it becomes stale by one message, and publishes nothing more until a snapshot', t => {
  for (const state of ['waiting', 'sound', 'stale'] as const) {
    for (const [name, event, to] of cases) {
      const faults: Fault[] = []
      const book = new VenueBook({ symbol: 'X', checksumOf: () => 6, onFault: fault => { faults.push(fault) } })
      if (state !== 'waiting') book.take(change('snapshot', '1', '2'))
      if (state === 'stale') book.fail({ reason: 'gap', detail: '' })
      t.equal(book.state, state)
      faults.length = 0
      const message = book.take(event)
      t.equal(book.state, to[state], `${state}, ${name}`)
      if (to[state] === 'sound') t.equal(message?.data.stale, undefined)
      else if (state === 'stale') t.equal(message, undefined, 'it says so once')
      else t.same(message, { channel: 'book', symbol: 'X', snapshot: true, data: { symbol: 'X', bids: [], asks: [], stale: true }, fault: faults[0] })
      const isTold = to[state] === 'stale' && !(state === 'stale' && name !== 'a malformed frame' && event.kind === 'update')
      t.equal(faults.length, isTold ? 1 : 0, `${state}, ${name}: why`)
    }
  }
  t.end()
})

test('what is wrong with one book disturbs no other', t => {
  const faults: string[] = []
  const books = new Books(symbol => new VenueBook({ symbol, onFault: ({ reason }) => { faults.push(`${symbol} ${reason}`) } }))
  const of = (symbol: string, event: BookEvent): BookEvent => ({ ...event, symbol })
  t.equal(books.take(['A', 'B', 'C'].map(symbol => of(symbol, change('snapshot', '1', '2')))).length, 3)
  const messages = books.take([of('A', change('update', '1', '2', '5')), of('B', change('update', '9', '10')), of('C', change('update', '1', '2', '6')), of('B', change('update', '1', '2'))])
  t.same(messages.map(({ symbol, data }) => `${symbol} ${data.stale ?? data.bids[0]?.[1]}`), ['A 5', 'B true', 'C 6'])
  t.same(faults, ['B crossed'])
  t.same(books.failAll({ reason: 'gap', detail: 'the connection was lost' }).map(({ symbol }) => symbol), ['A', 'C'], 'B is stale already')
  t.end()
})

test('random updates, with faults now and then: a follower has what the venue has, or a stale book', t => {
  const step = fc.oneof(
    { weight: 8, arbitrary: sides.map(sides => ({ kind: 'update' as const, sides })) },
    { weight: 3, arbitrary: sides.map(sides => ({ kind: 'snapshot' as const, sides })) },
    { weight: 1, arbitrary: fc.record({ bids: levels(1, 40), asks: levels(1, 40) }).map(sides => ({ kind: 'update' as const, sides })) },
    { weight: 1, arbitrary: fc.constant({ kind: 'malformed' as const, sides: { bids: [], asks: [] } as Sides }) }
  )
  let [good, stale] = [0, 0]
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), steps => {
    const book = new VenueBook({ symbol: 'X', depth: 4 })
    const follower = new Follower()
    const naive = new NaiveBook()
    for (const { kind, sides } of steps) {
      const message = book.take(kind === 'malformed' ? { kind, symbol: 'X', detail: '' } : { kind, symbol: 'X', ...sides })
      if (message !== undefined) follower.take(message)
      if (kind === 'snapshot') naive.clear()
      naive.apply(sides)
      naive.cut(4)
      if (follower.state === 'good') equal(follower.book.levels(), naive.levels(), 'good')
      const [bid, ask] = [naive.levels().bids[0], naive.levels().asks[0]]
      if (bid !== undefined && ask !== undefined && Number(bid[0]) >= Number(ask[0]) && follower.state === 'good') throw new Error('crossed')
      if (follower.state === 'good') good++
      if (follower.state === 'stale') stale++
    }
  }), { numRuns })
  t.ok(good > numRuns / 2 && stale > numRuns / 2, `${good} good, ${stale} stale`)
  t.end()
})

test('JSON is read with its numbers as they are written, and refused where the parser refuses it', t => {
  t.same(parseExact('{"price":0.10,"qty":-1.500e-7,"id":17843232920108168701,"text":"1.0 \\" 2","list":[0,1e5,true,null]}'), { price: '0.10', qty: '-1.500e-7', id: '17843232920108168701', text: '1.0 " 2', list: ['0', '1e5', true, null] })
  const attempt = (parse: (text: string) => unknown, text: string): unknown => {
    try {
      return { is: parse(text) }
    } catch {
      return 'refused'
    }
  }
  const asText = (value: unknown): unknown => {
    if (typeof value === 'number') return JSON.stringify(value)
    if (Array.isArray(value)) return value.map(asText)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, value]) => [key, asText(value)]))
  }
  const isExact = fc.property(fc.json(), text => equal(parseExact(text), asText(JSON.parse(text)), text))
  fc.assert(isExact, { numRuns })
  const pieces = fc.array(fc.constantFrom('"', '\\', '\n', '0', '1', '-', '+', '.', 'e', '5', '[', ']', '{', '}', ':', ',', ' ', 'true', 'a', '01', '"a"', '1.50'), { maxLength: 8 }).map(pieces => pieces.join(''))
  let accepted = 0
  fc.assert(fc.property(pieces, text => {
    const plain = attempt(JSON.parse, text)
    if (plain !== 'refused') accepted++
    if ((plain === 'refused') !== (attempt(parseExact, text) === 'refused')) throw new Error(`${text}: ${JSON.stringify(plain)}`)
  }), { numRuns: numRuns * 10 })
  t.ok(accepted > numRuns / 10, `${accepted} were JSON`)
  t.end()
})
