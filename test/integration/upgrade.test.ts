import { createConnection } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { until } from '../helpers/clients.js'
import { type RawAnswer, RawHttp } from '../helpers/raw-http.js'
import { startServer, type TestServer } from '../helpers/server.js'

/** RFC 9110, 7.8: a server may ignore an Upgrade. This one ignores each that is not to a WebSocket. */

const portOf = (server: TestServer): number => Number(new URL(server.origin).port)

/** The headers of `curl --http2`. */
const H2C = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'
const HANDSHAKE = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'

const request = (line: string, headers = '', body = ''): string =>
  `${line} HTTP/1.1\r\nHost: x\r\n${headers}\r\n${body}`

async function ask (
  t: Test,
  client: RawHttp,
  bytes: string,
  opened?: (text: string) => boolean
): Promise<RawAnswer> {
  const answer = await client.send(bytes, 5000, opened)
  if (typeof answer !== 'string') return answer
  t.fail(`no answer: ${answer}: ${bytes}`)
  return { status: 0, headers: {}, body: Buffer.alloc(0) }
}

const upgrades: ReadonlyArray<readonly [name: string, headers: string]> = [
  ['h2c, as curl asks', H2C],
  ['h2c in capitals', H2C.replace('h2c', 'H2C')],
  ['TLS within HTTP', 'Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n'],
  [
    'several, none of them a WebSocket',
    'Connection: keep-alive, Upgrade\r\nUpgrade: h2c, IRC/6.9\r\nUpgrade: RTA/x11\r\n'
  ],
  ['a name that only begins alike', 'Connection: Upgrade\r\nUpgrade: websocket2\r\n'],
  ['a WebSocket of some version', 'Connection: Upgrade\r\nUpgrade: websocket/13\r\n']
]

test('ignores an upgrade to anything but a WebSocket at every URL, and the connection goes on', async t => {
  const server = await startServer(t)
  const authorization = `Authorization: Bearer ${server.token({ admin: true })}\r\n`
  const news = JSON.stringify({
    channel: 'news',
    data: { headline: 'h', source: 's', symbols: [], timestamp: '2026-01-01T00:00:00Z' }
  })
  const json = `${authorization}Content-Type: application/json\r\n`
  const chunked = `${news.length.toString(16)}\r\n${news}\r\n0\r\n\r\n`
  const requests: ReadonlyArray<
    readonly [name: string, line: string, headers: string, body: string, status: number]
  > = [
    ['health', 'GET /healthz', '', '', 200],
    ['readiness', 'GET /readyz', '', '', 200],
    ['metrics', 'GET /metrics', '', '', 200],
    ['the page', 'GET /', '', '', 200],
    ['the reference', 'GET /docs/', '', '', 200],
    ['the symbols', 'GET /v1/symbols', '', '', 200],
    ['a poll', 'GET /v1/stream?subscribe=quotes:A', '', '', 200],
    ['a refused poll', 'GET /v1/stream?subscribe=nothing', '', '', 400],
    ['a ticket', 'GET /api/ws/token', authorization, '', 200],
    ['nowhere', 'GET /nowhere', '', '', 404],
    ['a body of known length', 'POST /v1/publish', `${json}Content-Length: ${news.length}\r\n`, news, 200],
    ['a body in chunks', 'POST /v1/publish', `${json}Transfer-Encoding: chunked\r\n`, chunked, 200],
    ['an operator', 'POST /v1/admin/disconnect', `${json}Content-Length: 20\r\n`, '{"user_id":"nobody"}', 404],
    ['HEAD', 'HEAD /healthz', '', '', 200]
  ]
  for (const [kind, headers] of upgrades) {
    const client = new RawHttp(portOf(server))
    t.equal((await ask(t, client, request('GET /healthz'))).status, 200, `${kind}: a request before it`)
    for (const [name, line, more, body, status] of requests) {
      // HEAD gives the length of a body that does not come.
      const answer = await ask(
        t,
        client,
        request(line, headers + more, body),
        line.startsWith('HEAD') ? () => true : undefined
      )
      t.equal(answer.status, status, `${kind}: ${name}`)
      t.not(answer.headers['connection'], 'close', `${kind}: ${name}: the connection is kept`)
    }
    client.close()
  }
  const stored = await fetch(`${server.origin}/v1/history?topic=news`)
  t.equal(
    ((await stored.json()) as { last_sequence: number }).last_sequence,
    2 * upgrades.length,
    'each body was read whole, once'
  )
})

test('begins an event stream beside an ignored upgrade', async t => {
  const server = await startServer(t)
  const bytes = request('GET /v1/stream?subscribe=quotes:A', `${H2C}Accept: text/event-stream\r\n`)
  const answer = await ask(t, new RawHttp(portOf(server)), bytes, text => text.includes('"type":"welcome"'))
  t.match(answer, { status: 200, headers: { 'content-type': /^text\/event-stream/ } })
})

test('reads a body that follows later than the head of an ignored upgrade, and the next request', async t => {
  const server = await startServer(t)
  const news = JSON.stringify({ channel: 'news', data: { headline: 'h', source: 's', symbols: [], timestamp: '2026-01-01T00:00:00Z' } })
  const parts = [
    request(
      'POST /v1/publish',
      `${H2C}Authorization: Bearer ${server.token()}\r\nContent-Type: application/json\r\nContent-Length: ${news.length}\r\n`,
      news.slice(0, 10)
    ),
    news.slice(10, 20),
    news.slice(20)
  ]
  let text = ''
  const socket = createConnection({ port: portOf(server), host: '127.0.0.1', noDelay: true })
  t.teardown(() => { socket.destroy() })
  socket.on('data', chunk => { text += String(chunk) })
  for (const part of parts) {
    socket.write(part)
    await delay(20)
  }
  await until('the body is answered', () => text.includes('"accepted":1'))
  socket.write(request('GET /healthz'))
  await until('the next request is answered', () => text.includes('"status":"ok"'))
  t.equal(text.match(/HTTP\/1\.1 200 /g)?.length, 2)
})

const handshakes: ReadonlyArray<readonly [name: string, headers: string]> = [
  ['a WebSocket', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'],
  ['in capitals', 'Connection: UPGRADE\r\nUpgrade: WebSocket\r\n'],
  [
    'behind h2c',
    'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c, websocket\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'
  ],
  ['before others', 'Connection: keep-alive, Upgrade\r\nUpgrade: websocket ,h2c\r\n'],
  ['in a line of its own', 'Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n']
]

test('upgrades to a WebSocket, whatever else is offered beside it', async t => {
  const server = await startServer(t)
  for (const [name, headers] of handshakes) {
    const client = new RawHttp(portOf(server))
    const answer = await ask(t, client, request('GET /v1/stream', headers + HANDSHAKE))
    t.match(
      answer,
      {
        status: 101,
        headers: { upgrade: 'websocket', 'sec-websocket-accept': 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' }
      },
      name
    )
    client.close()
  }
})

test('treats what cannot be a WebSocket handshake as an ordinary request', async t => {
  const server = await startServer(t)
  const headers = `Connection: Upgrade\r\nUpgrade: websocket\r\n${HANDSHAKE}`
  const post = `${headers}Content-Type: application/json\r\nAuthorization: Bearer ${server.token()}\r\nContent-Length: 2\r\n`
  t.equal(
    (await ask(t, new RawHttp(portOf(server)), request('POST /v1/publish', post, '[]'))).status,
    200,
    'a POST'
  )
  const old = await ask(
    t,
    new RawHttp(portOf(server)),
    `GET /v1/stream?subscribe=quotes:A HTTP/1.0\r\nHost: x\r\n${headers}\r\n`
  )
  t.match(JSON.parse(old.body.toString()), { cursor: String, messages: [] }, 'HTTP/1.0')
})

test('performs an upgrade after answering the requests before it on its connection', async t => {
  const server = await startServer(t)
  const poll = request('GET /v1/stream?subscribe=quotes:A&subscribe=quotes:B')
  const webSocket = request('GET /v1/stream', `Connection: Upgrade\r\nUpgrade: websocket\r\n${HANDSHAKE}`)
  for (const [name, last, status] of [['h2c', request('GET /healthz', H2C), 200], ['a WebSocket', webSocket, 101]] as const) {
    const client = new RawHttp(portOf(server))
    t.equal((await ask(t, client, poll + poll + last)).status, 200, `${name}: the first`)
    t.equal((await ask(t, client, '')).status, 200, `${name}: the second`)
    t.equal((await ask(t, client, '')).status, status, name)
    client.close()
  }
})
