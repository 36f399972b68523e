import { type Test, test } from 'tap'
import {
  type Client,
  type Message,
  openClient,
  openWebSocket,
  RuleFollower,
  transportNames,
  until
} from '../helpers/clients.js'
import { runCommand, startCommand } from '../helpers/command.js'
import { RawHttp } from '../helpers/raw-http.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { SECRET, startServer, subscribers, type TestServer } from '../helpers/server.js'
import { signedToken } from '../helpers/tokens.js'

/** PROTOCOL.md, Terms: symbol. Names that markets have, by every way in, over either log. */

/** 64 characters; each takes two units of UTF-16, and four bytes. */
const LONGEST = '𐀀'.repeat(64)
const SYMBOLS = [
  '^GSPC',
  '.DJI',
  'BTC/USDT:USDT',
  'ES1!',
  'O:SPY251219C00650000',
  '币安人生USDT',
  '삼성전자',
  'A&B',
  '#1',
  'EUR+USD',
  '_x',
  'नमस्ते',
  LONGEST
] as const
const REFUSED = [
  '',
  '*',
  '@market/X',
  '-A',
  '+A',
  ':A',
  '!A',
  '/A',
  '=A',
  'A B',
  'A,B',
  'A;B',
  'A@B',
  'A*',
  'A%',
  'A?',
  'A\n',
  'A\u0000',
  '삼성전자'.normalize('NFD'),
  'e\u0301',
  '\u0301',
  '😀',
  'A'.repeat(65),
  '𐀀'.repeat(65)
]

async function startOn (t: Test, log: string): Promise<TestServer> {
  if (log === 'memory') return await startServer(t, { UNKNOWN_SYMBOLS: 'reject' })
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  return await startServer(t, { UNKNOWN_SYMBOLS: 'reject', REDIS_URL: redis.url, LOG_SHARDS: 3 })
}

async function post (
  server: TestServer,
  body: unknown,
  claims: Record<string, unknown> = {}
): Promise<Record<string, unknown>> {
  const token = signedToken({ sub: 'alice', publish: ['*'], ...claims })
  const response = await fetch(`${server.origin}/v1/publish`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  })
  return (await response.json()) as Record<string, unknown>
}

const quote = (symbol: string, bid: string): object => ({ channel: 'quotes', symbol, data: { symbol, bid } })
const trade = (symbol: string, price: string): object => ({
  channel: 'trades', symbol, data: { symbol, price, size: '1', timestamp: '2026-01-01T00:00:00Z' }
})
const get = async (server: TestServer, path: string): Promise<Record<string, unknown>> =>
  await (await fetch(server.origin + path)).json() as Record<string, unknown>

for (const log of ['memory', 'redis'] as const) {
  const options = {
    skip: log === 'redis' && redisProgram === undefined ? 'there is no Redis' : false
  } as const

  test(`publishes, reads, resumes and looks up every symbol that markets have, on the log ${log}`, options, async t => {
    const server = await startOn(t, log)
    await server.app.tickwire.declare(SYMBOLS.map(symbol => ({ symbol, market: '코스피', sector: symbol })))
    for (const symbol of SYMBOLS) {
      const patterns = [`trades:${symbol}`, `quotes:${symbol}`]
      const claims = { publish: patterns, read: patterns }
      t.match(
        await post(server, [trade(symbol, '1'), quote(symbol, '1'), quote(`${symbol}x`, '1')], claims),
        { accepted: 2, rejected: [{ index: 2 }] },
        `${symbol}: a pattern covers it, and no other`
      )
      const topic = encodeURIComponent(`trades:${symbol}`)
      t.match(
        await get(server, `/v1/history?topic=${topic}`),
        { messages: [{ symbol, sequence: 1, data: { symbol } }] },
        symbol
      )
      t.match(
        await get(server, `/v1/snapshot?topic=${encodeURIComponent(`quotes:${symbol}`)}`),
        { symbol, sequence: 1 },
        symbol
      )
      t.match(
        await get(server, `/v1/symbols?sector=${encodeURIComponent(symbol)}`),
        { symbols: [{ symbol, sector: symbol }] },
        symbol
      )
      t.equal(
        ((await get(server, `/v1/symbols?sector=${encodeURIComponent(symbol)}`))['symbols'] as unknown[])
          .length,
        1
      )
    }
    const follower = new RuleFollower()
    let cursor: string | undefined
    /** How many messages had come before the cursor. */
    let covered = 0
    for (const [turn, transport] of transportNames.entries()) {
      const token = server.token({ read: SYMBOLS.map(symbol => `trades:${symbol}`) })
      const subscribe = `subscribe=${encodeURIComponent(`trades:${SYMBOLS.join(',')};last=1`)}&token=${token}`
      const client: Client = openClient(transport, server.origin, subscribe, cursor, {
        onMessage: message => { follower.take(message) },
        onCursor: text => {
          cursor = text
          covered = follower.accepted.length
        }
      })
      await until(`${transport} is there`, () =>
        SYMBOLS.every(symbol => subscribers(server, `trades:${symbol}`) === 1)
      )
      await post(server, SYMBOLS.map(symbol => trade(symbol, String(turn + 2))))
      await until(
        `${transport} has them, and a cursor after them`,
        () => covered === SYMBOLS.length * (turn + 2)
      )
      client.cut()
      await until(`${transport} is gone`, () => subscribers(server, `trades:${SYMBOLS[0]}`) === 0)
    }
    for (const symbol of SYMBOLS) {
      const own = follower.accepted.filter(message => message.symbol === symbol)
      t.same(own.map(({ sequence }) => sequence), [1, 2, 3, 4, 5], symbol)
    }
    t.same([follower.gaps, follower.resets], [[], []])
  })

  test(`takes every symbol in WebSocket messages, with sequences too, on the log ${log}`, options, async t => {
    const server = await startOn(t, log)
    await server.app.tickwire.declare(SYMBOLS.map(symbol => ({ symbol })))
    for (const symbol of SYMBOLS) {
      const items = [trade(symbol, '1'), trade(symbol, '2'), quote(symbol, '1')]
      t.match(await post(server, items), { accepted: 3 }, symbol)
    }
    const messages: Message[] = []
    const client = openWebSocket(server.origin, '', 'tickwire.v1.json', {
      onMessage: message => {
        messages.push(message)
      },
      onCursor: () => {}
    })
    await until('welcome', () => messages.length > 0)
    client.send({ action: 'subscribe', id: 1, channel: 'trades', symbols: SYMBOLS })
    await until('it is confirmed', () => messages.some(({ id }) => id === 1))
    const { epoch, symbols } = messages.find(({ id }) => id === 1)!
    t.same(symbols, SYMBOLS)
    client.send({ action: 'unsubscribe', id: 2, channel: 'trades', symbols: SYMBOLS })
    const after = Object.fromEntries(SYMBOLS.map(symbol => [symbol, 1]))
    client.send({ action: 'subscribe', id: 3, channel: 'trades', symbols: SYMBOLS, after, epoch })
    const isSecond = ({ sequence }: Message): boolean => sequence === 2
    // A server under load may deliver the last of the messages above only now, to the first subscription.
    const later = (): Message[] => {
      const at = messages.findIndex(({ id }) => id === 3)
      return at < 0 ? [] : messages.slice(at + 1)
    }
    await until('the later messages have come', () => later().filter(isSecond).length === SYMBOLS.length)
    t.match(messages.find(({ id }) => id === 3), { recovered: true, rejected: [] })
    t.same(
      later()
        .filter(({ sequence }) => sequence !== undefined)
        .map(({ symbol }) => symbol)
        .sort(),
      [...SYMBOLS].sort(),
      'nothing before them'
    )
    client.send({ action: 'snapshot', id: 4, channel: 'quotes', symbols: SYMBOLS })
    await until('the states have come', () => messages.some(({ type }) => type === 'done'))
    t.same(
      messages
        .filter(({ snapshot }) => snapshot === true)
        .map(({ symbol }) => symbol)
        .sort(),
      [...SYMBOLS].sort()
    )
    for (const [index, symbol] of REFUSED.filter(text => text !== '*' && !text.startsWith('@')).entries()) {
      const own: Message[] = []
      const other = openWebSocket(server.origin, '', 'tickwire.v1.json', {
        onMessage: message => {
          own.push(message)
        },
        onCursor: () => {}
      })
      await until('welcome', () => own.length > 0)
      other.send({ action: 'subscribe', id: index, channel: 'quotes', symbols: [symbol] })
      other.send({
        action: 'subscribe',
        id: 'after',
        channel: 'quotes',
        symbols: ['.DJI'],
        after: { [symbol]: 1 },
        epoch
      })
      await until('both are answered', () => own.filter(({ type }) => type === 'error').length === 2)
      t.match(
        own.filter(({ type }) => type === 'error'),
        [
          { id: index, code: 'invalid_message' },
          { id: 'after', code: 'invalid_message' }
        ],
        JSON.stringify(symbol)
      )
      other.cut()
    }
    client.cut()
  })
}

test('refuses what is no symbol wherever it stands, and never normalises it', async t => {
  const server = await startServer(t, { UNKNOWN_SYMBOLS: 'accept' })
  for (const symbol of REFUSED) {
    const name = JSON.stringify(symbol).slice(0, 40)
    t.match(await post(server, quote(symbol, '1')), { accepted: 0 }, `${name}: published`)
    const news = { headline: 'h', source: 's', symbols: [symbol], timestamp: '2026-01-01T00:00:00Z' }
    const message = /^data\/symbols\/0: Expected a symbol/
    t.match(
      await post(server, { channel: 'news', data: news }),
      { accepted: 0, rejected: [{ code: 'invalid_message', message }] },
      `${name}: in published data`
    )
    if (!['*', '@market/X', 'A,B'].includes(symbol)) {
      t.match(
        await get(server, `/v1/stream?subscribe=${encodeURIComponent(`quotes:${symbol}`)}`),
        { code: 'bad_request' },
        `${name}: subscribed to`
      )
    }
    t.match(
      await get(server, `/v1/history?topic=${encodeURIComponent(`quotes:${symbol}`)}`),
      { code: 'bad_request' },
      `${name}: asked for`
    )
    const refusal = { code: 'unknown_symbol', message: /^the instrument .*: the symbol is not well-formed$/ }
    await t.rejects(server.app.tickwire.declare([{ symbol }]), refusal, `${name}: declared`)
  }
  t.same((await get(server, '/v1/symbols'))['symbols'], [])
})

test('reads + in a query as a space, and lets & and # end a value unless they are escaped', async t => {
  const server = await startServer(t, { UNKNOWN_SYMBOLS: 'accept' })
  for (const symbol of ['A+B', 'A&B', 'A#B']) await post(server, quote(symbol, '1'))
  for (const [query, answer] of [
    ['subscribe=quotes:A%2BB', { messages: [{ symbol: 'A+B' }] }],
    ['subscribe=quotes:A%26B', { messages: [{ symbol: 'A&B' }] }],
    ['subscribe=quotes:A%23B', { messages: [{ symbol: 'A#B' }] }],
    ['subscribe=quotes:A+B', { code: 'bad_request' }],
    ['subscribe=quotes:A&B', { code: 'bad_request' }],
    ['subscribe=quotes:BTC/USDT:USDT;throttle_ms=100', { messages: [], more: false }],
    ['subscribe=quotes:BTC/USDT:USDT,^GSPC,ES1!;throttle_ms=100&limit=5', { messages: [], more: false }]
  ] as const) t.match(await get(server, `/v1/stream?${query}`), answer, query)
})

test('tells topics of a user from symbols, whatever either is called', async t => {
  const server = await startServer(t)
  const order = (symbol: string): object => ({
    order_id: '1', symbol, side: 'buy', order_type: 'market', status: 'new', quantity: '1', filled_qty: '0'
  })
  const users = ['alice', 'a!b', 'a@b', '@', '!', 'orders', 'A:B', '삼성']
  for (const user of users) {
    const data = order(`${users.indexOf(user)}`)
    t.match(await post(server, { channel: 'orders', user, data }), { sequences: [1] }, user)
  }
  await post(server, quote('ES1!alice', '1'))
  for (const user of users) {
    const headers = { authorization: `Bearer ${server.token({ sub: user })}` }
    const history = await fetch(`${server.origin}/v1/history?topic=orders`, { headers })
    const { messages } = await history.json() as { messages: Message[] }
    t.match(messages, [{ channel: 'orders', data: { symbol: String(users.indexOf(user)) } }], user)
    t.equal(messages[0]?.symbol, undefined)
  }
  t.match(await get(server, '/v1/snapshot?topic=quotes:ES1!alice'), {
    symbol: 'ES1!alice',
    data: { symbol: 'ES1!alice' }
  })
})

test('takes the longest topic in a pattern of permission', async t => {
  const server = await startServer(t)
  const longest = `quotes:${LONGEST}`
  t.match(await post(server, quote(LONGEST, '1'), { publish: [longest], read: [longest] }), { accepted: 1 })
  t.match(
    await post(server, quote('A', '1'), { publish: ['x'.repeat(128), 'quotes:A'] }),
    { accepted: 1 },
    '128 characters'
  )
  t.match(
    await post(server, quote('A', '1'), { publish: ['x'.repeat(129), 'quotes:A'] }),
    { code: 'unauthorized' },
    '129 characters'
  )
})

test('refuses a symbol in a query that is not percent-encoded, rather than take it for another', async t => {
  const server = await startServer(t, { UNKNOWN_SYMBOLS: 'accept' })
  // Read as Latin-1, its bytes are Ãª, which would be a symbol.
  const http = new RawHttp(Number(new URL(server.origin).port))
  const answer = await http.send('GET /v1/stream?subscribe=quotes:ê HTTP/1.1\r\nHost: x\r\n\r\n', 5000)
  if (typeof answer === 'string') t.fail(answer)
  else t.equal(answer.status, 400)
})

test('the command publishes and shows every symbol', async t => {
  const server = await startServer(t, { UNKNOWN_SYMBOLS: 'accept' })
  const patterns = SYMBOLS.flatMap(symbol => ['--publish', `quotes:${symbol}`])
  const token = await runCommand(['token', '--sub', 'alice', ...patterns], { JWT_SECRET: SECRET })
  const env = { TICKWIRE_TOKEN: token.out.trim() }
  const url = ['--url', server.origin]
  const topics = SYMBOLS.map(symbol => `quotes:${symbol}`)
  const tails = (['ws', 'sse', 'poll'] as const).map(transport =>
    startCommand(['tail', ...topics, '--json', '-t', transport, ...url], env))
  await until('they are there', () =>
    SYMBOLS.every(symbol => subscribers(server, `quotes:${symbol}`) === tails.length)
  )
  const [first, ...others] = SYMBOLS
  const one = await runCommand(
    ['publish', 'quotes', first, '--data', JSON.stringify({ symbol: first, bid: '1' }), ...url],
    env
  )
  t.same([one.out, one.err], ['1 accepted, 0 rejected\n', ''])
  const input = others.map(symbol => JSON.stringify(quote(symbol, '1'))).join('\n')
  const lines = await runCommand(['publish', '--file', '-', ...url], env, input)
  t.same([lines.out, lines.err], [`${others.length} accepted, 0 rejected\n`, ''])
  for (const tail of tails) {
    const shown = (): unknown[] => tail.lines.map(line => JSON.parse(line) as Message)
      .filter(({ type }) => type === 'quote').map(({ symbol }) => symbol)
    await until('all are shown', () => shown().length === SYMBOLS.length)
    t.same(shown().sort(), [...SYMBOLS].sort())
    tail.child.kill('SIGTERM')
    await tail.finished
  }
})
