import {
  type ErrorCode,
  formatStreamQuery,
  MAX_CURSOR_LENGTH,
  MAX_DEPTH,
  MAX_LAST,
  MAX_POLL_LIMIT,
  MAX_THROTTLE_MS,
  MAX_WAIT_SECONDS,
  MIN_THROTTLE_MS,
  parseInteger,
  parseStreamQuery,
  ProtocolError,
  type StreamQuery,
  type SubscribeParameter
} from '@tickwire/protocol'
import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import { test } from 'tap'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 1000)

const word = fc.string({ unit: fc.constantFrom(...'abcz019_'), minLength: 1, maxLength: 6 })
const channel = fc
  .tuple(fc.constantFrom(...'abz'), fc.array(word, { maxLength: 3 }))
  .map(([first, words]) => [first, ...words].join('.'))
const first = fc.constantFrom(...'AZaz09._^#&삼𐀀')
const symbol = fc
  .tuple(first, fc.string({ unit: fc.constantFrom(...'AZaz09._/=^:+&#!-삼𐀀'), maxLength: 63 }))
  .map(parts => parts.join(''))
const set = fc.tuple(fc.constantFrom('@market/', '@sector/'), symbol).map(parts => parts.join(''))
const throttleMs = fc.integer({ min: MIN_THROTTLE_MS, max: MAX_THROTTLE_MS })
const count = (maximum: number): fc.Arbitrary<number> =>
  fc.oneof(fc.integer({ min: 1, max: maximum }), fc.constantFrom(1, maximum))
const text = (maxLength: number): fc.Arbitrary<string> => fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
  fc.string({ unit: fc.constantFrom(...'+ %&=;,:#?/\n\0\r'), minLength: 1, maxLength: 40 }),
  fc.constant('x'.repeat(maxLength))
)

const subscribe: fc.Arbitrary<SubscribeParameter> = fc.record(
  {
    channel,
    symbols: fc.uniqueArray(fc.oneof({ weight: 5, arbitrary: symbol }, set, fc.constant('*')), {
      minLength: 1,
      maxLength: 8
    }),
    throttleMs,
    depth: count(MAX_DEPTH),
    last: count(MAX_LAST),
    fresh: fc.constant(true as const)
  },
  { requiredKeys: ['channel'], noNullPrototype: true }
)

const query: fc.Arbitrary<StreamQuery> = fc.record({
  subscribe: fc.array(subscribe, { maxLength: 4 }),
  throttleMs,
  after: text(MAX_CURSOR_LENGTH),
  lastEventId: text(MAX_CURSOR_LENGTH),
  snapshot: fc.boolean(),
  decimals: fc.constantFrom('number', 'string'),
  wait: fc.integer({ min: 0, max: MAX_WAIT_SECONDS }),
  limit: fc.integer({ min: 1, max: MAX_POLL_LIMIT }),
  heartbeat: fc.integer({ min: 5, max: 60 }),
  token: text(8192),
  ticket: text(8192)
}, { requiredKeys: ['subscribe'], noNullPrototype: true })

/** Returns the error that a query gets. Anything else that is thrown is a bug. */
function refusal (search: string): ProtocolError | undefined {
  try {
    parseStreamQuery(search)
    return undefined
  } catch (error) {
    if (error instanceof ProtocolError) return error
    throw error
  }
}

test('reads a query back as it was written', async t => {
  fc.assert(fc.property(query, query => {
    const search = formatStreamQuery(query)
    const read = parseStreamQuery(search)
    if (!isDeepStrictEqual(read, query)) throw new Error(`${search} is read as ${JSON.stringify(read)}`)
  }), { numRuns })
  t.pass(`${numRuns} queries`)
})

test('writes a query that can stand in any URL and log line', async t => {
  fc.assert(
    fc.property(
      query,
      query => /^[\x21-\x7e]*$/.test(formatStreamQuery(query)) && !formatStreamQuery(query).includes('#')
    ),
    { numRuns }
  )
  t.equal(formatStreamQuery({ subscribe: [] }), '')
  t.equal(
    decodeURIComponent(
      formatStreamQuery({
        subscribe: [{ channel: 'quotes', symbols: ['AAPL', '@market/KOSPI'], throttleMs: 250, fresh: true }],
        after: 'abc.r'
      })
    ),
    'subscribe=quotes:AAPL,@market/KOSPI;throttle_ms=250;fresh&after=abc.r'
  )
})

/** A text without a plain word in lower case, so a refusal must not repeat any of it. */
const FOREIGN = 'Qx9Zw'
const foreign = fc.oneof(
  fc
    .constantFrom(
      '\0',
      '\x07',
      '\x1b[31m',
      '\r\n',
      '\u202e',
      '<b>',
      '"',
      '%00',
      '%0d%0a',
      '%1b',
      '😀',
      '%f0%9f%98%80',
      '1',
      'A',
      '-',
      '.'
    )
    .map(character => FOREIGN + character + FOREIGN),
  fc.string({ unit: 'binary', maxLength: 12 }).map(text => FOREIGN + text)
)
/** The places of such a text, each marked by an @. */
const place = fc.constantFrom(
  '@',
  '@=1',
  '=@',
  '%zz@=1',
  'subscribe=@',
  'subscribe=@:AAPL',
  'subscribe=quotes:@',
  'subscribe=quotes:AAPL;@',
  'subscribe=quotes:AAPL;@=1',
  'subscribe=quotes:AAPL;fresh=@',
  'subscribe=quotes:AAPL;last=@',
  'throttle_ms=@',
  'snapshot=@',
  'decimals=@',
  'wait=@',
  'limit=@',
  'heartbeat=@',
  'token=@&token=@',
  'token=%@',
  `after=${'@'.repeat(120)}`
)

function assertHarmless (error: ProtocolError | undefined): void {
  if (error === undefined) return
  if (!/^[\x20-\x7e]{1,400}$/.test(error.message)) {
    throw new Error(`the message is ${JSON.stringify(error.message)}`)
  }
  if (error.message.includes(FOREIGN)) throw new Error(`the client's text comes back: ${error.message}`)
  if (error.code !== 'bad_request' && error.code !== 'bad_cursor') {
    throw new Error(`the code is ${error.code}`)
  }
}

test('repeats nothing of the client in a refusal but a plain word', async t => {
  fc.assert(
    fc.property(place, foreign, (place, text) => {
      assertHarmless(refusal(place.replaceAll('@', () => text)))
    }),
    { numRuns: numRuns * 2 }
  )
  t.equal(refusal('colour=red')?.message.startsWith("'colour' is not a parameter here"), true)
  t.notMatch(refusal(`${'a'.repeat(33)}=1`)?.message, 'aaa', 'a long word is not repeated')
})

test('throws nothing but a refusal at any random text', async t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
      assertHarmless(refusal(Buffer.from(bytes).toString('latin1')))
    }),
    { numRuns }
  )
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), text => {
      assertHarmless(refusal(text))
    }),
    { numRuns }
  )
  const part = fc.oneof(
    fc.constantFrom(
      'subscribe',
      'throttle_ms',
      'after',
      'snapshot',
      'decimals',
      'wait',
      'limit',
      'heartbeat',
      'token',
      'ticket',
      'fresh',
      'depth',
      'last',
      'quotes',
      'AAPL',
      'true',
      '10',
      '='
    ),
    fc.constantFrom(...'==&&;;::,,+%*@/ \n\0'),
    fc.constantFrom('%20', '%', '%E0%A4', '%C0%80', '%00', '\ud800')
  )
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 20 }).map(parts => parts.join('')),
      search => {
        assertHarmless(refusal(search))
      }
    ),
    { numRuns: numRuns * 2 }
  )
  t.pass('nothing else was thrown')
})

const bad: ReadonlyArray<readonly [name: string, search: string, code: ErrorCode]> = [
  ['an unknown parameter', 'colour=red', 'bad_request'],
  ['a parameter in capitals', 'Subscribe=news', 'bad_request'],
  ['a name that every object has', 'constructor=1', 'bad_request'],
  ['a prototype', '__proto__=1', 'bad_request'],
  ['a parameter without a name', '=1', 'bad_request'],
  ['a question mark behind a value', 'subscribe=quotes:AAPL?limit=nonsense', 'bad_request'],
  ['a question mark behind a token', 'token=a?limit=1', 'bad_request'],
  ['a question mark before a name', '?subscribe=news', 'bad_request'],
  ['a question mark alone', '?', 'bad_request'],
  ['a parameter without a value', 'subscribe', 'bad_request'],
  ['malformed percent-encoding in a name', '%zz=1', 'bad_request'],
  ['malformed percent-encoding in a value', 'token=%', 'bad_request'],
  ['percent-encoding that is not UTF-8', 'subscribe=quotes:%E0%A4', 'bad_request'],
  ['an overlong NUL', 'token=%C0%80', 'bad_request'],
  ...['throttle_ms=10', 'after=a', 'lastEventId=a', 'snapshot=true', 'decimals=number', 'wait=1', 'limit=1', 'heartbeat=5', 'token=a', 'ticket=a']
    .map(pair => [`twice ${pair}`, `${pair}&${pair}`, 'bad_request'] as const),
  ['the same parameter, once escaped', 'limit=1&%6Cimit=1', 'bad_request'],
  ['limit=0', 'limit=0', 'bad_request'],
  ['limit=10001', 'limit=10001', 'bad_request'],
  ['limit with a leading zero', 'limit=010', 'bad_request'],
  ['limit with a sign', 'limit=%2B1', 'bad_request'],
  ['limit in exponents', 'limit=1e3', 'bad_request'],
  ['limit in hexadecimal', 'limit=0x10', 'bad_request'],
  ['limit with a space', 'limit=+1', 'bad_request'],
  ['limit with a line break', 'limit=1%0a', 'bad_request'],
  ['no limit', 'limit=', 'bad_request'],
  ['digits of another script', 'limit=%D9%A1', 'bad_request'],
  ['wait=31', 'wait=31', 'bad_request'],
  ...['heartbeat=4', 'heartbeat=61', 'heartbeat=5.5', 'heartbeat=05', 'heartbeat='].map(query => [query, query, 'bad_request'] as const),
  ['wait=-1', 'wait=-1', 'bad_request'],
  ['wait=1.5', 'wait=1.5', 'bad_request'],
  ['throttle_ms=9', 'throttle_ms=9', 'bad_request'],
  ['throttle_ms=60001', 'throttle_ms=60001', 'bad_request'],
  ['snapshot=1', 'snapshot=1', 'bad_request'],
  ['snapshot=TRUE', 'snapshot=TRUE', 'bad_request'],
  ['decimals=float', 'decimals=float', 'bad_request'],
  ['an empty cursor', 'after=', 'bad_cursor'],
  ['a cursor of 513 characters', `after=${'A'.repeat(513)}`, 'bad_cursor'],
  ['an empty token', 'token=', 'bad_request'],
  ['a token of 8193 characters', `token=${'A'.repeat(8193)}`, 'bad_request'],
  ['an empty ticket', 'ticket=', 'bad_request'],
  ['an empty subscribe', 'subscribe=', 'bad_request'],
  ['a good subscribe and an empty one', 'subscribe=news&subscribe=', 'bad_request'],
  ['a channel in capitals', 'subscribe=Quotes:AAPL', 'bad_request'],
  ['a channel of 33 characters', `subscribe=${'a'.repeat(33)}`, 'bad_request'],
  ['a channel with its user', 'subscribe=orders@alice', 'bad_request'],
  ['no symbol', 'subscribe=quotes:', 'bad_request'],
  ['an empty symbol', 'subscribe=quotes:AAPL,', 'bad_request'],
  ['an empty symbol in the middle', 'subscribe=quotes:A,,B', 'bad_request'],
  ['a symbol that begins with a colon', 'subscribe=quotes::A', 'bad_request'],
  ['+ for a space in a symbol', 'subscribe=quotes:BTC+USD', 'bad_request'],
  ['a space behind the comma', 'subscribe=quotes:A,%20B', 'bad_request'],
  ['control characters in a symbol', 'subscribe=quotes:A%00%07B', 'bad_request'],
  ['a line break behind a symbol', 'subscribe=quotes:A%0a', 'bad_request'],
  ['a line break behind a channel', 'subscribe=news%0a', 'bad_request'],
  ['letters beyond ASCII that are not percent-encoded', 'subscribe=quotes:é', 'bad_request'],
  ['a symbol that is not in NFC', 'subscribe=quotes:e%CC%81', 'bad_request'],
  ['a symbol of 65 characters', `subscribe=quotes:${'A'.repeat(65)}`, 'bad_request'],
  ['1001 symbols', `subscribe=quotes:${Array.from({ length: 1001 }, (_, i) => `S${i}`).join(',')}`, 'bad_request'],
  ['a set that is none', 'subscribe=quotes:@country/KR', 'bad_request'],
  ['a set without its name', 'subscribe=quotes:@market/', 'bad_request'],
  ['an unknown option', 'subscribe=quotes:AAPL;colour=red', 'bad_request'],
  ['an empty option', 'subscribe=quotes:AAPL;', 'bad_request'],
  ['the option throttle_ms twice', 'subscribe=quotes:AAPL;throttle_ms=10;throttle_ms=10', 'bad_request'],
  ['the option depth twice', 'subscribe=book:AAPL;depth=1;depth=2', 'bad_request'],
  ['the option last twice', 'subscribe=trades:AAPL;last=1;last=1', 'bad_request'],
  ['the option fresh twice', 'subscribe=quotes:AAPL;fresh;fresh', 'bad_request'],
  ['fresh with a value', 'subscribe=quotes:AAPL;fresh=true', 'bad_request'],
  ['fresh with an empty value', 'subscribe=quotes:AAPL;fresh=', 'bad_request'],
  ['throttle_ms without a value', 'subscribe=quotes:AAPL;throttle_ms', 'bad_request'],
  ['the option throttle_ms=9', 'subscribe=quotes:AAPL;throttle_ms=9', 'bad_request'],
  ['depth=0', 'subscribe=book:AAPL;depth=0', 'bad_request'],
  ['last=0', 'subscribe=trades:AAPL;last=0', 'bad_request'],
  ['depth beyond its bound', 'subscribe=book:AAPL;depth=5001', 'bad_request'],
  ['last beyond its bound', 'subscribe=trades:AAPL;last=10001', 'bad_request'],
  ['last beyond what can be counted', 'subscribe=trades:AAPL;last=9007199254740992', 'bad_request'],
  ['last of a hundred digits', `subscribe=trades:AAPL;last=${'9'.repeat(100)}`, 'bad_request'],
  ['a name that every object has, as an option', 'subscribe=quotes:AAPL;constructor', 'bad_request'],
  ['an option before the symbols', 'subscribe=quotes;fresh:AAPL', 'bad_request']
]

test('refuses bad queries with their codes', async t => {
  for (const [name, search, code] of bad) t.equal(refusal(search)?.code, code, name)
})

const good: ReadonlyArray<readonly [search: string, query: StreamQuery]> = [
  ['', { subscribe: [] }],
  ['&&', { subscribe: [] }],
  ['subscribe=news', { subscribe: [{ channel: 'news' }] }],
  ['&subscribe=news&', { subscribe: [{ channel: 'news' }] }],
  ['subscribe=quotes:AAPL,MSFT;throttle_ms=250', { subscribe: [{ channel: 'quotes', symbols: ['AAPL', 'MSFT'], throttleMs: 250 }] }],
  ['subscribe=quotes%3AAAPL%2CMSFT%3Bthrottle_ms%3D250', { subscribe: [{ channel: 'quotes', symbols: ['AAPL', 'MSFT'], throttleMs: 250 }] }],
  ['subscribe=quotes:AAPL&subscribe=quotes:AAPL', { subscribe: [{ channel: 'quotes', symbols: ['AAPL'] }, { channel: 'quotes', symbols: ['AAPL'] }] }],
  ['subscribe=quotes:AAPL,AAPL', { subscribe: [{ channel: 'quotes', symbols: ['AAPL'] }] }],
  ['subscribe=quotes:ES=F,EUR/USD,BRK.B,A^B', { subscribe: [{ channel: 'quotes', symbols: ['ES=F', 'EUR/USD', 'BRK.B', 'A^B'] }] }],
  ['subscribe=quotes:*,@market/KOSPI', { subscribe: [{ channel: 'quotes', symbols: ['*', '@market/KOSPI'] }] }],
  ['subscribe=bars.1s:AAPL', { subscribe: [{ channel: 'bars.1s', symbols: ['AAPL'] }] }],
  ['subscribe=book:AAPL;depth=10;last=50;fresh', { subscribe: [{ channel: 'book', symbols: ['AAPL'], depth: 10, last: 50, fresh: true }] }],
  ['subscribe=nothing:A', { subscribe: [{ channel: 'nothing', symbols: ['A'] }] }],
  [`subscribe=quotes:${'A'.repeat(32)}`, { subscribe: [{ channel: 'quotes', symbols: ['A'.repeat(32)] }] }],
  ['limit=1&wait=0&throttle_ms=10', { subscribe: [], limit: 1, wait: 0, throttleMs: 10 }],
  ['heartbeat=5', { subscribe: [], heartbeat: 5 }],
  ['heartbeat=60', { subscribe: [], heartbeat: 60 }],
  ['limit=10000&wait=30&throttle_ms=60000', { subscribe: [], limit: 10_000, wait: 30, throttleMs: 60_000 }],
  ['snapshot=false&decimals=string', { subscribe: [], snapshot: false, decimals: 'string' }],
  ['lastEventId=a,b', { subscribe: [], lastEventId: 'a,b' }],
  ['lastEventId=', { subscribe: [], lastEventId: '' }],
  ['token=a+b%2Bc=', { subscribe: [], token: 'a b+c=' }],
  [`after=${'A'.repeat(512)}&ticket=t`, { subscribe: [], after: 'A'.repeat(512), ticket: 't' }]
]

test('reads good queries', async t => {
  for (const [search, query] of good) t.same(parseStreamQuery(search), query, search.slice(0, 80))
})

test('keeps whole numbers within their bounds', async t => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1000 }),
      fc.integer({ min: 0, max: 1000 }),
      fc.nat(1200),
      (a, b, value) => {
        const [minimum, maximum] = a < b ? [a, b] : [b, a]
        const inside = value >= minimum && value <= maximum
        try {
          return parseInteger('limit', String(value), minimum, maximum) === value && inside
        } catch (error) {
          return error instanceof ProtocolError && !inside
        }
      }
    ),
    { numRuns }
  )
  t.equal(
    parseInteger('after', String(Number.MAX_SAFE_INTEGER), 0, Number.MAX_SAFE_INTEGER),
    Number.MAX_SAFE_INTEGER
  )
  t.throws(() => parseInteger('after', '9007199254740992', 0, Number.MAX_SAFE_INTEGER))
})
