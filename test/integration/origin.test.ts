import { get } from 'node:https'
import { connect } from 'node:net'
import { test } from 'tap'
import { CertificateFiles, makeCertificate } from '../helpers/certificate.js'
import { keptLog } from '../helpers/kept-log.js'
import { RawHttp } from '../helpers/raw-http.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'

const MARK = 'what no other page may have'
const GOOD = 'https://good.example'

/** Every request with which a page could ask for data. */
const requests: ReadonlyArray<readonly [name: string, path: string, init: RequestInit]> = [
  ['an event stream', '/v1/stream?subscribe=news;last=1', { headers: { accept: 'text/event-stream' } }],
  ['a poll', '/v1/stream?subscribe=news;last=1', {}],
  ['a history', '/v1/history?topic=news', {}],
  ['a snapshot', '/v1/snapshot?topic=quotes:A', {}],
  ['the symbols', '/v1/symbols', {}],
  [
    'a publish',
    '/v1/publish',
    { method: 'POST', body: '[]', headers: { 'content-type': 'application/json' } }
  ],
  [
    'a disconnect',
    '/v1/admin/disconnect',
    { method: 'POST', body: '{"user_id":"nobody"}', headers: { 'content-type': 'application/json' } }
  ]
]

async function ask (
  server: TestServer,
  path: string,
  init: RequestInit,
  origin: string,
  token: string
): Promise<{ status: number, allows: string | null, text: string }> {
  const abort = new AbortController()
  const headers = { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>), origin }
  const response = await fetch(server.origin + path, { ...init, headers, signal: abort.signal })
  // A stream has no end, and its head is enough.
  const isStream =
    response.status === 200 && response.headers.get('content-type')!.startsWith('text/event-stream')
  const text = isStream ? '' : await response.text()
  abort.abort()
  return { status: response.status, allows: response.headers.get('access-control-allow-origin'), text }
}

test('gives a page of another origin no data, and the same refusal everywhere', async t => {
  const server = await startServer(t, { ALLOWED_ORIGINS: GOOD })
  await publish(server.app, 'news', undefined, {
    headline: MARK,
    source: 's',
    symbols: [],
    timestamp: '2026-01-01T00:00:00Z'
  })
  await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '1' })
  const token = server.token({ admin: true })
  for (const [name, path, init] of requests) {
    const foreign = [
      'https://evil.example', 'http://good.example', 'null', `${GOOD}.evil.example`,
      server.origin.replace('127.0.0.1', 'localhost')
    ]
    for (const origin of foreign) {
      const { status, allows, text } = await ask(server, path, init, origin, token)
      t.equal(status, 403, `${name}: ${origin}`)
      t.match(JSON.parse(text), { type: 'error', code: 'forbidden' })
      t.notMatch(text, MARK)
      t.notMatch(text, origin, 'the origin is not repeated')
      t.equal(allows, null)
    }
    for (const origin of [GOOD, server.origin]) {
      const { status, allows } = await ask(server, path, init, origin, token)
      t.not(status, 403, `${name}: ${origin}`)
      t.equal(allows, origin)
    }
  }
})

/** Returns the statuses with which each transport refuses a page, or lets it in. */
async function statuses (server: TestServer, headers: Readonly<Record<string, string>>): Promise<number[]> {
  const ways = [
    [
      '/v1/stream',
      {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ=='
      }
    ],
    ['/v1/stream?subscribe=news', { Accept: 'text/event-stream' }],
    ['/v1/stream?subscribe=news', {}],
    ['/v1/symbols', {}]
  ] as const
  return await Promise.all(ways.map(async ([path, more]) => {
    const client = new RawHttp(Number(new URL(server.origin).port))
    const lines = Object.entries({ ...headers, ...more })
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('')
    const answer = await client.send(`GET ${path} HTTP/1.1\r\n${lines}\r\n`, 5000, () => true)
    client.close()
    return typeof answer === 'string' ? 0 : answer.status
  }))
}

const OWN = [101, 200, 200, 200]
const FOREIGN = [403, 403, 403, 403]

test('takes an origin as its own if scheme, host and port match, explicit or by default', async t => {
  const server = await startServer(t)
  for (const [Host, Origin, expected] of [
    ['stream.example:443', 'https://stream.example', OWN],
    ['stream.example', 'wss://stream.example', OWN],
    ['stream.example:443', 'wss://stream.example', OWN],
    ['stream.example:8443', 'wss://stream.example:8443', OWN],
    ['stream.example:80', 'http://stream.example', OWN],
    ['stream.example:8080', 'ws://stream.example:8080', OWN],
    ['Stream.Example', 'https://stream.example', OWN],
    ['stream.example', 'https://stream.example:443', OWN],
    ['stream.example:80', 'https://stream.example', FOREIGN],
    ['stream.example:443', 'http://stream.example', FOREIGN],
    ['stream.example', 'wss://evil.example', FOREIGN],
    ['stream.example:443', 'https://evil.example', FOREIGN],
    ['stream.example', 'ftp://stream.example', FOREIGN]
  ] as const) t.same(await statuses(server, { Host, Origin }), expected, `${Origin} at ${Host}`)
})

test('takes the scheme of a page from a trusted proxy, and from no other', async t => {
  for (const [trust, proto, Origin, expected] of [
    [true, 'https', 'https://stream.example', OWN],
    [true, 'https', 'http://stream.example', FOREIGN],
    [true, 'wss', 'wss://stream.example', OWN],
    [true, 'wss', 'ws://stream.example', FOREIGN],
    [true, 'http', 'http://stream.example', OWN],
    [true, 'http', 'https://stream.example', FOREIGN],
    [1, 'http, https', 'https://stream.example', OWN],
    [true, undefined, 'https://stream.example', OWN],
    [false, 'http', 'https://stream.example', OWN],
    [false, 'https', 'http://stream.example', OWN]
  ] as const) {
    const server = await startServer(t, { TRUST_PROXY: trust })
    const told = proto === undefined ? {} : { 'X-Forwarded-Proto': proto }
    const title = `TRUST_PROXY=${trust}, ${proto}: ${Origin}`
    t.same(await statuses(server, { Host: 'stream.example', Origin, ...told }), expected, title)
  }
})

test('demands TLS of its own pages if it serves TLS, at the default port and at others', async t => {
  const server = await startServer(t, new CertificateFiles(t, makeCertificate('only')).settings)
  for (const [host, origin, status] of [
    ['stream.example', 'https://stream.example', 200],
    ['stream.example:443', 'https://stream.example', 200],
    ['stream.example:443', 'wss://stream.example', 200],
    ['stream.example:8443', 'https://stream.example:8443', 200],
    ['stream.example', 'http://stream.example', 403],
    ['stream.example:80', 'http://stream.example', 403],
    ['stream.example', 'ws://stream.example', 403],
    ['stream.example:80', 'https://stream.example', 403]
  ] as const) {
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      const options = { headers: { host, origin }, rejectUnauthorized: false, agent: false }
      get(`${server.origin}/v1/symbols`, options, response => {
        resolve(response.resume().statusCode)
      }).on('error', reject)
    })
    t.equal(answer, status, `${origin} at ${host}`)
  }
})

test('upgrades streams only', async t => {
  const server = await startServer(t)
  for (const path of [
    '/healthz', '/v1/symbols', '/docs/', '/', '/v1/history?topic=news&token=x.y.z', '/v1/stream?subscribe=nothing',
    '/nowhere', '/%E0%A4'
  ]) {
    // This client never ends its side. If the server waited for it, many of them could fill the server.
    const answer = await new Promise<string>(resolve => {
      let text = ''
      const socket = connect({
        port: Number(new URL(server.origin).port),
        host: '127.0.0.1',
        allowHalfOpen: true
      })
      socket.write([
        `GET ${path} HTTP/1.1`, 'Host: x', 'Connection: Upgrade', 'Upgrade: websocket',
        'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', '', ''
      ].join('\r\n'))
      socket
        .on('data', chunk => {
          text += String(chunk)
        })
        .on('end', () => {
          socket.destroy()
          resolve(text)
        })
    })
    t.match(answer, /^HTTP\/1\.1 40[04] /, path)
  }
})

test('serves pages with strict headers, and streams without them', async t => {
  for (const [environment, hsts] of [['development', null], ['production', 'max-age=31536000']] as const) {
    const server = await startServer(t, { NODE_ENV: environment, AUTH: 'optional' })
    for (const path of ['/', '/monitor', '/compare', '/page/page.js', '/docs/', '/docs/static/index.css', '/docs/json']) {
      const { status, headers } = await fetch(server.origin + path)
      t.equal(status, 200, path)
      t.match(headers.get('content-security-policy'), /^default-src 'self';.*frame-ancestors 'none'/)
      t.notMatch(headers.get('content-security-policy'), /unsafe|https?:|upgrade-insecure/)
      t.equal(headers.get('x-content-type-options'), 'nosniff')
      t.equal(headers.get('x-frame-options'), 'DENY')
      t.equal(headers.get('referrer-policy'), 'no-referrer')
      t.equal(headers.get('cross-origin-opener-policy'), 'same-origin')
      t.equal(headers.get('strict-transport-security'), hsts)
    }
    for (const path of ['/v1/stream?subscribe=news', '/v1/symbols', '/healthz']) {
      t.equal((await fetch(server.origin + path)).headers.get('content-security-policy'), null, path)
    }
  }
})

test('repeats nothing of a URL that it cannot read', async t => {
  const server = await startServer(t)
  for (const path of [
    '/%E0%A4%A', '/<script>alert(1)</script>', `/v1/admin/sources/${'x'.repeat(300)}/start`, '/v1/stream/%ff',
    `/v1/history?topic=${encodeURIComponent('<b>')}`, '/v1/stream?%3Cb%3E=1'
  ]) {
    const asAdmin = { method: 'POST', headers: { authorization: `Bearer ${server.token({ admin: true })}` } }
    const response = await fetch(server.origin + path, path.startsWith('/v1/admin') ? asAdmin : {})
    const text = await response.text()
    t.match(JSON.parse(text), { type: 'error', code: String }, path.slice(0, 40))
    t.match(response.headers.get('content-type'), /^application\/json/)
    t.notMatch(text, /script|xxx|<b>|%E0|%ff/i)
  }
})

test('counts the address of a client behind as many proxies as it trusts', async t => {
  const certificate = new CertificateFiles(t, makeCertificate('only')).settings
  const forwarded = '6.6.6.6, 10.1.1.1'
  for (const [trust, address] of [
    [false, '127.0.0.1'],
    [true, '6.6.6.6'],
    [1, '10.1.1.1'],
    [2, '6.6.6.6'],
    ['127.0.0.1', '10.1.1.1'],
    ['loopback, 10.0.0.0/8', '6.6.6.6'],
    ['10.0.0.0/8', '127.0.0.1']
  ] as const) {
    for (const tls of [{}, certificate]) {
      const lines: string[] = []
      const server = await startServer(
        t,
        { TRUST_PROXY: trust, ...tls },
        {
          lines: {
            write (line) {
              keptLog.write(line)
              lines.push(line)
            }
          }
        }
      )
      const answer = await server.app.inject({
        url: '/v1/stream?subscribe=news',
        headers: { 'x-forwarded-for': forwarded },
        remoteAddress: '127.0.0.1'
      })
      t.equal(answer.statusCode, 200)
      const poll = lines
        .map(line => JSON.parse(line) as { event?: string, address?: string })
        .find(({ event }) => event === 'poll')
      t.equal(poll?.address, address, `TRUST_PROXY=${trust}`)
    }
  }
})

test('lets no page of another origin open a WebSocket, and sends the headers of the protocol', async t => {
  const server = await startServer(t, { ALLOWED_ORIGINS: 'https://good.example' })
  const { WebSocket } = await import('ws')
  const attempt = (origin: string): Promise<number> => new Promise(resolve => {
    const socket = new WebSocket(`${server.origin.replace('http', 'ws')}/v1/stream`, { origin })
    socket.on('open', () => { resolve(101); socket.terminate() })
    socket.on('unexpected-response', (_request, response) => { resolve(response.statusCode ?? 0) })
    socket.on('error', () => {})
  })
  t.equal(await attempt('https://evil.example'), 403)
  t.equal(await attempt('https://good.example'), 101)
  t.equal(await attempt(server.origin), 101)

  const abort = new AbortController()
  const headers = { accept: 'text/event-stream', origin: 'https://good.example' }
  const stream = await fetch(`${server.origin}/v1/stream?subscribe=quotes:*`, {
    headers,
    signal: abort.signal
  })
  t.equal(stream.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  t.equal(stream.headers.get('cache-control'), 'no-cache, no-store, no-transform')
  t.equal(stream.headers.get('x-accel-buffering'), 'no')
  t.match(stream.headers.get('vary'), /Accept, Accept-Encoding, Origin, Authorization/)
  t.equal(stream.headers.get('access-control-allow-origin'), 'https://good.example')
  abort.abort()
  const poll = await fetch(`${server.origin}/v1/stream?subscribe=quotes:*`, {
    headers: { origin: 'https://evil.example' }
  })
  t.equal(poll.status, 403)
  t.equal(poll.headers.get('cache-control'), 'no-store')
  t.equal(poll.headers.get('access-control-allow-origin'), null)
  const preflight = await fetch(`${server.origin}/v1/stream`, {
    method: 'OPTIONS',
    headers: {
      origin: 'https://good.example',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'authorization,last-event-id'
    }
  })
  t.match(preflight.headers.get('access-control-allow-headers'), /Authorization.*Last-Event-ID/)
  t.match(preflight.headers.get('access-control-allow-methods'), /PATCH/, 'for alert rules and orders')
})
