import { DECIMAL_PATTERN } from '@tickwire/protocol'
import fc from 'fast-check'
import { test } from 'tap'
import { binance } from '../../src/sources/venues/binance/index.js'
import { coinbase } from '../../src/sources/venues/coinbase/index.js'
import { plainDecimal } from '../../src/book/decimals.js'
import { kraken } from '../../src/sources/venues/kraken/index.js'
import { parseSources } from '../../src/sources/registry.js'
import type { SourceMessage } from '../../src/sources/source.js'

test('Coinbase: turns each kind of frame into messages', async t => {
  const parser = coinbase.createParser()
  const parse = (frame: object): readonly SourceMessage[] => parser.parse(JSON.stringify(frame))
  const ticker = {
    type: 'ticker',
    product_id: 'A-B',
    price: '1.50',
    open_24h: '1.0',
    volume_24h: '94381.28000000',
    low_24h: '.9',
    high_24h: '2',
    best_bid: '1.490',
    best_ask: '1.500',
    time: '2021-04-17T16:43:30.244075Z'
  }
  const quote = {
    symbol: 'A-B',
    bid: '1.490',
    ask: '1.500',
    last: '1.50',
    volume: '94381.28000000',
    open: '1.0',
    high: '2',
    venue_time: '2021-04-17T16:43:30.244075Z'
  }
  t.same(
    parse(ticker), [{ channel: 'quotes', symbol: 'A-B', data: quote }],
    'what is no decimal is left out, not altered'
  )
  const match = {
    type: 'match',
    trade_id: 7,
    side: 'sell',
    size: '985',
    price: '0.00001305',
    product_id: 'A-B',
    time: '2021-04-17T16:43:37.089723Z'
  }
  const [trade] = parse(match)
  t.match(
    trade,
    {
      channel: 'trades',
      data: { price: '0.00001305', size: '985', trade_id: '7', side: 'buy', exchange: 'coinbase' }
    },
    "the maker sold, so the taker's side is buy"
  )
  t.same(parse({ ...match, type: 'last_match' }), [], 'each trade comes once')
  t.equal(parse({ ...match, trade_id: 8 }).length, 1)
  t.equal(parse({ ...match, trade_id: 8, product_id: 'C-D' }).length, 1, 'each product has its own ids')
  const book = (data: object, more: object = {}): object => ({
    channel: 'book',
    symbol: 'A-B',
    ...more,
    data: { symbol: 'A-B', ...data }
  })
  t.same(
    parse({ type: 'snapshot', product_id: 'A-B', bids: [['2', '1.0']], asks: [['3', '0.50']] }),
    [book({ bids: [['2', '1.0']], asks: [['3', '0.50']] }, { snapshot: true })]
  )
  const changes = [['buy', '0.9', '1'], ['sell', '11', '0.0'], ['buy', '1.00', '2']]
  t.same(
    parse({ type: 'l2update', product_id: 'A-B', changes }),
    [book({ bids: [['1.00', '2'], ['0.9', '1']], asks: [['11', '0.0']] })],
    'best first'
  )
  t.same(
    parse({ type: 'snapshot', product_id: 'A-B', bids: [['1.70e-7', '3E3']], asks: [['1E0', '1']] }),
    [book({ bids: [['0.000000170', '3000']], asks: [['1', '1']] }, { snapshot: true })],
    'e-notation is written out'
  )
  const small = [['buy', '1.7e-7', '3'], ['buy', '0.0000002', '1e1']]
  t.same(
    parse({ type: 'l2update', product_id: 'A-B', changes: small }),
    [book({ bids: [['0.0000002', '10'], ['0.00000017', '3']], asks: [] })]
  )
  t.match(parse({ ...ticker, price: '1.5e-7', best_bid: '1e999' }), [
    { data: { last: '0.00000015', bid: undefined } }
  ])
  t.match(parse({ ...match, trade_id: 9, price: '1.305e-5', size: '9.85E+2' }), [
    { data: { price: '0.00001305', size: '985' } }
  ])
  for (const changes of [undefined, null, 7, [['hold', '1', '1']], [['buy', '1']], [['buy', 1, '1']], [7]]) {
    parse({ type: 'snapshot', product_id: 'A-B', bids: [['2', '1']], asks: [] })
    t.match(
      parse({ type: 'l2update', product_id: 'A-B', changes }),
      [{
        channel: 'book',
        symbol: 'A-B',
        snapshot: true,
        data: { stale: true },
        fault: { reason: 'malformed' }
      }],
      'a malformed update makes its book stale'
    )
  }
  t.match(parse({ type: 'snapshot', product_id: 'A-B', bids: [], asks: [['1e999', '1']] }), [], 'it is stale already')
  t.same(parse({ type: 'subscriptions', channels: [] }), [])
  t.same(parse({ type: 'heartbeat', product_id: 'A-B' }), [])
  t.throws(() => parser.parse('{'), SyntaxError)
})

test('writes e-notation out, with each digit, as far as a decimal goes', async t => {
  for (const [text, plain] of [
    ['1.7e-7', '0.00000017'], ['1.70e-7', '0.000000170'], ['1e3', '1000'], ['1.5E+3', '1500'], ['1.50e1', '15.0'],
    ['12e-1', '1.2'], ['-1.7e-7', '-0.00000017'], ['+1e0', '1'], ['0e-7', '0.0000000'], ['0.0012e2', '0.12'],
    ['123.456e1', '1234.56'],
    ['1e63', `1${'0'.repeat(63)}`], ['1e-62', `0.${'0'.repeat(61)}1`], ['185.50', '185.50'], ['-0', '-0']
  ] as const) {
    t.equal(plainDecimal(text), plain, text)
  }
  for (const text of [
    '', 'e5', '1e', '1e+', '1.e5', '.5e1', '1e1.5', '1e64', '1e-63', '1e999', '1e-999', '1e99999999999', 'NaN',
    'Infinity', '1,5e3', '0x1', '1e5 ', '1'.repeat(65)
  ]) {
    t.equal(plainDecimal(text), undefined, text)
  }
  const digits = fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n })
  const scale = fc.integer({ min: 0, max: 20 })
  const exponent = fc.integer({ min: -20, max: 20 })
  fc.assert(fc.property(digits, scale, exponent, (digits, scale, exponent) => {
    const whole = String(digits)
    const text = `${whole}${scale > 0 ? `.${'7'.repeat(scale)}` : ''}e${exponent}`
    const plain = plainDecimal(text)!
    if (!new RegExp(DECIMAL_PATTERN).test(plain)) throw new Error(`${text}: ${plain}`)
    // The same number, as a fraction of whole numbers.
    const fraction = plain.split('.')[1]?.length ?? 0
    const [left, right] = [BigInt(plain.replace('.', '')), BigInt(whole + '7'.repeat(scale))]
    const shift = exponent - scale + fraction
    const isSame = shift >= 0 ? left === right * 10n ** BigInt(shift) : left * 10n ** BigInt(-shift) === right
    if (!isSame) throw new Error(`${text}: ${plain}`)
  }))
})

test('Binance: turns each kind of event into messages, and finds the instruments of streams', t => {
  const parser = binance.createParser()
  const parse = (event: object): readonly SourceMessage[] =>
    parser.parse(JSON.stringify({ stream: 'x', data: event }))
  t.same(parse({ u: 1, s: 'BTCUSDT', b: '1.50', B: '2', a: '3', A: '4' }), [{
    channel: 'quotes',
    symbol: 'BTC-USDT',
    data: { symbol: 'BTC-USDT', bid: '1.50', bid_size: '2', ask: '3', ask_size: '4' }
  }])
  const trade = { e: 'aggTrade', s: 'BTCUSDT', a: 7, p: '1.0', q: '2', T: 1633998534486, m: true }
  t.match(parse(trade), [{ data: { side: 'sell', trade_id: '7', timestamp: '2021-10-12T00:28:54.486Z' } }])
  for (const [a, T] of [[8, 'x'], [9, 1e17], [10, null]] as const) {
    t.match(parse({ ...trade, a, T }), [{ data: { timestamp: T } }], 'a time that is none is passed on')
  }
  const update = { e: 'depthUpdate', s: 'BTCUSDT', U: 1, u: 2, b: [], a: [] }
  t.same(parser.parse(JSON.stringify(update)), [], 'an update without a stream waits for the snapshot')
  const answer = (path: string): readonly SourceMessage[] => {
    const url = new URL(`https://api.binance.com${path}`)
    return parser.answer!(url, '{"lastUpdateId":1,"bids":[["1","1"]],"asks":[]}')
  }
  t.same(answer('/api/v3/time'), [])
  t.same(answer('/api/v3/depth'), [])
  t.same(answer('/api/v3/depth?symbol=BTCUSDT'), [{
    channel: 'book',
    symbol: 'BTC-USDT',
    snapshot: true,
    data: { symbol: 'BTC-USDT', bids: [['1', '1']], asks: [], venue_sequence: 2 }
  }])
  for (const event of [{ e: 'kline', s: 'BTCUSDT' }, { s: 7 }, {}]) t.same(parse(event), [])
  for (const frame of ['7', 'null', '[]', '{"result":null,"id":1}']) t.same(parser.parse(frame), [])
  const symbols = (path: string): string[] =>
    binance.instrumentsOf!(new URL(`wss://stream.binance.com:9443${path}`)).map(({ symbol }) => symbol)
  const streams = 'btcusdt@depth@100ms/ethbtc@depth/btcusdt@aggTrade'
  t.same(symbols(`/stream?streams=${streams}`), ['BTC-USDT', 'ETH-BTC'])
  t.same(symbols('/ws/usdtrub@depth'), ['USDT-RUB'])
  t.same(symbols('/ws'), [])
  const subscribed = (frame: string): string[] => binance.instruments(frame).map(({ symbol }) => symbol)
  t.same(
    subscribed('{"method":"SUBSCRIBE","params":["btcusdt@depth","strange@depth"],"id":1}'),
    ['BTC-USDT', 'STRANGE']
  )
  t.same(subscribed('{"method":"LIST_SUBSCRIPTIONS","id":1}'), [])
  t.end()
})

test('Kraken: keeps books of both versions of the feed, and spells pairs in one way', t => {
  const parser = kraken.createParser()
  const subscription = { depth: 25, name: 'book' }
  parser.parse(JSON.stringify({ event: 'subscriptionStatus', pair: 'XBT/USD', subscription }))
  const snapshot = '[1,{"as":[["2.0","1.0","1"]],"bs":[["1.0","1.0","1"]]},"book-25","XBT/USD"]'
  t.match(parser.parse(snapshot), [
    { channel: 'book', symbol: 'BTC-USD', snapshot: true, data: { asks: [['2.0', '1.0']] } }
  ])
  t.match(parser.parse('[1,{"a":[["3.0","1.0","1"]],"c":"7"},"book-25","XBT/USD"]'), [
    { symbol: 'BTC-USD', snapshot: true, data: { stale: true }, fault: { reason: 'checksum' } }
  ])
  const asks = Array.from({ length: 12 }, (_, at) => `{"price":${at + 1}.0,"qty":1.0}`).join(',')
  const book = `{"symbol":"DOGE/USD","bids":[],"asks":[${asks}],"checksum":3310070434}`
  const [message] = parser.parse(`{"channel":"book","type":"snapshot","data":[${book}]}`)
  t.equal((message?.data as { stale?: true }).stale, true, 'the checksum differs')
  t.same(parser.parse('{"event":"heartbeat"}'), [])
  const subscribed = (frame: string): string[] => kraken.instruments(frame).map(({ symbol }) => symbol)
  t.same(subscribed('{"event":"subscribe","pair":["XBT/CHF","ADA/XBT",7]}'), ['BTC-CHF', 'ADA-BTC'])
  t.same(subscribed('{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"]}}'), ['BTC-USD'])
  t.same(subscribed('{"event":"ping"}'), [])
  t.throws(() => parser.parse('{'), SyntaxError)
  t.end()
})

test('SOURCES: reads good texts, and says what is wrong with bad ones', async t => {
  const names = (text: string): string[] =>
    parseSources(text).map(({ name, manual }) => `${name}${manual ? ' manual' : ''}`)
  t.same(names('none'), [])
  t.same(names('simulated'), ['simulated'])
  t.same(names('simulated?seed=7&rate=0.5&hours=real'), ['simulated'])
  t.same(names('simulated?hours=60'), ['simulated'])
  t.same(names('simulated, replay:/a/b.txt?speed=max&start=manual'), ['simulated', 'replay manual'])
  t.same(names('replay:x.txt?speed=0.5&loop=true'), ['replay'])
  t.same(
    parseSources('simulated?lazy=true, replay:x.txt?lazy=5').map(({ lazy }) => lazy),
    [
      { channels: ['quotes', 'trades', 'book', 'market', 'news'], lingerMs: 30_000 },
      { channels: ['quotes', 'trades', 'book'], lingerMs: 5000 }
    ]
  )
  t.same(parseSources('simulated?lazy=false')[0]?.lazy, undefined)
  const bad: ReadonlyArray<readonly [string, RegExp]> = [
    ['', /is not a source; there are: simulated, replay, coinbase/],
    ['simulatd', /'simulatd' is not a source; did you mean 'simulated'\?/],
    ['krakn:BTC-USD', /'krakn' is not a source; did you mean 'kraken'\?/],
    ['constructor', /is not a source/],
    ['none,simulated', /none stands alone/],
    ['simulated,simulated', /simulated is given twice/],
    ['simulated:5', /takes only options/],
    ['simulated?sed=5', /simulated has no option 'sed'; its options are seed, rate, hours and lazy/],
    ['simulated?seed=1&seed=2', /seed twice/],
    ['simulated?seed=1.5', /seed is a whole number/],
    ['simulated?seed=', /seed is a whole number/],
    ['simulated?rate=0', /rate.* is a number above 0, at most 1000/],
    ['simulated?rate=1001', /rate.* is a number above 0/],
    ['simulated?rate=-1', /rate.* is a number above 0/],
    ['simulated?hours=never', /hours are always, real, or how many times/],
    ['simulated?hours=0.5', /a number from 1 to 3600/],
    ['simulated,simulated?seed=2', /simulated is given twice/],
    ['replay?speed=1', /needs a file/],
    ['replay', /needs a file/],
    ['replay:?speed=1', /needs a file/],
    ['replay:a?sped=1', /no option 'sped'/],
    ['replay:a?speed=1&speed=2', /speed twice/],
    ['replay:a?speed=1?loop=true', /speed is a number above 0/],
    ['replay:a?speed=0', /speed is a number above 0/],
    ['replay:a?speed=fast', /speed is a number above 0/],
    ['replay:a?loop=yes', /loop is true or false/],
    ['simulated?lazy=soon', /simulated's lazy is true, false, or for how many seconds/],
    ['simulated?lazy=0', /a number above 0, at most 86400/],
    ['replay:a?lazy=86401', /replay's lazy is true/],
    ['replay:a?start=later', /start is manual or auto/],
    ['kraken', /kraken needs symbols: kraken:BTC-USD\+ETH-USD/],
    ['kraken:?depth=10', /kraken needs symbols/],
    ['kraken:BTC-USD+btc-usd', /'btc-usd' is not a symbol of kraken; symbols are written base, hyphen, quote/],
    ['kraken:BTC/USD', /'BTC\/USD' is not a symbol of kraken/],
    ['kraken:BTC-USD+BTC-USD', /has BTC-USD twice/],
    ['kraken:BTC-USD?depth=11', /depth is one of 10, 25, 100, 500, 1000; it is '11'/],
    ['coinbase:BTC-USD?depth=10', /coinbase has whole books; leave depth out/],
    ['kraken:BTC-USD?dept=10', /no option 'dept'; its options are depth, lazy, suffix, url and rest/],
    ['kraken:BTC-USD?suffix=a b', /suffix is 1 to 16 letters/],
    ['kraken:BTC-USD?url=https://a', /url is an address that begins with ws:\/\/ or wss:\/\//],
    ['kraken:BTC-USD?rest=a', /rest is an address/],
    ['kraken:BTC-USD?url=wss://name:secret@a', /url must be an address without a name or a password/],
    ['kraken:BTC-USD?rest=https://secret@a', /rest must be an address without a name or a password/],
    ['kraken:BTC-USD?url=name:secret@a', /begins with ws:\/\/ or wss:\/\/$/],
    ['kraken:BTC-USD?url=https://a/b?key=secret', /it is 'https:\/\/a\/b\?…'/],
    ['kraken:BTC-USD?lazy=x', /kraken's lazy is true, false/],
    ['binance:BTC-USDT?url=wss://a', /binance with url= needs rest=, too/],
    ['kraken:BTC-USD,kraken:ETH-USD', /kraken is given twice; give it once, with its symbols joined by \+/]
  ]
  for (const [text, message] of bad) {
    t.throws(() => parseSources(text), message, text)
    t.throws(() => parseSources(text), /^(?!.*secret)/s, 'it shows no password')
  }
})
