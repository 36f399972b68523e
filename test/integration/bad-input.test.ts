import { connect } from 'node:net'
import { type Test, test } from 'tap'
import { type Message, openClient, openWebSocket, until, type WebSocketClient } from '../helpers/clients.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'

/** Connects a well-behaved client beside the bad ones. It must get every quote, whatever the others do. */
function openBystander (server: TestServer): { check (t: Test): Promise<void>, close (): void } {
  const sequences: number[] = []
  let cursors = 0
  const client = openClient('ws-json', server.origin, 'subscribe=quotes:BYSTANDER', undefined, {
    onMessage: ({ sequence }) => {
      if (sequence !== undefined) sequences.push(sequence)
    },
    onCursor: () => {
      cursors++
    }
  })
  let published = 0
  return {
    async check (t) {
      await until('the bystander is there', () => cursors > 0)
      await publish(server.app, 'quotes', 'BYSTANDER', { symbol: 'BYSTANDER', bid: String(++published) })
      await until('the bystander has the quote', () => sequences.at(-1) === published)
      t.equal(sequences.length, published, 'the bystander missed nothing')
    },
    close: () => { client.cut() }
  }
}

const CONTROL = String.fromCharCode(7)

/** Queries after the `?`, and the code that each gets on every transport. */
const badQueries: ReadonlyArray<readonly [string, string, string]> = [
  ['an unknown channel', 'subscribe=nothing:A', 'unknown_channel'],
  ['an internal channel', 'subscribe=instruments:A', 'unknown_channel'],
  ['an unknown symbol', 'subscribe=quotes:UNHEARD', 'unknown_symbol'],
  ['control characters in a symbol', 'subscribe=quotes:A%00%07B', 'bad_request'],
  ['a line break in a symbol', 'subscribe=quotes:A%0d%0aB', 'bad_request'],
  ['a channel without its symbols', 'subscribe=quotes', 'bad_request'],
  ['symbols of a channel without them', 'subscribe=news:A', 'bad_request'],
  ['an empty subscribe', 'subscribe=', 'bad_request'],
  ['a malformed escape', 'subscribe=quotes:%E0%A4', 'bad_request'],
  ['an unknown parameter', 'subscribe=quotes:*&colour=red', 'bad_request'],
  ['a doubled parameter', 'subscribe=quotes:*&snapshot=true&snapshot=true', 'bad_request'],
  ['limit=0', 'subscribe=quotes:*&limit=0', 'bad_request'],
  ['wait=31', 'subscribe=quotes:*&wait=31', 'bad_request'],
  ['wait=1.5', 'subscribe=quotes:*&wait=1.5', 'bad_request'],
  ['snapshot=maybe', 'subscribe=quotes:*&snapshot=maybe', 'bad_request'],
  ['a malformed cursor', 'subscribe=quotes:*&after=not*a*cursor', 'bad_cursor'],
  ['no cursor, in the alphabet of cursors', 'subscribe=quotes:*&after=AAAAAAAA', 'bad_cursor'],
  ['a cursor of 600 characters', `subscribe=quotes:*&after=${'A'.repeat(600)}`, 'bad_cursor'],
  ['an unknown option', 'subscribe=quotes:*;colour=red', 'bad_request'],
  ['a doubled option', 'subscribe=quotes:*;fresh;fresh', 'bad_request'],
  ['a throttle of what cannot be merged', 'subscribe=trades:*;throttle_ms=100', 'not_throttleable'],
  ['a throttle that is too small', 'subscribe=quotes:*;throttle_ms=9', 'bad_request'],
  ['a depth of what has no levels', 'subscribe=quotes:*;depth=5', 'bad_request'],
  ['a depth of 0', 'subscribe=book:*;depth=0', 'bad_request'],
  ['last=10001', 'subscribe=quotes:*;last=10001', 'bad_request'],
  ['decimals=float', 'subscribe=quotes:*&decimals=float', 'bad_request'],
  ['an unknown set', 'subscribe=quotes:@market/NOWHERE', 'unknown_symbol'],
  ['no ticket', 'subscribe=quotes:*&ticket=x', 'unauthorized'],
  ['no token', 'subscribe=quotes:*&token=nonsense', 'unauthorized'],
  ['a private channel without a token', 'subscribe=orders', 'unauthorized']
]

interface Refusal {
  readonly status: number
  readonly body: Message
  readonly headers: Headers
}

async function askRefused (server: TestServer, transport: string, query: string): Promise<Refusal> {
  const url = `${server.origin}/v1/stream?${query}`
  const upgrade = transport === 'websocket'
  if (!upgrade) {
    const response = await fetch(url, { headers: transport === 'sse' ? { accept: 'text/event-stream' } : {} })
    return { status: response.status, body: await response.json() as Message, headers: response.headers }
  }
  const { hostname, port } = new URL(server.origin)
  return await new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname)
    let text = ''
    socket.on('data', chunk => { text += String(chunk) })
    socket.on('error', reject)
    socket.on('close', () => {
      const [head = '', body = ''] = text.split('\r\n\r\n', 2)
      const headers = new Headers(
        head
          .split('\r\n')
          .slice(1)
          .map(line => line.split(': ', 2) as [string, string])
      )
      try {
        resolve({
          status: Number(/^HTTP\/1.1 (\d+)/.exec(head)?.[1]),
          body: JSON.parse(body) as Message,
          headers
        })
      } catch (error) {
        reject(new Error(`not a refusal: ${text}`, { cause: error }))
      }
    })
    socket.write([
      `GET /v1/stream?${query} HTTP/1.1`, 'Host: x', 'Connection: Upgrade', 'Upgrade: websocket',
      'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', '', ''
    ].join('\r\n'))
    setTimeout(() => { socket.destroy() }, 2000).unref()
  })
}

const STATUS: Record<string, number> = { unauthorized: 401 }

test('refuses a bad query alike on every transport, before anything begins', async t => {
  const server = await startServer(t, { UNKNOWN_SYMBOLS: 'reject' })
  const { declare } = {
    declare: async (symbol: string) => publish(server.app, 'instruments', symbol, { symbol })
  }
  await declare('BYSTANDER')
  const beside = openBystander(server)
  for (const transport of ['websocket', 'sse', 'poll']) {
    for (const [name, query, code] of badQueries) {
      const { status, body, headers } = await askRefused(server, transport, query)
      t.match(body, { type: 'error', code }, `${transport}: ${name}`)
      t.equal(status, STATUS[code] ?? 400, `${transport}: ${name}: status`)
      t.equal(headers.get('cache-control'), 'no-store', `${transport}: ${name}: it must not be stored`)
      const text = String(body['message'])
      t.notOk(
        [...text].some(character => character < ' '),
        `${transport}: ${name}: no control characters come back`
      )
    }
    await beside.check(t)
  }
  for (const [transport, query] of [
    ['sse', 'subscribe=quotes:*&wait=1'],
    ['websocket', 'subscribe=quotes:*&limit=5'],
    ['sse', ''],
    ['poll', '']
  ] as const) {
    const what = query === '' ? 'nothing subscribed' : 'a parameter of polling'
    t.match(
      (await askRefused(server, transport, query)).body,
      { code: 'bad_request' },
      `${transport}: ${what}`
    )
  }
  beside.close()
})

test('refuses a URL of 40 KB', async t => {
  const server = await startServer(t)
  const beside = openBystander(server)
  for (const transport of ['websocket', 'sse', 'poll']) {
    const { status, body } = await askRefused(server, transport, `subscribe=quotes:${'A,'.repeat(20_000)}A`)
    t.equal(status, 413, transport)
    t.match(body, { type: 'error', code: 'message_too_big' }, transport)
  }
  await beside.check(t)
  beside.close()
})

/** Bad messages of a client, and the code of the error that each gets. */
const badMessages: ReadonlyArray<readonly [string, unknown, string]> = [
  ['broken JSON', '{"action":', 'invalid_json'],
  ['no JSON', 'hello', 'invalid_json'],
  ['nothing', '', 'invalid_json'],
  ['an array', [], 'invalid_message'],
  ['null', 'null', 'invalid_message'],
  ['no action', {}, 'invalid_message'],
  ['an unknown action', { action: 'dance' }, 'invalid_message'],
  ['an action of the prototype', { action: 'constructor' }, 'invalid_message'],
  ['an action of the wrong type', { action: 1 }, 'invalid_message'],
  ['symbols of the wrong type', { action: 'subscribe', channel: 'quotes', symbols: 'AAPL' }, 'invalid_message'],
  ['a symbol of the wrong type', { action: 'subscribe', channel: 'quotes', symbols: [1] }, 'invalid_message'],
  ['an empty list of symbols', { action: 'subscribe', channel: 'quotes', symbols: [] }, 'invalid_message'],
  ['control characters in a symbol', { action: 'subscribe', channel: 'quotes', symbols: [`A${CONTROL}`] }, 'invalid_message'],
  ['a symbol of 65 characters', { action: 'subscribe', channel: 'quotes', symbols: ['A'.repeat(65)] }, 'invalid_message'],
  ['an extra field', { action: 'ping', colour: 'red' }, 'invalid_message'],
  ['an id of 65 characters', { action: 'ping', id: 'x'.repeat(65) }, 'invalid_message'],
  ['an id that is an object', { action: 'ping', id: {} }, 'invalid_message'],
  ['sequences below zero', { action: 'subscribe', channel: 'trades', symbols: ['A'], after: { A: -1 }, epoch: 'AAAAAA' }, 'invalid_message']
]

/** Well-formed messages whose request is refused. They do not count as bad messages. */
const refusedRequests: ReadonlyArray<readonly [string, unknown, string]> = [
  [
    'an unknown channel',
    { action: 'subscribe', id: 'x', channel: 'nothing', symbols: ['A'] },
    'unknown_channel'
  ],
  [
    'a malformed cursor',
    { action: 'subscribe', id: 'x', channel: 'quotes', symbols: ['A'], after: 'nonsense' },
    'bad_cursor'
  ],
  [
    'sequences without their epoch',
    { action: 'subscribe', id: 'x', channel: 'trades', symbols: ['A'], after: { A: 1 } },
    'invalid_message'
  ],
  [
    'symbols of a channel without them',
    { action: 'subscribe', id: 'x', channel: 'news', symbols: ['A'] },
    'bad_request'
  ],
  ['no symbols of a channel with them', { action: 'subscribe', id: 'x', channel: 'quotes' }, 'bad_request'],
  [
    'a depth of what has no levels',
    { action: 'subscribe', id: 'x', channel: 'quotes', symbols: ['A'], depth: 5 },
    'bad_request'
  ],
  [
    'sequences for a set',
    {
      action: 'subscribe',
      id: 'x',
      channel: 'trades',
      symbols: ['@market/X'],
      after: { X: 1 },
      epoch: 'AAAAAA'
    },
    'invalid_message'
  ],
  [
    'a snapshot of a history',
    { action: 'snapshot', id: 'x', channel: 'trades', symbols: ['A'] },
    'not_found'
  ],
  ['no token', { action: 'auth', id: 'x', token: 'nonsense' }, 'unauthorized']
]

async function connectClient (
  server: TestServer,
  protocol = 'tickwire.v1.json'
): Promise<{ client: WebSocketClient, messages: Message[] }> {
  const messages: Message[] = []
  const client = openWebSocket(server.origin, '', protocol, {
    onMessage: message => {
      messages.push(message)
    },
    onCursor: () => {}
  })
  await until('welcome', () => messages.length > 0)
  return { client, messages }
}

test('answers a bad message with its error, and continues the connection', async t => {
  const server = await startServer(t)
  const beside = openBystander(server)
  for (const protocol of ['tickwire.v1.json', 'tickwire.v1.batch']) {
    for (const [name, message, code] of [...badMessages, ...refusedRequests]) {
      const { client, messages } = await connectClient(server, protocol)
      client.send(message)
      client.send({ action: 'ping', id: 'after' })
      await until('both are answered', () => messages.length >= 3)
      const error = messages.find(({ type }) => type === 'error')
      t.match(error, { type: 'error', code }, `${protocol}: ${name}`)
      t.ok(
        messages.some(({ type, id }) => type === 'pong' && id === 'after'),
        `${protocol}: ${name}: the connection goes on`
      )
      if (typeof (message as { id?: unknown }).id === 'string' && code !== 'invalid_message') {
        t.equal(error?.id, 'x', `${protocol}: ${name}: the id comes back`)
      }
      client.cut()
    }
  }
  await beside.check(t)
  beside.close()
})

test('lists refused symbols as rejected, even if all are refused', async t => {
  const server = await startServer(t, { UNKNOWN_SYMBOLS: 'reject' })
  await publish(server.app, 'quotes', 'KNOWN', { symbol: 'KNOWN', bid: '1' })
  const { client, messages } = await connectClient(server)
  client.send({ action: 'subscribe', id: 1, channel: 'quotes', symbols: ['KNOWN', 'UNHEARD'] })
  client.send({ action: 'subscribe', id: 2, channel: 'quotes', symbols: ['UNHEARD'] })
  client.send({ action: 'subscribe', id: 3, channel: 'orders' })
  await until('all are answered', () => messages.filter(({ type }) => type === 'subscribed').length === 3)
  const answer = (id: number): Message => messages.find(message => message.id === id)!
  t.match(answer(1), { symbols: ['KNOWN'], rejected: [{ symbol: 'UNHEARD', code: 'unknown_symbol' }] })
  t.match(answer(2), { symbols: [], rejected: [{ symbol: 'UNHEARD', code: 'unknown_symbol' }] })
  t.match(answer(3), { symbols: [], rejected: [{ code: 'unauthorized' }] })
  client.cut()
})

test('closes a connection with 4400 after ten bad messages within a minute, binary frames among them', async t => {
  const server = await startServer(t)
  const beside = openBystander(server)
  const { client, messages } = await connectClient(server)
  for (let i = 0; i < 5; i++) client.socket.send(Buffer.from([1, 2, 3]))
  for (let i = 0; i < 4; i++) client.send('{')
  client.send({ action: 'ping', id: 'still here' })
  await until('nine bad messages and the ping are answered', () =>
    messages.some(({ id }) => id === 'still here')
  )
  t.equal(
    messages.filter(({ type, code }) => type === 'error' && code === 'invalid_message').length,
    5,
    'a binary frame is a bad message'
  )
  client.send('{')
  const code = await new Promise<number>(resolve => { client.socket.on('close', resolve) })
  t.equal(code, 4400)
  t.match(messages.at(-1), { type: 'closing', code: 'bad_request' })
  await beside.check(t)
  beside.close()
})

test('closes a connection with 1009 for a frame of 1 MiB, and says so before', async t => {
  const server = await startServer(t)
  const beside = openBystander(server)
  for (const protocol of ['tickwire.v1.json', 'tickwire.v1.batch']) {
    const { client, messages } = await connectClient(server, protocol)
    client.send(JSON.stringify({ action: 'ping', id: 'x'.repeat(1 << 20) }))
    const code = await new Promise<number>(resolve => { client.socket.on('close', resolve) })
    t.equal(code, 1009, protocol)
    t.match(messages.at(-1), { type: 'closing', code: 'message_too_big' }, protocol)
  }
  await beside.check(t)
  beside.close()
})

test('closes a connection for a message of very many fragments as for one that is too big', async t => {
  const server = await startServer(t)
  const { client, messages } = await connectClient(server)
  for (let fragment = 0; fragment < 20_000; fragment++) client.socket.send(' ', { fin: false })
  const code = await new Promise<number>(resolve => { client.socket.on('close', resolve) })
  t.equal(code, 1009)
  t.match(messages.at(-1), { type: 'closing', code: 'message_too_big' })
})

test('answers bad requests of other endpoints by the table, too', async t => {
  const server = await startServer(t, { UNKNOWN_SYMBOLS: 'reject' })
  const authorization = `Bearer ${server.token()}`
  const get = (path: string): Promise<Response> => fetch(server.origin + path)
  const post = (body: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${server.origin}/v1/publish`, {
      method: 'POST',
      body,
      headers: { authorization, 'content-type': 'application/json', ...headers }
    })
  const cases: ReadonlyArray<readonly [string, Promise<Response>, number, string]> = [
    ['no such place', get('/v1/nothing'), 404, 'not_found'],
    ['history without a topic', get('/v1/history'), 400, 'bad_request'],
    ['history of a malformed topic', get('/v1/history?topic=trades:%00'), 400, 'bad_request'],
    ['history with limit=0', get('/v1/history?topic=news&limit=0'), 400, 'bad_request'],
    ['history of a user by name', get('/v1/history?topic=orders@alice'), 400, 'bad_request'],
    ['history after an inexact number', get('/v1/history?topic=news&after=9007199254740993'), 400, 'bad_request'],
    ['history of nothing', get('/v1/history?topic=news'), 404, 'not_found'],
    ['snapshot of nothing', get('/v1/snapshot?topic=quotes:A'), 404, 'not_found'],
    ['snapshot of no channel', get('/v1/snapshot?topic=nothing:A'), 400, 'unknown_channel'],
    ['publishing without a token', post('{}', { authorization: '' }), 401, 'unauthorized'],
    ['publishing broken JSON', post('{'), 400, 'invalid_json'],
    ['publishing nothing', post(''), 400, 'invalid_json'],
    ['publishing a number', post('1'), 400, 'invalid_message'],
    ['publishing XML', post('<a/>', { 'content-type': 'application/xml' }), 400, 'bad_request'],
    ['publishing a broken line', post('{}\n{', { 'content-type': 'application/x-ndjson' }), 400, 'invalid_json'],
    ['publishing too much', post(`[${'1,'.repeat(5_000_000)}1]`), 413, 'message_too_big'],
    [
      'starting a source without a token',
      fetch(`${server.origin}/v1/admin/sources/replay/start`, { method: 'POST' }),
      401, 'unauthorized'
    ],
    [
      'starting a source as anybody',
      fetch(`${server.origin}/v1/admin/sources/replay/start`, { method: 'POST', headers: { authorization } }),
      403, 'forbidden'
    ],
    [
      'starting an unknown source',
      fetch(`${server.origin}/v1/admin/sources/replay/start`, {
        method: 'POST', headers: { authorization: `Bearer ${server.token({ admin: true })}` }
      }),
      404, 'not_found'
    ]
  ]
  for (const [name, response, status, code] of cases) {
    const answer = await response
    t.equal(answer.status, status, name)
    t.match(await answer.json(), { type: 'error', code }, name)
  }
})
