import { decodeText, ProtocolError, readJson, readJsonItems, readJsonMessage } from '@tickwire/protocol'
import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import { test } from 'tap'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 1000)

/**
 * Returns the code that a text is refused with, or undefined if it is read. Anything else that is thrown is a
 * bug.
 */
function refusal (text: string): string | undefined {
  try {
    return readJson(text).error?.code
  } catch (error) {
    if (error instanceof ProtocolError) return error.code
    throw error
  }
}

const EXACT = [
  '0',
  '-0',
  '1',
  '-1',
  '9007199254740991',
  '-9007199254740991',
  '9007199254740992',
  '9007199254740994',
  '18014398509481984',
  '1000000000000000000000',
  '1.0',
  '1.50',
  '0.1',
  '1e3',
  '1E+3',
  '10E-1',
  '1.5e1',
  '0.0',
  '0e5',
  '-0.0',
  '9007199254740991.0',
  '9007199254740991.000000000000000000000',
  '900719925474099.1e1',
  '1e21',
  '1e23',
  '1e300',
  '1.7976931348623157e+308',
  '5e-324',
  '0.30000000000000004',
  '3.141592653589793238462643',
  '1.7e-7',
  '0e400'
]
const INEXACT = [
  '9007199254740993',
  '-9007199254740993',
  '1718000000123456789',
  '18446744073709551615',
  '1718000000123456800',
  '100000000000000000000001',
  '9007199254740993.0',
  '9007199254740992.5',
  '900719925474099.3e1',
  '9007199254740993e0',
  '90071992547409930e-1',
  '1.00000000000000000001',
  '1e400',
  '-1e400',
  '1e-400',
  `1${'0'.repeat(400)}`,
  `0.${'0'.repeat(400)}1`,
  `1.${'0'.repeat(100)}1`
]
/** Places of a number, among texts that look like numbers and are none. */
const PLACES = [
  '?', ' ?', '[?]', '[1,?]', '[ ? ]', '{"a":?}', '{"a" : ?}', '{"a":[{"b":\t?\n}]}',
  '{"1e400":"9007199254740993 1e400, 1e400",\r\n"b":?}', '["\\"",?,"\\\\"]'
]

test('refuses a number that would be read as another, wherever it stands, and reads all others', async t => {
  for (const place of PLACES) {
    for (const number of EXACT) {
      const text = place.replace('?', number)
      t.equal(refusal(text), undefined, text)
      t.same(readJson(text), { value: JSON.parse(text) as unknown }, text)
    }
    for (const number of INEXACT) {
      t.equal(refusal(place.replace('?', number)), 'invalid_message', place.replace('?', number).slice(0, 80))
    }
  }
  for (const text of ['"9007199254740993"', '{"9007199254740993":1}', '[", 9007199254740993"]', '"\\", 1e400"', '["a\\\\",1]', '"[1718000000123456789]"']) {
    t.equal(refusal(text), undefined, text)
  }
  t.match(readJson('{"id":9007199254740993}').error, {
    message: 'the number 9007199254740993 cannot be held exactly; integers can, up to 9007199254740991'
  })
  t.match(readJson(`1${'0'.repeat(4000)}`).error, { message: /^the number 10{39}… cannot be held exactly/ })
})

test('reads every integer exactly, or refuses it', async t => {
  let refused = 0
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
      fc.nat({ max: 12 }),
      fc.boolean(),
      (integer, zeros, point) => {
        const text = point ? `${integer}.${'0'.repeat(zeros + 1)}` : String(integer)
        const holds = BigInt(Number(integer)) === integer
        const code = refusal(`{"a":[${text}]}`)
        if (code !== undefined) refused++
        if (!point && (code === undefined) !== holds) throw new Error(`${text}: ${code}`)
        if (
          code === undefined &&
          !holds &&
          BigInt(Math.abs(Number(integer))) < 2n ** 63n &&
          String(Number(integer)) !== String(integer)
        ) { throw new Error(`${text} is read as ${Number(integer)}`) }
      }
    ),
    { numRuns }
  )
  fc.assert(fc.property(fc.json(), text => {
    const code = refusal(text)
    if (code === undefined && !isDeepStrictEqual(readJson(text).value, JSON.parse(text))) {
      throw new Error(text)
    }
    if (code === 'invalid_message' && !/\d{16}|[\d.]{16}|e/i.test(text)) throw new Error(`${text}: ${code}`)
  }), { numRuns })
  t.ok(refused > 0, `${refused} refused`)
})

test('refuses only those items of a list that have such a number', async t => {
  const codes = (text: string): unknown[] =>
    readJsonItems(text).map(({ value, error }) => error === undefined ? value : error.code)
  t.same(codes('[{"a":1},{"a":9007199254740993},[1,[9007199254740993,1e400],2],"x,y",-1e400,{"b":"]"}]'), [
    { a: 1 },
    'invalid_message',
    'invalid_message',
    'x,y',
    'invalid_message',
    { b: ']' }
  ])
  t.same(codes('{"a":1,"b":9007199254740993}'), ['invalid_message'])
  t.same(codes('{"a":[1,2]}'), [{ a: [1, 2] }])
  t.same(codes('[]'), [])
  t.same(codes('[9007199254740993]'), ['invalid_message'])
  t.throws(() => readJsonItems('[1,'), { code: 'invalid_json' })
})

test('refuses text that is not UTF-8, and drops a byte order mark at its start', async t => {
  const bytes = (...parts: Array<string | number>): Buffer =>
    Buffer.concat(parts.map(part => typeof part === 'string' ? Buffer.from(part) : Buffer.of(part)))
  t.equal(decodeText(bytes('삼성 😀')), '삼성 😀')
  t.equal(decodeText(bytes('\ufeff{}')), '{}')
  t.equal(decodeText(bytes('{"a":"\ufeff"}')), '{"a":"\ufeff"}', 'elsewhere it is a character')
  for (const [name, bad] of [
    ['cut off', bytes('A', 0xf0, 0x9f, 0x98)], ['broken off', bytes('A', 0xf0, 0x9f, 0x98, 'B')], ['CP949', bytes(0xbb, 0xef, 0xbc, 0xba)], ['half of a pair', bytes(0xed, 0xa0, 0x80)], ['too long', bytes(0xc0, 0x80)],
    ['beyond Unicode', bytes(0xf4, 0x90, 0x80, 0x80)], ['UTF-16', Buffer.from('\ufeff{}', 'utf16le')]
  ] as const) {
    t.throws(() => decodeText(bad), { code: 'invalid_json', message: 'the text is not UTF-8' }, name)
  }
  t.same(readJson('\ufeff{"a":1}'), { value: { a: 1 } })
  t.same(readJsonItems('\ufeff[1,2]'), [{ value: 1 }, { value: 2 }])
  t.equal(refusal('\ufeff\ufeff{}'), 'invalid_json')
})

test('refuses an escape of half a character, as it does such bytes', async t => {
  for (const text of ['"\\ud83d\\ude00"', '"\\uD83D\\uDE00"', '"\\\\ud83d"', '"\\\\\\\\udc00 \\u0041"', '["\\ud83d\\ude00","\\ufeff"]', '"\\ud7ff\\ue000"']) {
    t.equal(refusal(text), undefined, text)
  }
  for (const text of ['"\\ud83d"', '"\\ude00"', '"\\ude00\\ud83d"', '"\\\\\\ud83d"', '{"\\ud83d":1}', '[1,{"a":["x\\uDBFFy"]}]']) {
    t.equal(refusal(text), 'invalid_json', text)
  }
})

test('refuses text that is not JSON without repeating it', async t => {
  for (const text of ['', '{', '<script>', '[1,]', '01', '1e', 'NaN', '"\t"']) {
    t.throws(() => readJson(text), { code: 'invalid_json', message: 'the message is not JSON' }, text)
  }
  fc.assert(fc.property(fc.string({ unit: 'binary' }), text => { refusal(text) }), { numRuns })
  const deep = '['.repeat(100_000)
  t.equal(refusal(`${deep}9007199254740993${deep.replaceAll('[', ']')}`), 'invalid_message', 'however deep')
  t.equal(refusal(`"${'\\\\'.repeat(200_000)}"`), undefined)
})

test('judges the items of a named list one by one, and the rest with the message', async t => {
  const spaces = fc.constantFrom('', ' ', '\n')
  const value = fc.constantFrom(
    '1',
    '"a,]:{"',
    '[1,[2,{"messages":[3]}]]',
    '{"messages":[1e400]}'.replace('1e400', '1'),
    'null',
    '{}',
    '[]'
  )
  const item = fc.oneof(
    value.map(text => ({ text, isExact: true })),
    fc
      .constantFrom('1e400', '[{"messages":[9007199254740993]}]', '{"a":[1,1e400]}')
      .map(text => ({ text, isExact: false }))
  )
  const property = fc.record({
    name: fc.constantFrom('"messages"', '"m\\u0065ssages"'),
    items: fc.array(item, { maxLength: 5 }),
    isExact: fc.boolean(),
    space: spaces,
    first: fc.boolean()
  })
  fc.assert(fc.property(property, ({ name, items, isExact, space, first }) => {
    const beside = `"x":${space}${isExact ? '[1,2]' : '[1,1e400]'}`
    const list = `${name}${space}:${space}[${items.map(({ text }) => text).join(`${space},`)}]`
    const { error, itemErrors } = readJsonMessage(
      `{${first ? `${list},${beside}` : `${beside},${list}`}}`,
      'messages'
    )
    t.equal(error?.code, isExact ? undefined : 'invalid_message', list)
    t.same([...itemErrors.keys()], items.flatMap((one, index) => one.isExact ? [] : [index]), list)
  }), { numRuns: Math.min(numRuns, 500) })
  const twice = readJsonMessage('{"messages":[1e400,1],"messages":[1,1e400,1]}', 'messages')
  t.same([...twice.itemErrors.keys()], [1], 'of a property that stands twice the last one counts')
  t.equal(readJsonMessage('[1e400]', 'messages').error, undefined)
  t.equal(
    readJsonMessage('{"deep":{"messages":[1e400]}}', 'messages').error?.code,
    'invalid_message',
    'a deeper list of that name does not count'
  )
})
