import { type Test, test } from 'tap'
import type { Config } from '../../src/config.js'
import { until } from '../helpers/clients.js'
import { type RawAnswer, RawHttp } from '../helpers/raw-http.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'

/** HEAD and OPTIONS of the stream: what programs and proxies ask before they open one. */

const ACCEPT = { sse: 'text/event-stream', poll: 'application/json' } as const

async function ask (
  server: TestServer,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {}
): Promise<RawAnswer> {
  const client = new RawHttp(Number(new URL(server.origin).port))
  const lines = Object.entries({ Host: 'stream.example', ...headers })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')
  // HEAD gives the length of a body that does not come.
  const answer = await client.send(`${method} ${path} HTTP/1.1\r\n${lines}\r\n`, 5000, () => true)
  client.close()
  if (typeof answer === 'string') throw new Error(`${method} ${path}: ${answer}`)
  return answer
}

/** Headers that depend on the moment, or on a body. */
const OTHER: ReadonlySet<string> = new Set(['date', 'x-request-id', 'content-length', 'transfer-encoding'])
const lastingHeaders = ({ headers }: RawAnswer): object =>
  Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !OTHER.has(name))
      .sort()
  )

async function start (t: Test, overrides: Partial<Config> = {}): Promise<TestServer> {
  const server = await startServer(t, { ALLOWED_ORIGINS: 'https://app.example', ...overrides })
  await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '1' })
  return server
}

test('HEAD answers with the headers of a stream or a poll, and opens none', async t => {
  const server = await start(t)
  const { hub, counters } = server.parts
  for (const [transport, Accept] of Object.entries(ACCEPT)) {
    for (const [name, headers] of [
      ['plain', {}], ['compressed', { 'Accept-Encoding': 'gzip' }], ['of a page', { Origin: 'https://app.example' }], ['with its id', { 'X-Request-Id': 'mine' }]
    ] as const) {
      const path = '/v1/stream?subscribe=quotes:A'
      const head = await ask(server, 'HEAD', path, { Accept, ...headers })
      t.equal(head.status, 200, `${transport}, ${name}`)
      t.equal(head.body.length, 0)
      const get = await ask(server, 'GET', path, { Accept, ...headers })
      t.same(lastingHeaders(head), lastingHeaders(get), `${transport}, ${name}: the headers of GET`)
      t.equal('x-request-id' in head.headers, 'x-request-id' in get.headers)
      if ('X-Request-Id' in headers && transport === 'poll') t.equal(head.headers['x-request-id'], 'mine')
    }
  }
  await until('streams have left', () => server.parts.connections.active === 0)
  const before = [...counters.all()].map(([, { opened, fresh, resumes }]) => [opened, fresh, resumes])
  for (const Accept of Object.values(ACCEPT)) {
    for (let time = 0; time < 5; time++) {
      await ask(server, 'HEAD', '/v1/stream?subscribe=quotes:A,B', { Accept })
    }
  }
  t.same(
    [...counters.all()].map(([, { opened, fresh, resumes }]) => [opened, fresh, resumes]),
    before,
    'nothing was opened'
  )
  t.equal(server.parts.connections.active, 0)
  t.same(
    server.parts.connections.registry.all().filter(({ id }) => id !== 'mine'),
    [],
    'nobody is registered but the poll that may go on'
  )
  t.equal(hub.audience.size, 0)
})

test('HEAD waits for nothing', async t => {
  const server = await start(t)
  const { cursor } = JSON.parse(
    (await ask(server, 'GET', '/v1/stream?subscribe=quotes:A')).body.toString()
  ) as { cursor: string }
  t.equal((await ask(server, 'HEAD', `/v1/stream?subscribe=quotes:A&after=${cursor}&wait=30`)).status, 200)
})

test('HEAD is refused with the status and the headers of GET', async t => {
  const server = await start(t, { AUTH: 'required', UNKNOWN_SYMBOLS: 'reject', MAX_SUBSCRIPTIONS: 2 })
  const Authorization = `Bearer ${server.token()}`
  for (const [path, headers, status] of [
    ['/v1/stream?subscribe=quotes:A', {}, 401],
    ['/v1/stream?subscribe=quotes:A&token=x', {}, 401],
    ['/v1/stream?subscribe=quotes:A&ticket=x', {}, 401],
    ['/v1/stream?subscribe=quotes:A', { Authorization, Origin: 'https://evil.example' }, 403],
    ['/v1/stream?subscribe=quotes:A', { Authorization: `Bearer ${server.token({ read: ['news'] })}` }, 403],
    ['/v1/stream', { Authorization }, 400],
    ['/v1/stream?subscribe=quotes:Z', { Authorization }, 400],
    ['/v1/stream?subscribe=quotes:A&after=x', { Authorization }, 400],
    ['/v1/stream?subscribe=quotes:A?', { Authorization }, 400],
    ['/v1/stream?subscribe=quotes:A,@market/X,*', { Authorization }, 400],
    ['/v1/stream?subscribe=quotes:A', { Authorization }, 200]
  ] as const) {
    for (const Accept of Object.values(ACCEPT)) {
      const [head, get] = [
        await ask(server, 'HEAD', path, { Accept, ...headers }),
        await ask(server, 'GET', path, { Accept, ...headers })
      ]
      t.equal(get.status, status, path)
      t.equal(head.status, status, `${path}: HEAD`)
      t.same(lastingHeaders(head), lastingHeaders(get), `${path}: the same headers`)
    }
  }
  t.equal(
    (await ask(server, 'HEAD', '/v1/stream?subscribe=quotes:A', { Authorization, 'X-Request-Id': 'a b' }))
      .status,
    400,
    'a malformed id'
  )
  await until('streams have left', () => server.parts.connections.active === 0)
})

test('HEAD is refused where there is no room, and takes none', async t => {
  const server = await start(t, { MAX_CONNECTIONS_PER_USER: 1 })
  const Authorization = `Bearer ${server.token()}`
  const path = '/v1/stream?subscribe=quotes:A'
  for (let time = 0; time < 3; time++) {
    t.equal((await ask(server, 'HEAD', path, { Authorization })).status, 200)
  }
  const { cursor } = JSON.parse((await ask(server, 'GET', path, { Authorization })).body.toString()) as {
    cursor: string
  }
  const held = ask(server, 'GET', `${path}&after=${cursor}&wait=2`, { Authorization })
  await until('a poll is held', () => server.parts.connections.active === 1)
  for (const Accept of Object.values(ACCEPT)) {
    t.match(await ask(server, 'HEAD', path, { Accept, Authorization }), {
      status: 429,
      headers: { 'retry-after': '1' }
    })
  }
  t.equal((await held).status, 200)
})

test('HEAD spends no ticket', async t => {
  const server = await start(t, { AUTH: 'required' })
  const { ticket } = JSON.parse(
    (await ask(server, 'GET', '/api/ws/token', { Authorization: `Bearer ${server.token()}` })).body.toString()
  ) as { ticket: string }
  const path = `/v1/stream?subscribe=quotes:A&ticket=${ticket}`
  for (const [method, status] of [
    ['HEAD', 200], ['HEAD', 200], ['GET', 200], ['HEAD', 401], ['GET', 401]
  ] as const) t.equal((await ask(server, method, path)).status, status, method)
})

test('OPTIONS lists the methods', async t => {
  const server = await start(t, { AUTH: 'required' })
  for (const headers of [
    {},
    { Origin: 'https://app.example' },
    { Origin: 'https://evil.example' },
    { 'Access-Control-Request-Method': 'GET' },
    { Accept: 'text/event-stream' },
    { Connection: 'Upgrade', Upgrade: 'websocket' }
  ]) {
    t.match(
      await ask(server, 'OPTIONS', '/v1/stream?subscribe=quotes:A', headers),
      { status: 204, headers: { allow: 'GET, HEAD, OPTIONS', 'cache-control': 'no-store' } },
      JSON.stringify(headers)
    )
    t.match(
      await ask(server, 'OPTIONS', '/api/ws/token', headers),
      { status: 204, headers: { allow: 'GET, DELETE, OPTIONS', 'cache-control': 'no-store' } },
      JSON.stringify(headers)
    )
  }
  for (const [method, status] of [['POST', 404], ['PUT', 404], ['DELETE', 404]] as const) {
    t.equal((await ask(server, method, '/v1/stream', { 'Content-Length': '0' })).status, status, method)
  }
})

test('a CORS preflight lets an allowed page in, and no other', async t => {
  const server = await start(t)
  const preflight = {
    'Access-Control-Request-Method': 'GET',
    'Access-Control-Request-Headers': 'authorization,last-event-id'
  }
  for (const path of ['/v1/stream', '/api/ws/token', '/v1/symbols']) {
    t.match(
      await ask(server, 'OPTIONS', path, { Origin: 'https://app.example', ...preflight }),
      {
        status: 204,
        headers: {
          'access-control-allow-origin': 'https://app.example',
          'access-control-allow-methods': /GET/,
          'access-control-allow-headers': /Authorization.*Last-Event-ID/
        }
      },
      path
    )
    const foreign = await ask(server, 'OPTIONS', path, { Origin: 'https://evil.example', ...preflight })
    t.equal(foreign.headers['access-control-allow-origin'], undefined, `${path}: a foreign page`)
    t.equal(foreign.status, 404, `${path}: a foreign page`)
  }
})
