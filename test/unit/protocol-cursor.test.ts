import {
  type Cursor,
  decodeCursor,
  decodeEpoch,
  encodeCursor,
  encodeEpoch,
  MAX_CURSOR_LENGTH,
  MAX_EPOCH,
  MAX_OFFSET,
  MAX_SHARDS,
  type ThrottledChannels
} from '@tickwire/protocol'
import fc from 'fast-check'
import { test } from 'tap'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 500)

const ALPHABET = /^[A-Za-z0-9._~-]+$/

const epoch = fc.oneof(fc.integer({ min: 0, max: MAX_EPOCH }), fc.constantFrom(0, 1, 2 ** 31, MAX_EPOCH))
const offset = fc.oneof(
  fc.integer({ min: 0, max: MAX_OFFSET }),
  fc.constantFrom(0, 1, 2 ** 32 - 1, 2 ** 32, MAX_OFFSET)
)
const shards = fc.uniqueArray(
  fc.record({ shard: fc.integer({ min: 0, max: MAX_SHARDS - 1 }), epoch, offset }),
  { maxLength: MAX_SHARDS, selector: ({ shard }) => shard, size: 'max' }
)
const cursor: fc.Arbitrary<Cursor> = fc.record({
  shards: shards.map(list => new Map(list.map(({ shard, epoch, offset }) => [shard, { epoch, offset }]))),
  lostTopics: fc.option(fc.integer({ min: 0, max: 2 ** 48 - 1 }), { nil: undefined }),
  throttled: fc.constantFrom<ThrottledChannels>(
    'all',
    new Set(),
    new Set(['quotes']),
    new Set(['bars.1s', 'book', 'quotes'])
  )
})
const epochs = fc.array(epoch, { minLength: 1, maxLength: MAX_SHARDS, size: 'max' })

/** A text as it may arrive: cut, grown, or with one character changed, added or dropped. */
const mutation = (text: string): fc.Arbitrary<string> => {
  const place = fc.nat(text.length)
  const character = fc.oneof(
    fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~=+/ \n\0'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 })
  )
  return fc.oneof(
    place.map(at => text.slice(0, at)),
    place.map(at => text.slice(at)),
    fc.string({ unit: character, minLength: 1, maxLength: 8 }).map(more => text + more),
    fc.tuple(place, character).map(([at, other]) => text.slice(0, at) + other + text.slice(at + 1)),
    fc.tuple(place, character).map(([at, other]) => text.slice(0, at) + other + text.slice(at)),
    place.map(at => text.slice(0, at) + text.slice(at + 1))
  )
}

/** Checks that a text decodes to nothing, or is the only spelling of what it decodes to. */
function assertCanonical<Value> (
  text: string,
  decode: (text: string) => Value | undefined,
  encode: (value: Value) => string
): void {
  const value = decode(text)
  if (value !== undefined && encode(value) !== text) { throw new Error(`${JSON.stringify(text)} is read, and written as ${encode(value)}`) }
}

test('reads a cursor of any shards back, in the alphabet and length that clients rely on', async t => {
  fc.assert(fc.property(cursor, cursor => {
    const text = encodeCursor(cursor)
    if (!ALPHABET.test(text)) throw new Error(`outside the alphabet: ${text}`)
    if (text.length > MAX_CURSOR_LENGTH) throw new Error(`${text.length} characters`)
    const read = decodeCursor(text)
    if (read === undefined) throw new Error(`not read back: ${text}`)
    const sorted = (of: Cursor): unknown => ({
      ...of,
      throttled: of.throttled === 'all' ? 'all' : [...of.throttled].sort(),
      shards: [...of.shards].sort(([a], [b]) => a - b)
    })
    if (JSON.stringify(sorted(read)) !== JSON.stringify(sorted(cursor))) {
      throw new Error(`read back as ${JSON.stringify(sorted(read))}`)
    }
  }), { numRuns })
  t.pass(`${numRuns} cursors`)
})

test('fits the largest cursor', async t => {
  const largest = new Map(
    Array.from({ length: MAX_SHARDS }, (_, shard) => [shard, { epoch: MAX_EPOCH, offset: MAX_OFFSET }])
  )
  const text = encodeCursor({ shards: largest, lostTopics: 2 ** 48 - 1, throttled: new Set() })
  t.ok(text.length <= MAX_CURSOR_LENGTH, `${text.length} characters`)
  t.same([...decodeCursor(text)!.shards], [...largest])
})

test('reads a damaged cursor as none, or as the one that is spelled so, and never throws', async t => {
  fc.assert(fc.property(cursor.chain(cursor => mutation(encodeCursor(cursor))), text => {
    assertCanonical(text, decodeCursor, encodeCursor)
  }), { numRuns: numRuns * 4 })
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 600, size: 'max' }), text => {
      assertCanonical(text, decodeCursor, encodeCursor)
    }),
    { numRuns }
  )
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400, size: 'max' }), bytes => {
    // A valid version byte, so that the rest is read.
    assertCanonical(Buffer.from([1, ...bytes]).toString('base64url'), decodeCursor, encodeCursor)
  }), { numRuns })
  t.pass('nothing else was read')
})

test('refuses texts that are no cursor', async t => {
  const one = encodeCursor({
    shards: new Map([[0, { epoch: 7, offset: 9 }]]),
    lostTopics: undefined,
    throttled: new Set()
  })
  t.equal(one.length, 20)
  const empty = encodeCursor({ shards: new Map(), lostTopics: undefined, throttled: new Set() })
  t.match(decodeCursor(empty), { lostTopics: undefined })
  // Five bytes are seven characters; the last of them has two bits that mean nothing.
  const strayBits = empty.slice(0, -1) + 'B'
  t.same(
    Buffer.from(strayBits, 'base64url'),
    Buffer.from(empty, 'base64url'),
    'the same bytes, spelled otherwise'
  )
  const refused: ReadonlyArray<readonly [string, string]> = [
    ['nothing', ''],
    ['the suffix alone', '.r'],
    ['bits behind the last byte', strayBits],
    ['padding', empty + '='],
    ['the other alphabet of base64', one.slice(0, -1) + '+'],
    ['white space', one + '\n'],
    ['a length that base64 cannot have', one + 'A'],
    ['a byte more', Buffer.concat([Buffer.from(one, 'base64url'), Buffer.from([0])]).toString('base64url')],
    ['a byte less', Buffer.from(one, 'base64url').subarray(0, -1).toString('base64url')],
    ['another version', Buffer.concat([Buffer.from([2]), Buffer.from(one, 'base64url').subarray(1)]).toString('base64url')],
    ['the suffix twice', one + '.r.r'],
    ['another suffix', one + '.x'],
    ['more than 512 characters', one.repeat(26)]
  ]
  for (const [name, text] of refused) t.equal(decodeCursor(text), undefined, name)
})

test('reads epochs back, and a damaged text as none or as the epochs that are spelled so', async t => {
  fc.assert(fc.property(epochs, epochs => {
    const text = encodeEpoch(epochs)
    if (!ALPHABET.test(text)) throw new Error(`outside the alphabet: ${text}`)
    // The most that a client may send (messages/client.ts).
    if (text.length > 256) throw new Error(`${text.length} characters`)
    if (JSON.stringify(decodeEpoch(text)) !== JSON.stringify(epochs)) {
      throw new Error(`read back as ${JSON.stringify(decodeEpoch(text))}`)
    }
  }), { numRuns })
  fc.assert(
    fc.property(
      epochs.chain(epochs => mutation(encodeEpoch(epochs))),
      text => {
        assertCanonical(text, decodeEpoch, encodeEpoch)
      }
    ),
    { numRuns: numRuns * 2 }
  )
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300, size: 'max' }), text => {
      assertCanonical(text, decodeEpoch, encodeEpoch)
    }),
    { numRuns }
  )
  t.equal(decodeEpoch(''), undefined)
  t.equal(
    decodeEpoch(encodeEpoch(Array.from({ length: MAX_SHARDS + 1 }, () => 1))),
    undefined,
    'more shards than there can be'
  )
})
