import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import { test } from 'tap'
import { RecentEntries } from '../../src/hub/shards/recent.js'
import type { Entry } from '../../src/log/log.js'
import { bytesUsed, LARGE, largePayload } from '../helpers/memory.js'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 300)

/** The bytes that an entry counts beside its payload. */
const ENTRY_OVERHEAD_BYTES = 90
/** The number of entries that may be dropped before their room is freed; the tests go well beyond. */
const BEYOND_COMPACTION = 10_000

const entry = (offset: number, timestamp = 0, payloadLength = 1): Entry => ({
  topic: 'quotes:A',
  shard: 0,
  offset,
  sequence: offset,
  previous: offset - 1,
  timestamp,
  payload: 'x'.repeat(payloadLength),
  replaces: false
})

/** Lists the offsets that a visit after an offset reaches. */
function after (recent: RecentEntries, offset: number, limit = Infinity): number[] {
  const offsets: number[] = []
  if (limit > 0) recent.after(offset, () => true, entry => offsets.push(entry.offset) < limit)
  return offsets
}

/** The same with arrays that are copied, so that nothing can go wrong. */
class Model {
  entries: Entry[] = []
  constructor (public start: number, private readonly maxBytes: number) {}

  get bytes (): number {
    return this.entries.reduce((sum, { payload }) => sum + payload.length + ENTRY_OVERHEAD_BYTES, 0)
  }

  push (entry: Entry): void {
    this.entries = [...this.entries, entry]
    while (this.entries.length > 1 && this.bytes > this.maxBytes) this.drop()
  }

  expire (before: number): void {
    while (this.entries.length > 0 && this.entries[0]!.timestamp < before) this.drop()
  }

  truncate (from: number): void {
    this.entries = this.entries.filter(({ offset }) => offset < from)
    this.start = Math.min(this.start, from - 1)
  }

  private drop (): void {
    this.start = this.entries[0]!.offset
    this.entries = this.entries.slice(1)
  }
}

type Step =
  | { readonly do: 'push', readonly count: number, readonly payload: number }
  | { readonly do: 'expire', readonly age: number }
  | { readonly do: 'truncate', readonly back: number }
  | { readonly do: 'wait', readonly milliseconds: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('push' as const),
      count: fc.integer({ min: 1, max: 8 }),
      payload: fc.nat(400)
    })
  },
  fc.record({ do: fc.constant('wait' as const), milliseconds: fc.nat(20) }),
  fc.record({ do: fc.constant('expire' as const), age: fc.nat(40) }),
  fc.record({ do: fc.constant('truncate' as const), back: fc.nat(12) })
)

test('holds what a plain model holds', async t => {
  fc.assert(fc.property(fc.array(step, { maxLength: 40, size: 'max' }), fc.nat(50), fc.integer({ min: 1, max: 3000 }), (steps, start, maxBytes) => {
    const recent = new RecentEntries(0, start, maxBytes)
    const model = new Model(start, maxBytes)
    let last = start
    let now = 0
    for (const step of steps) {
      switch (step.do) {
        case 'push':
          for (let i = 0; i < step.count; i++) {
            const next = entry(++last, now, step.payload)
            recent.push(next)
            model.push(next)
          }
          break
        case 'wait': now += step.milliseconds; break
        case 'expire':
          recent.expire(now - step.age)
          model.expire(now - step.age)
          break
        case 'truncate': {
          // A new epoch begins at the next offset at the latest, and offsets begin at 1.
          const from = Math.max(1, last + 1 - step.back)
          recent.truncate(from)
          model.truncate(from)
          last = from - 1
          break
        }
      }
      for (let offset = -1; offset <= last + 2; offset++) {
        const held = model.entries.filter(entry => entry.offset > offset).map(entry => entry.offset)
        if (!isDeepStrictEqual(after(recent, offset), held)) {
          throw new Error(`after ${offset}: ${after(recent, offset).join()} instead of ${held.join()}`)
        }
        if (recent.covers(offset) !== (offset >= model.start)) {
          throw new Error(`covers ${offset}: ${recent.covers(offset)}`)
        }
        // The promise of `covers`: nothing after the offset is missing.
        if (recent.covers(offset) && offset <= last && held.length !== last - offset) {
          throw new Error(`a hole after ${offset}`)
        }
      }
      if (model.entries.length > 1 && model.bytes > maxBytes) throw new Error('more bytes than allowed')
    }
  }), { numRuns })
  t.pass(`${numRuns} runs`)
})

test('covers its start and holds nothing before anything was passed on', async t => {
  const recent = new RecentEntries(0, 7, 1000)
  t.same(after(recent, 0), [])
  t.ok(recent.covers(7))
  t.notOk(recent.covers(6))
  recent.expire(Infinity)
  recent.truncate(8)
  t.equal(recent.start, 7)
})

test('ends a visit when the visitor has enough', async t => {
  const recent = new RecentEntries(0, 0, 10_000)
  for (let offset = 1; offset <= 9; offset++) recent.push(entry(offset))
  t.same(after(recent, 3, 2), [4, 5])
  t.same(after(recent, 9), [])
})

test('bounds its bytes, but keeps the newest entry, however large', async t => {
  const recent = new RecentEntries(0, 0, 1000)
  for (let offset = 1; offset <= 10; offset++) recent.push(entry(offset, 0, 110))
  t.same(after(recent, 0), [6, 7, 8, 9, 10], 'five of 200 bytes')
  t.equal(recent.start, 5)
  recent.push(entry(11, 0, 5000))
  t.same(after(recent, 0), [11])
  recent.push(entry(12, 0, 40))
  t.same(after(recent, 0), [12])
})

test('frees the bytes of lost entries', async t => {
  const recent = new RecentEntries(0, 0, 1000)
  for (let offset = 1; offset <= 5; offset++) recent.push(entry(offset, 0, 40))
  recent.truncate(4)
  for (let offset = 4; offset <= 5; offset++) recent.push(entry(offset, 0, 40))
  t.same(after(recent, 0), [1, 2, 3, 4, 5])
})

test('drops entries older than a time, and keeps that of the very time', async t => {
  const recent = new RecentEntries(0, 0, 100_000)
  for (let offset = 1; offset <= 5; offset++) recent.push(entry(offset, offset * 10))
  recent.expire(30)
  t.same(after(recent, 0), [3, 4, 5])
  t.ok(recent.covers(2))
  t.notOk(recent.covers(1))
})

test('starts where a loss begins that reaches further back than its entries', async t => {
  const recent = new RecentEntries(0, 0, 100_000)
  for (let offset = 1; offset <= 9; offset++) recent.push(entry(offset, offset))
  recent.expire(8)
  recent.truncate(4)
  t.equal(recent.start, 3)
  t.notOk(recent.covers(2))
  recent.push(entry(4, 20))
  t.same(after(recent, 3), [4])
})

test('stays right over many entries', async t => {
  const recent = new RecentEntries(0, 0, 1e9)
  const last = 3 * BEYOND_COMPACTION
  for (let offset = 1; offset <= last; offset++) {
    recent.push(entry(offset, offset))
    if (offset % 7 === 0) recent.expire(offset - 100)
  }
  recent.expire(last - 99)
  t.same(after(recent, 0), Array.from({ length: 100 }, (_, i) => last - 99 + i))
  t.equal(recent.start, last - 100)
  recent.expire(Infinity)
  t.same(after(recent, 0), [])
  recent.push(entry(last + 1, 0))
  t.same(after(recent, last), [last + 1])
})

test('releases a dropped payload at once, before it frees the room', async t => {
  const recent = new RecentEntries(0, 0, 1e9)
  const before = await bytesUsed()
  for (let offset = 1; offset <= 20; offset++) {
    recent.push({ ...entry(offset, offset), payload: largePayload() })
  }
  const held = await bytesUsed() - before
  recent.expire(19)
  const left = await bytesUsed() - before
  t.ok(held > 19 * LARGE, 'twenty are held')
  t.ok(left < 3 * LARGE, `two remain: ${left} of ${held} bytes`)
  t.same(after(recent, 0), [19, 20])
})
