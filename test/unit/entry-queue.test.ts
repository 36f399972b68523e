import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import { test } from 'tap'
import { EntryQueue } from '../../src/log/entry-queue.js'
import type { Entry, ReadFrom } from '../../src/log/log.js'
import { bytesUsed } from '../helpers/memory.js'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 300)
const SHARD = 3

function entries (queue: EntryQueue, from: ReadFrom = { offset: 0 }, limit = Infinity): Entry[] {
  const found: Entry[] = []
  queue.after(from, entry => found.push(entry) < limit)
  return found
}

type Step =
  | {
    readonly do: 'push'
    readonly count: number
    readonly payload: string
    readonly replaces: boolean
    readonly gap: number
  }
  | { readonly do: 'shift' | 'pop', readonly count: number }
  | { readonly do: 'clear' }

/** Texts with one, two, three and four bytes to a character, and some larger than a block. */
const payload = fc.oneof(
  { weight: 8, arbitrary: fc.json({ maxDepth: 1 }) },
  { weight: 4, arbitrary: fc.string({ unit: 'grapheme' }).map(text => JSON.stringify(text)) },
  fc.nat(40_000).map(length => JSON.stringify('ü'.repeat(length)))
)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('push' as const),
      count: fc.integer({ min: 1, max: 150 }),
      payload,
      replaces: fc.boolean(),
      gap: fc.nat(3)
    })
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('shift' as const), count: fc.nat(200) }) },
  fc.record({ do: fc.constant('pop' as const), count: fc.nat(100) }),
  fc.record({ do: fc.constant('clear' as const) })
)

test('holds what an array holds', async t => {
  fc.assert(fc.property(fc.array(step, { maxLength: 25, size: 'max' }), steps => {
    const queue = new EntryQueue(SHARD)
    let model: Entry[] = []
    let next: Pick<Entry, 'offset' | 'sequence' | 'previous'> = { offset: 1, sequence: 1, previous: 0 }
    for (const step of steps) {
      switch (step.do) {
        case 'push':
          for (let i = 0; i < step.count; i++) {
            const { offset, sequence } = next
            const entry: Entry = {
              ...next,
              topic: `trades:${step.payload.length}`,
              shard: SHARD,
              timestamp: 1.7e12 + offset,
              payload: step.payload + String(i),
              replaces: step.replaces
            }
            model.push(entry)
            if (queue.push(entry) !== Buffer.byteLength(entry.payload)) {
              throw new Error('bytes of what was pushed')
            }
            next = { offset: offset + 1 + step.gap, sequence: sequence + 1, previous: offset }
          }
          break
        case 'shift':
          for (let i = 0; i < step.count && model.length > 0; i++) {
            if (queue.shift() !== Buffer.byteLength(model.shift()!.payload)) {
              throw new Error('bytes of what was dropped')
            }
          }
          break
        case 'pop':
          for (let i = 0; i < step.count && model.length > 0; i++) {
            const entry = model.pop()!
            if (queue.pop() !== Buffer.byteLength(entry.payload)) {
              throw new Error('bytes of what was taken back')
            }
            next = entry
          }
          break
        case 'clear':
          queue.clear()
          model = []
          break
      }
      if (queue.size !== model.length) throw new Error(`${queue.size} instead of ${model.length}`)
      const [first, last] = [model[0], model.at(-1)]
      if (first !== undefined && last !== undefined) {
        const ends = [
          queue.first,
          queue.firstOffset,
          queue.firstSequence,
          queue.firstTimestamp,
          queue.last,
          queue.lastOffset
        ]
        const expected = [first, first.offset, first.sequence, first.timestamp, last, last.offset]
        if (!isDeepStrictEqual(ends, expected)) {
          throw new Error('the ends differ')
        }
      }
    }
    if (!isDeepStrictEqual(entries(queue), model)) throw new Error('the entries differ')
    for (let offset = 0; offset <= next.offset + 1; offset += 1 + model.length / 20 >>> 0) {
      const after = model.filter(entry => entry.offset > offset).slice(0, 3)
      if (!isDeepStrictEqual(entries(queue, { offset }, 3), after)) {
        throw new Error(`after offset ${offset}`)
      }
    }
    for (const { sequence } of model.filter((_, i) => i % 20 === 0)) {
      const after = model.filter(entry => entry.sequence > sequence).slice(0, 3)
      if (!isDeepStrictEqual(entries(queue, { sequence }, 3), after)) {
        throw new Error(`after sequence ${sequence}`)
      }
    }
  }), { numRuns })
  t.pass(`${numRuns} runs`)
})

const entry = (offset: number, payload: string): Entry => ({
  topic: offset % 2 === 0 ? 'trades:even' : 'trades:odd',
  shard: SHARD,
  offset,
  sequence: offset,
  previous: offset - 1,
  timestamp: offset,
  payload,
  replaces: false
})

test('visits only wanted entries', async t => {
  const queue = new EntryQueue(SHARD)
  for (let offset = 1; offset <= 300; offset++) queue.push(entry(offset, '1'))
  const found: number[] = []
  queue.after(
    { offset: 7 },
    ({ offset }) => found.push(offset) < 3,
    (topic, offset) => topic === 'trades:even' && offset !== 10
  )
  t.same(found, [8, 12, 14])
})

test('reuses the room of dropped entries for those that flow through', async t => {
  const queue = new EntryQueue(SHARD)
  const held = 10_000
  const flow = async (from: number, to: number): Promise<number> => {
    for (let offset = from; offset <= to; offset++) {
      queue.push(entry(offset, JSON.stringify({ offset, price: 'x'.repeat(80) })))
      if (queue.size > held) queue.shift()
    }
    return await bytesUsed()
  }
  const empty = await bytesUsed()
  const first = await flow(1, 3 * held) - empty
  const later = await flow(3 * held + 1, 40 * held) - empty
  t.ok(first < held * 250, `${first} bytes for ${held} entries`)
  t.ok(later < first * 1.2, `${later} bytes after thirteen times as many`)
})

test('frees its room after a burst', async t => {
  const queue = new EntryQueue(SHARD)
  const before = await bytesUsed()
  for (let offset = 1; offset <= 100_000; offset++) queue.push(entry(offset, JSON.stringify('x'.repeat(200))))
  const full = await bytesUsed() - before
  while (queue.size > 0) queue.shift()
  const left = await bytesUsed() - before
  t.ok(left < full / 20, `${left} of ${full} bytes`)
})
