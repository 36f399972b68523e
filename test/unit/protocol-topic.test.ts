import {
  isChannelName,
  isSymbol,
  isSymbolSet,
  parseTopicKey,
  parseTopicName,
  type Topic,
  topicKey,
  topicScope
} from '@tickwire/protocol'
import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import { test } from 'tap'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 1000)

const word = fc.string({ unit: fc.constantFrom(...'abcxyz0189_'), minLength: 1, maxLength: 6 })
const channel = fc
  .tuple(fc.constantFrom(...'abz'), fc.array(word, { maxLength: 3 }))
  .map(([first, words]) => [first, ...words].join('.'))
const symbol = fc
  .tuple(
    fc.constantFrom(...'AZaz09._^#&삼𐀀'),
    fc.string({ unit: fc.constantFrom(...'AZaz09._/=^:+&#!-삼𐀀'), maxLength: 63 })
  )
  .map(parts => parts.join(''))
/** A token's `sub` is any text, even one that looks like part of a key. */
const user = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...'@!:*a\n\0') }))

const topic: fc.Arbitrary<Topic> = fc.record({ channel, symbol, user }, { requiredKeys: ['channel'] })

/** Compares topics by their fields: records of fast-check have no prototype. */
const assertSame = (a: Topic, b: Topic): void => {
  if (!isDeepStrictEqual({ ...a }, { ...b })) {
    throw new Error(`${JSON.stringify(a)} is not ${JSON.stringify(b)}`)
  }
}

test('reads the key of a topic back, whatever the user is called', async t => {
  fc.assert(fc.property(topic, topic => { assertSame(parseTopicKey(topicKey(topic)), topic) }), { numRuns })
  t.pass(`${numRuns} topics`)
})

test('takes channel and user without the symbol as the scope', async t => {
  fc.assert(fc.property(topic, ({ symbol, ...rest }) => {
    const key = topicKey({ ...rest, ...(symbol === undefined ? {} : { symbol }) })
    const scope = topicScope(key)
    if (scope !== topicKey(rest)) throw new Error(`${JSON.stringify(key)} is in ${JSON.stringify(scope)}`)
    if (topicScope(scope) !== scope) throw new Error('a scope is its own scope')
  }), { numRuns })
  t.equal(topicScope('quotes:AAPL'), 'quotes')
  t.equal(topicScope('strategy:S1@alice'), 'strategy@alice')
  t.equal(topicScope('orders@alice:bob'), 'orders@alice:bob', "a user's colon is not the symbol's")
  t.equal(topicScope('strategy:S1!x:y@a:b@c'), 'strategy@a:b@c')
})

test('mistakes no user for a symbol or another user', async t => {
  fc.assert(fc.property(topic, topic, (a, b) => {
    if (topicKey(a) === topicKey(b)) assertSame(a, b)
  }), { numRuns })
  t.same(parseTopicKey('orders@a:b@c!d'), { channel: 'orders', user: 'a:b@c!d' })
  t.same(parseTopicKey('orders@'), { channel: 'orders', user: '' })
})

test('reads the names that clients write, and no others', async t => {
  fc.assert(fc.property(channel, fc.option(symbol, { nil: undefined }), (channel, symbol) => {
    const topic: Topic = symbol === undefined ? { channel } : { channel, symbol }
    const read = parseTopicName(topicKey(topic))
    if (read === undefined) throw new Error(`${topicKey(topic)} is not read`)
    assertSame(read, topic)
  }), { numRuns })
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 80 }), text => {
    const topic = parseTopicName(text)
    if (topic !== undefined && (topicKey(topic) !== text || topic.user !== undefined)) {
      throw new Error(`${JSON.stringify(text)} is read as ${JSON.stringify(topic)}`)
    }
  }), { numRuns })
  for (const text of ['', ':', 'quotes:', ':AAPL', 'quotes::A', 'quotes:*', 'quotes:@market/KOSPI', 'orders@alice', 'quotes:A@b', 'Quotes:A', 'quotes:A\n', 'quotes:A,B', `quotes:${'A'.repeat(65)}`, 'quotes:e\u0301']) {
    t.equal(parseTopicName(text), undefined, JSON.stringify(text))
  }
})

test('tells symbols, sets and channel names from other texts', async t => {
  const symbols = [
    'AAPL',
    '005930',
    'BTC-USD',
    'BRK.B',
    'A^B',
    'EUR/USD',
    'ES=F',
    'a',
    'A'.repeat(64),
    '^GSPC',
    '.DJI',
    'BTC/USDT:USDT',
    'ES1!',
    'O:SPY251219C00650000',
    '币安人生USDT',
    '삼성전자',
    'é',
    'Ⅷ',
    '½',
    '#A',
    '&A',
    '_A',
    '..',
    '삼'.repeat(64),
    '𐀀'.repeat(64),
    'नमस्ते',
    'x\u0302',
    'A+B&C#D!'
  ]
  const none = [
    '',
    '*',
    '-A',
    '+A',
    '!A',
    ':A',
    '/A',
    '=A',
    'A B',
    'A,B',
    'A;B',
    'A@B',
    'A*',
    'A?',
    'A%',
    'A{',
    'A\n',
    '\nA',
    'A\u200d',
    '\u0301A',
    '😀',
    '\ud800',
    'A\ud800',
    'A'.repeat(65),
    '삼'.repeat(65),
    '𐀀'.repeat(65),
    '삼성전자'.normalize('NFD'),
    'e\u0301',
    '\u212b',
    '\ufeffA'
  ]
  for (const text of symbols) {
    t.ok(isSymbol(text), text)
    for (const kind of ['market', 'sector']) t.ok(isSymbolSet(`@${kind}/${text}`), `@${kind}/${text}`)
  }
  for (const text of none) {
    t.notOk(isSymbol(text), JSON.stringify(text))
    t.notOk(isSymbolSet(`@market/${text}`), `@market/${JSON.stringify(text)}`)
  }
  t.ok(isSymbolSet('*'))
  for (const text of ['', '**', '*A', '@market', '@country/KR', '@market/*', 'A', '@@market/A']) {
    t.notOk(isSymbolSet(text), JSON.stringify(text))
  }
  for (const text of ['quotes', 'bars.1s', 'bars.5m', 'a_b', 'a'.repeat(32)]) t.ok(isChannelName(text), text)
  for (const text of ['', 'Quotes', '1s', '.a', 'a.', 'a..b', 'a:b', 'a!b', 'a@b', 'a\n', 'a'.repeat(33)]) {
    t.notOk(isChannelName(text), JSON.stringify(text))
  }
})

test('takes one spelling of a name as its symbol', async t => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 70 }), text => {
    if (!isSymbol(text)) return
    const isCanonical = text === text.normalize('NFC') && [...text].length <= 64
    if (!isCanonical || /[\s,;*@%?{}\p{Cc}\p{Cs}]/u.test(text)) throw new Error(JSON.stringify(text))
  }), { numRuns })
  t.pass(`${numRuns} texts`)
})
