import { test } from 'tap'
import { RawHttp } from '../helpers/raw-http.js'
import { startServer } from '../helpers/server.js'

const quote = (symbol: string, bid = '1'): object => ({ channel: 'quotes', symbol, data: { symbol, bid } })

test('takes one message, many and lines, and the rest of a batch if one item is bad', async t => {
  const server = await startServer(t)
  const post = async (
    body: unknown,
    claims: object = {},
    type = 'application/json'
  ): Promise<{ status: number, answer: Record<string, unknown> }> => {
    const response = await fetch(`${server.origin}/v1/publish`, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { authorization: `Bearer ${server.token({ ...claims })}`, 'content-type': type }
    })
    return { status: response.status, answer: (await response.json()) as Record<string, unknown> }
  }
  t.same(await post(quote('A')), { status: 200, answer: { accepted: 1, rejected: [], sequences: [1] } })
  t.same(await post([quote('A'), quote('B')]), {
    status: 200,
    answer: { accepted: 2, rejected: [], sequences: [2, 1] }
  })
  t.same(
    (await post(`${JSON.stringify(quote('A'))}\n${JSON.stringify(quote('A'))}\n`, {}, 'application/x-ndjson'))
      .answer['sequences'],
    [3, 4]
  )

  const untyped = { channel: 'quotes', symbol: 'A', data: { symbol: 'A', bid: 1 } }
  const unknown = { channel: 'nothing', data: {} }
  const mixed = await post([quote('A'), untyped, { ...quote('A'), colour: 'red' }, unknown, quote('A')])
  t.equal(mixed.status, 200)
  t.match(mixed.answer, {
    accepted: 2,
    rejected: [
      { index: 1, code: 'invalid_message' },
      { index: 2, code: 'invalid_message' },
      { index: 3, code: 'unknown_channel' }
    ],
    sequences: [5, null, null, null, 6]
  })
  t.match(
    (await post({ channel: 'quotes', symbol: 'A', data: { symbol: 'B' } })).answer,
    { rejected: [{ index: 0, code: 'invalid_message' }] },
    'data.symbol must be the symbol'
  )
  t.match(
    (await post({ channel: 'instruments', symbol: 'A', data: { symbol: 'A' } })).answer,
    { rejected: [{ code: 'unknown_channel' }] },
    'nobody else publishes to an internal channel'
  )

  const keyed = { ...quote('K'), idempotency_key: 'one' }
  t.same((await post(keyed)).answer['sequences'], [1])
  t.same(
    (await post(keyed)).answer,
    { accepted: 1, rejected: [], sequences: [1] },
    'a repeated key is answered as before'
  )
  t.same((await post(keyed, { sub: 'bob' })).answer['sequences'], [2], 'keys belong to their publisher')
  t.same((await post({ ...keyed, idempotency_key: 'b c' }, { sub: 'a' })).answer['sequences'], [3])
  t.same(
    (await post({ ...keyed, idempotency_key: 'c' }, { sub: 'a b' })).answer['sequences'],
    [4],
    "whatever the publisher's name"
  )

  t.match(await post(quote('A'), { publish: ['trades:*'] }), {
    status: 403,
    answer: { type: 'error', code: 'forbidden' }
  })
  t.match(await post([quote('A'), quote('B')], { publish: ['quotes:B'] }), {
    status: 200,
    answer: { accepted: 1, rejected: [{ index: 0, code: 'forbidden' }] }
  })
  t.match((await post({ ...quote('A'), data: { symbol: 'A', bid: '1' + '0'.repeat(70_000) } })).answer, {
    accepted: 0,
    rejected: [{ index: 0 }]
  })
})

test('refuses a date that no calendar has in every format, and says so', async t => {
  const server = await startServer(t)
  const trade = (timestamp: string): object => ({
    channel: 'trades',
    symbol: 'A',
    data: { symbol: 'A', price: '1', size: '1', timestamp }
  })
  const batch = [trade('2026-02-30T25:61:61Z'), trade('2016-12-31T23:59:60Z')]
  for (const [type, body] of [
    ['application/json', JSON.stringify(batch)],
    ['application/x-ndjson', batch.map(item => JSON.stringify(item)).join('\n')]
  ] as const) {
    const response = await fetch(`${server.origin}/v1/publish`, {
      method: 'POST',
      body,
      headers: { authorization: `Bearer ${server.token()}`, 'content-type': type }
    })
    const message = 'data/timestamp: Expected a real date and time: ISO 8601 with a zone'
    t.match(
      await response.json(),
      { accepted: 1, rejected: [{ index: 0, code: 'invalid_message', message }] },
      type
    )
  }
})

test('refuses a client that may not publish before its body, and does not wait for the rest of it', async t => {
  const server = await startServer(t)
  for (const body of ['Content-Length: 8000000', 'Transfer-Encoding: chunked']) {
    const http = new RawHttp(Number(new URL(server.origin).port))
    const answer = await http.send(
      `POST /v1/publish HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${body}\r\n\r\n`,
      5000
    )
    if (typeof answer === 'string') t.fail(answer)
    else t.match(answer, { status: 401, headers: { connection: 'close' } }, body)
  }
})

test('reads a history and a snapshot', async t => {
  const server = await startServer(t)
  const { publisher } = server.parts
  for (let i = 1; i <= 10; i++) {
    await publisher.publish(
      [
        {
          channel: 'trades',
          symbol: 'A',
          data: { symbol: 'A', price: `${i}.50`, size: '1', timestamp: '2026-01-01T00:00:00Z' }
        },
        {
          channel: 'book',
          symbol: 'A',
          data: { symbol: 'A', bids: [[`${i}.0`, i === 10 ? '0.000' : '1']], asks: [] },
          snapshot: i === 1
        }
      ],
      { publisher: 'test' }
    )
  }
  const get = async (path: string): Promise<Record<string, unknown>> =>
    (await (await fetch(server.origin + path)).json()) as Record<string, unknown>
  const sequences = (answer: Record<string, unknown>): number[] =>
    (answer['messages'] as Array<{ sequence: number }>).map(({ sequence }) => sequence)

  const all = await get('/v1/history?topic=trades:A')
  t.same(sequences(all), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  t.match(all, { first_sequence: 1, last_sequence: 10, more: false })
  t.match((all['messages'] as object[])[2], {
    type: 'trade',
    channel: 'trades',
    symbol: 'A',
    sequence: 3,
    data: { price: '3.50' }
  })
  const page = await get('/v1/history?topic=trades:A&after=4&limit=3')
  t.same(sequences(page), [5, 6, 7])
  t.equal(page['more'], true)
  t.same(sequences(await get('/v1/history?topic=trades:A&limit=2')), [9, 10], 'without after: the newest')
  t.same(sequences(await get(`/v1/history?topic=trades:A&after=9&epoch=${String(all['epoch'])}`)), [10])
  t.match((await get('/v1/history?topic=trades:A&after=9&epoch=AAAAAQ'))['messages'], [
    { type: 'reset', reason: 'epoch_changed' },
    { sequence: 1 }
  ])

  const book = await get('/v1/snapshot?topic=book:A')
  t.match(book, { type: 'book', sequence: 10, snapshot: true })
  t.same(
    (book['data'] as { bids: unknown }).bids,
    [9, 8, 7, 6, 5, 4, 3, 2, 1].map(n => [`${n}.0`, '1']),
    'folded, best first; zero in any spelling removes a level'
  )
})

test('lists symbols, and says that it is healthy and ready', async t => {
  const server = await startServer(t, { SOURCES: 'simulated' })
  const get = async (path: string): Promise<Response> => fetch(server.origin + path)
  interface Listed { symbol: string, market: string, sector: string, name: string }
  const { symbols } = await (await get('/v1/symbols')).json() as { symbols: Listed[] }
  t.ok(symbols.length >= 13)
  const samsung = symbols.find(({ symbol }) => symbol === '005930')!
  t.match(samsung, { market: String, sector: String, name: String })
  const query = `market=${samsung.market}&sector=${encodeURIComponent(samsung.sector)}`
  const filtered = (await (await get(`/v1/symbols?${query}`)).json()) as typeof Object & {
    symbols: typeof symbols
  }
  const isAlike = ({ market, sector }: Listed): boolean =>
    market === samsung.market && sector === samsung.sector
  t.ok(filtered.symbols.length >= 1 && filtered.symbols.every(isAlike))
  t.equal((await get('/healthz')).status, 200)
  t.equal((await get('/readyz')).status, 200)
})

test('refuses a content type that it does not read, and names those that it does', async t => {
  const server = await startServer(t)
  const post = async (path: string, type: string): Promise<{ code: string, message: string }> => {
    const response = await fetch(server.origin + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.token({ admin: true })}`, 'content-type': type },
      body: '{}'
    })
    t.equal(response.status, 400)
    return await response.json() as { code: string, message: string }
  }
  for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'application/xml']) {
    t.match(await post('/v1/publish', type), { code: 'bad_request', message: 'the Content-Type is not supported; this endpoint takes application/json and application/x-ndjson' }, type)
  }
  t.match(await post('/v1/admin/disconnect', 'text/plain'), { code: 'bad_request', message: 'the Content-Type is not supported; this endpoint takes application/json' })
})
