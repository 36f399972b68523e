import { type Book, bookLevels, type BookLevel, mergeBook, reduceBook } from '@tickwire/protocol'
import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import { test } from 'tap'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 500)

/**
 * Prices in tenths, each with several spellings: `1.5`, `1.50`, `2`, `2.0`. Spreads trade below zero, too.
 */
const tenths = fc.integer({ min: -12, max: 12 })
const spelling = (tenths: number, zeros: number): string => {
  const magnitude = Math.abs(tenths)
  const digits =
    magnitude % 10 === 0 && zeros === 0
      ? String(magnitude / 10)
      : `${Math.floor(magnitude / 10)}.${magnitude % 10}${'0'.repeat(zeros)}`
  return tenths < 0 ? `-${digits}` : digits
}
const zero = fc.constantFrom('0', '0.0', '0.00000000', '-0', '-0.0')
const someSize = fc.constantFrom('1', '0.5', '12.50', '0.00000001', '100', '10.0')

interface Change { readonly tenths: number, readonly level: BookLevel }
const change = (size: fc.Arbitrary<string>): fc.Arbitrary<Change> =>
  fc
    .record({ tenths, zeros: fc.nat(2), size })
    .map(({ tenths, zeros, size }) => ({ tenths, level: [spelling(tenths, zeros), size] }))

interface Step {
  readonly replaces: boolean
  readonly bids: readonly Change[]
  readonly asks: readonly Change[]
  readonly checksum?: string
}

const update: fc.Arbitrary<Step> = fc.record({
  replaces: fc.constant(false),
  bids: fc.array(change(fc.oneof(zero, someSize)), { maxLength: 6 }),
  asks: fc.array(change(fc.oneof(zero, someSize)), { maxLength: 6 }),
  checksum: fc.constantFrom('a', 'b')
}, { requiredKeys: ['replaces', 'bids', 'asks'] })

/** One side, best first and each price once, as PROTOCOL.md demands. */
const side = (direction: 1 | -1): fc.Arbitrary<Change[]> =>
  fc
    .uniqueArray(change(someSize), { selector: ({ tenths }) => tenths })
    .map(changes => changes.sort((a, b) => (a.tenths - b.tenths) * direction))
const snapshot: fc.Arbitrary<Step> = fc.record({ replaces: fc.constant(true), bids: side(-1), asks: side(1) })
/** A snapshot as a careless publisher may write it. */
const disorderly: fc.Arbitrary<Step> = update.map(step => ({ ...step, replaces: true }))

const steps = fc.array(fc.oneof({ weight: 6, arbitrary: update }, snapshot, disorderly), { maxLength: 12 })

function frozen<Value> (value: Value): Value {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(frozen)
  return value
}

/** Makes the message of a step. It is frozen, so that changing it throws. */
const message = ({ bids, asks, checksum }: Step): Book => frozen({
  symbol: 'X',
  bids: bids.map(({ level }): BookLevel => [...level]),
  asks: asks.map(({ level }): BookLevel => [...level]),
  ...(checksum === undefined ? {} : { checksum })
})

/** The rules of a book, as simply as possible. */
class Model {
  private readonly bids = new Map<number, BookLevel>()
  private readonly asks = new Map<number, BookLevel>()

  apply ({ replaces, bids, asks }: Step): void {
    for (const [side, changes] of [[this.bids, bids], [this.asks, asks]] as const) {
      if (replaces) side.clear()
      for (const { tenths, level } of changes) {
        if (Number(level[1]) === 0) side.delete(tenths)
        else side.set(tenths, level)
      }
    }
  }

  sides (): { bids: BookLevel[], asks: BookLevel[] } {
    const sorted = (side: Map<number, BookLevel>, direction: 1 | -1): BookLevel[] =>
      [...side].sort(([a], [b]) => (a - b) * direction).map(([, level]) => level)
    return { bids: sorted(this.bids, -1), asks: sorted(this.asks, 1) }
  }
}

function assertEqual (got: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(got, expected)) {
    throw new Error(`${JSON.stringify(got)} instead of ${JSON.stringify(expected)}`)
  }
}

test('folds the messages of a book, best first, and changes no message', async t => {
  fc.assert(fc.property(steps, steps => {
    const model = new Model()
    let state: Book | undefined
    for (const step of steps) {
      const data = message(step)
      state = reduceBook(state, data, step.replaces)
      model.apply(step)
      assertEqual(state, { ...data, ...model.sides() })
    }
  }), { numRuns })
  t.pass(`${numRuns} runs`)
})

test('changes nothing when a message comes twice', async t => {
  fc.assert(fc.property(steps, fc.oneof(update, snapshot), (steps, again) => {
    let state: Book | undefined
    for (const step of steps) state = reduceBook(state, message(step), step.replaces)
    const once = reduceBook(state, message(again), again.replaces)
    const kept = structuredClone(once)
    assertEqual(reduceBook(once, message(again), again.replaces), kept)
  }), { numRuns })
  t.pass(`${numRuns} runs`)
})

test('continues a state that went over the wire like the one that stayed', async t => {
  fc.assert(fc.property(steps, steps, (before, after) => {
    let state: Book | undefined
    for (const step of before) state = reduceBook(state, message(step), step.replaces)
    let copy = structuredClone(state)
    for (const step of after) {
      state = reduceBook(state, message(step), step.replaces)
      copy = reduceBook(copy, message(step), step.replaces)
    }
    assertEqual(copy, state)
  }), { numRuns })
  t.pass(`${numRuns} runs`)
})

const book = (bids: BookLevel[], asks: BookLevel[], more: Partial<Book> = {}): Book =>
  frozen({ symbol: 'X', bids, asks, ...more })

test('sets and removes levels by an update', async t => {
  const first = reduceBook(
    undefined,
    book(
      [
        ['10.0', '1'],
        ['9.5', '2']
      ],
      [['10.5', '1']],
      { checksum: 'one', venue_sequence: 1 }
    ),
    true
  )
  const second = reduceBook(
    first,
    book(
      [
        ['10', '3'],
        ['9.75', '1']
      ],
      [['10.50', '0.000']],
      { venue_sequence: 2 }
    ),
    false
  )
  t.same(
    second,
    {
      symbol: 'X',
      bids: [
        ['10', '3'],
        ['9.75', '1'],
        ['9.5', '2']
      ],
      asks: [],
      venue_sequence: 2
    },
    'a checksum belongs to its own message only'
  )
  t.same(
    reduceBook(second, book([['8', '-0.0']], [['11', '0']]), false),
    {
      symbol: 'X',
      bids: [
        ['10', '3'],
        ['9.75', '1'],
        ['9.5', '2']
      ],
      asks: []
    },
    'a level that is not there is removed already'
  )
})

test('begins a book with an update if there is no state', async t => {
  t.same(
    reduceBook(
      undefined,
      book(
        [
          ['1', '0'],
          ['2', '1'],
          ['3', '1']
        ],
        []
      ),
      false
    ),
    book(
      [
        ['3', '1'],
        ['2', '1']
      ],
      []
    )
  )
})

test('forgets all earlier levels at a snapshot', async t => {
  const before = reduceBook(undefined, book([['1', '1']], [['2', '2']], { checksum: 'old' }), false)
  t.same(reduceBook(before, book([['5', '5']], []), true), book([['5', '5']], []))
})

test('makes a sound book of a snapshot that is not best first', async t => {
  const careless = reduceBook(
    undefined,
    book(
      [
        ['1', '1'],
        ['3', '1'],
        ['2', '1']
      ],
      [
        ['9', '1'],
        ['7', '0'],
        ['8', '1']
      ]
    ),
    true
  )
  t.same(careless, book([['3', '1'], ['2', '1'], ['1', '1']], [['8', '1'], ['9', '1']]))
  t.same(
    reduceBook(
      careless,
      book(
        [
          ['1', '0'],
          ['3', '2']
        ],
        [['9.0', '0']]
      ),
      false
    ),
    book(
      [
        ['3', '2'],
        ['2', '1']
      ],
      [['8', '1']]
    )
  )
})

test('keeps a stale book stale until a snapshot, also throttled and cut', async t => {
  const data = (more: object): Book => ({ symbol: 'A', bids: [], asks: [], ...more })
  const stale = reduceBook(data({ bids: [['1', '1']] }), data({ stale: true }), true)
  t.same(stale, data({ stale: true }), 'it has no levels any more')
  const update = data({ bids: [['2', '1']] })
  const after = reduceBook(stale, update, false)
  t.same(after, data({ bids: [['2', '1']], stale: true }), 'an update does not make it sound')
  t.same(mergeBook(data({ stale: true }), update, true), data({ bids: [['2', '1']], stale: true }))
  t.same(bookLevels.cut(after, 1), data({ bids: [['2', '1']], stale: true }))
  t.same(
    reduceBook(after, data({ bids: [['3', '1']] }), true),
    data({ bids: [['3', '1']] }),
    'a snapshot does'
  )
})
