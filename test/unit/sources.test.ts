import { appendFile, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DECIMAL_PATTERN, type Trade } from '@tickwire/protocol'
import fc from 'fast-check'
import { type Test, test } from 'tap'
import { binance } from '../../src/sources/binance/parser.js'
import { coinbase } from '../../src/sources/coinbase/parser.js'
import { plainDecimal } from '../../src/book/decimals.js'
import { kraken } from '../../src/sources/kraken/parser.js'
import { parseSources } from '../../src/sources/registry.js'
import { Replay, type ReplayOptions } from '../../src/sources/replay/replay.js'
import type { SourceContext, SourceMessage } from '../../src/sources/source.js'

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

async function writeRecording (t: Test, lines: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tickwire-'))
  const file = join(folder, 'session.txt')
  await writeFile(file, lines.join('\n') + '\n')
  t.comment(file)
  return file
}

const ADDRESS = 'wss://ws-feed.pro.coinbase.com <-> 1.0'
const SUBSCRIBE = 'wss://ws-feed.pro.coinbase.com <- 1.1: {"type":"subscribe","product_ids":["A-B","C-D"]}'
const frame = (time: number, id: number): string =>
  `${time}: {"type":"match","trade_id":${id},"side":"buy","size":"1","price":"2","product_id":"A-B","time":"2021-04-17T16:43:37Z"}`

interface Collected {
  readonly context: SourceContext
  readonly messages: SourceMessage[]
  readonly times: number[]
  readonly batches: number[]
}

function collect (signal = new AbortController().signal): Collected {
  const messages: SourceMessage[] = []
  const times: number[] = []
  const batches: number[] = []
  const context: SourceContext = {
    signal,
    guard: work => work,
    declare: async () => [],
    instrument: () => undefined,
    publish: async batch => {
      messages.push(...batch)
      times.push(...batch.map(() => performance.now()))
      batches.push(batch.length)
      return []
    }
  }
  return { context, messages, times, batches }
}

const replay = (file: string, options: Partial<ReplayOptions> = {}): Replay =>
  new Replay({ file, speed: 'max', loop: false, manual: false, ...options })

test('replays a recording: its instruments, in order, at the given speed, in a loop, until it is stopped', async t => {
  const file = await writeRecording(t, [ADDRESS, SUBSCRIBE, frame(10, 1), frame(10.1, 2), frame(10.4, 3)])
  t.same(
    (await replay(file).instruments()).map(({ symbol, market }) => `${symbol} ${market}`),
    ['A-B COINBASE', 'C-D COINBASE']
  )

  const all = collect()
  await replay(file).run(all.context)
  t.same(all.messages.map(({ data }) => (data as Trade).trade_id), ['1', '2', '3'])

  const paced = collect()
  const began = performance.now()
  await replay(file, { speed: 2 }).run(paced.context)
  t.equal(paced.messages.length, 3)
  // Compared with the beginning: a busy machine is late with one message, and in time with the next.
  const [, second = 0, third = 0] = paced.times.map(time => time - began)
  t.ok(second >= 49 && third >= 199, 'it follows the recorded moments twice as fast, and is never early')

  const stopping = new AbortController()
  const endless = collect(stopping.signal)
  const publish = endless.context.publish
  const running = replay(file, { loop: true }).run({
    ...endless.context,
    publish: async batch => {
      await publish(batch)
      if (endless.messages.length >= 9) stopping.abort()
      return []
    }
  })
  await running
  t.same(
    endless.messages.slice(0, 6).map(({ data }) => (data as Trade).trade_id),
    ['1', '2', '3', '1', '2', '3'],
    'each round is a session of its own'
  )

  const early = new AbortController()
  const slow = collect(early.signal)
  setTimeout(() => { early.abort() }, 30)
  await replay(file, { speed: 0.001 }).run(slow.context)
  t.ok(slow.messages.length <= 1, 'a stop ends a wait')
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
  for (const T of ['x', 1e17, null]) {
    t.match(parse({ ...trade, T }), [{ data: { timestamp: T } }], 'a time that is none is passed on')
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

test('reads HTTP answers in the order of times, from a file of their own or between the frames', async t => {
  const feed = 'wss://stream.binance.com:9443/stream?streams=ab@depth <-> 1.0'
  const event = (time: number, id: number): string => {
    const data = { e: 'depthUpdate', s: 'AB', U: id, u: id, b: [[String(id), '1']], a: [] }
    return `${time}: ${JSON.stringify({ stream: 'ab@depth', data })}`
  }
  const answer = 'https://api.binance.com/api/v3/depth?symbol=AB -> ' +
    '3: {"lastUpdateId":1,"bids":[["1","1"]],"asks":[]}'
  const sequences = async (
    lines: readonly string[], options?: Partial<ReplayOptions>
  ): Promise<unknown[]> => {
    const source = replay(await writeRecording(t, [feed, ...lines]), options)
    const taken = collect()
    await source.run(taken.context)
    return taken.messages.map(({ data }) => (data as { venue_sequence?: number }).venue_sequence)
  }
  t.same(await sequences([event(2, 2), 'not-a-url -> 2.5: {', answer, event(4, 3)]), [2, 3])
  const answers = await writeRecording(t, [answer])
  t.same(await sequences([event(2, 2), event(4, 3)], { answers }), [2, 3])
  t.same(await sequences([event(1.5, 1), event(2, 2)], { answers }), [2], 'the answer comes last')
  const broken = await writeRecording(t, [`${answer}}`])
  await t.rejects(sequences([event(2, 2)], { answers: broken }), new RegExp(`${broken}, line 1`))
  const absent = replay(await writeRecording(t, [feed]), { answers: '/nowhere.txt' })
  await t.rejects(absent.instruments(), /no file \/nowhere.txt/)
})

test('reads recordings of either address of Coinbase', async t => {
  const exchange = (line: string): string =>
    line.replace('ws-feed.pro.coinbase.com', 'ws-feed.exchange.coinbase.com')
  const file = await writeRecording(t, [exchange(ADDRESS), exchange(SUBSCRIBE), frame(10, 1)])
  t.same(
    (await replay(file).instruments()).map(({ symbol, market }) => `${symbol} ${market}`),
    ['A-B COINBASE', 'C-D COINBASE']
  )
  const taken = collect()
  await replay(file).run(taken.context)
  t.match(taken.messages, [
    { channel: 'trades', symbol: 'A-B', data: { trade_id: '1', exchange: 'coinbase' } }
  ])
  const other = 'wss://ws-feed.exchange.coinbase.com.example <-> 1.0'
  await t.rejects(replay(await writeRecording(t, [other])).instruments(), /does not begin with the address of a known venue/, 'a name that only begins so is another host')
})

test('allows a byte order mark at the beginning of a recording, and ends lines at line feeds only', async t => {
  const file = await writeRecording(t, [
    `\ufeff${ADDRESS}`,
    `${SUBSCRIBE}\r`,
    '10: {"type":"heartbeat","note":"a\u2028b"}',
    `${frame(10, 1)}\r`
  ])
  t.equal((await replay(file).instruments()).length, 2)
  const taken = collect()
  await replay(file).run(taken.context)
  t.equal(taken.messages.length, 1)
})

test('names the recording that cannot be read, and why', async t => {
  await t.rejects(replay('/nowhere/at-all.txt').instruments(), /no file \/nowhere\/at-all.txt/)
  await t.rejects(replay(tmpdir()).instruments(), /is not a file/)
  await t.rejects(replay(await writeRecording(t, ['wss://elsewhere.example <-> 1'])).instruments(), /address of a known venue/)
  await t.rejects(replay(await writeRecording(t, [ADDRESS, '10: {"type":'])).run(collect().context), /line 2/)
  const notText = await writeRecording(t, [ADDRESS, SUBSCRIBE])
  await appendFile(notText, Buffer.concat([Buffer.from('10: {"type":"'), Buffer.of(0xbb, 0xef), Buffer.from('"}\n')]))
  await t.rejects(replay(notText).run(collect().context), /session\.txt, line 3: not UTF-8/)
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
    ['', /is not a source; these are/],
    ['simulatd', /'simulatd' is not a source; these are/],
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
    ['coinbase:BTC-USD', /not available yet/]
  ]
  for (const [text, message] of bad) t.throws(() => parseSources(text), message, text)
})
