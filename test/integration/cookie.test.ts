import Fastify from 'fastify'
import type { AddressInfo } from 'node:net'
import { type Test, test } from 'tap'
import { WebSocket } from 'ws'
import { tickwire } from '../../src/index.js'
import { goodClaims, secretToken } from '../helpers/jwt.js'
import { SECRET, startServer } from '../helpers/server.js'
import { ask, transports } from '../helpers/ways-in.js'

/** The cookie of `GET /api/ws/token?cookie=1`: what it says, and which pages may send it. */

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

async function cookieFrom (t: Test, origin: string, headers: Record<string, string>): Promise<string> {
  const {
    status,
    headers: { 'set-cookie': cookies },
    body
  } = await ask(`${origin}/api/ws/token?cookie=1`, headers)
  t.equal(status, 200)
  t.match(JSON.parse(body), { ticket: /^[\w-]{43}$/, expires_in: 30 }, 'the ticket comes with it')
  t.equal(cookies?.length, 1)
  return cookies![0]!
}

test('sets a cookie for the stream alone, for as long as the token is good', async t => {
  const server = await startServer(t, { AUTH: 'required', TRUST_PROXY: true })
  const token = secretToken(SECRET, goodClaims(3600))
  const plain = await cookieFrom(t, server.origin, bearer(token))
  const [pair, ...attributes] = plain.split('; ')
  t.equal(pair, `tickwire=${token}`)
  const seconds = Number(attributes.find(text => text.startsWith('Max-Age='))?.slice(8))
  t.ok(seconds > 3500 && seconds <= 3600, 'it lives as long as the token')
  t.same(
    attributes.filter(text => !text.startsWith('Max-Age=')),
    ['Path=/v1/stream', 'HttpOnly', 'SameSite=Strict']
  )
  t.match(
    await cookieFrom(t, server.origin, { ...bearer(token), 'x-forwarded-proto': 'https' }),
    /; Secure$/,
    'the proxy says that the request came over TLS'
  )
  t.match(
    await cookieFrom(t, server.origin, bearer(secretToken(SECRET, goodClaims(-30)))),
    /; Max-Age=0;/,
    'an expired token makes no lasting cookie'
  )

  const long = secretToken(SECRET, {
    ...goodClaims(),
    name: 'n'.repeat(256),
    read: Array.from({ length: 60 }, (_, index) => `quotes:${String(index).padStart(32, 'A')}`)
  })
  const refused = await ask(`${server.origin}/api/ws/token?cookie=1`, bearer(long))
  t.match(
    { status: refused.status, ...(JSON.parse(refused.body) as object) },
    { status: 413, code: 'message_too_big' }
  )
  t.equal(refused.headers['set-cookie'], undefined)
  t.equal(
    (await ask(`${server.origin}/api/ws/token`, bearer(long))).status,
    200,
    'a ticket can be had for it'
  )
})

test('lets a page that logs out make the browser forget the cookie', async t => {
  const server = await startServer(t, {
    AUTH: 'required',
    TRUST_PROXY: true,
    ALLOWED_ORIGINS: 'https://app.example'
  })
  const end = async (headers: Record<string, string> = {}): Promise<Response> =>
    await fetch(`${server.origin}/api/ws/token`, { method: 'DELETE', headers })
  const ended = await end()
  t.equal(ended.status, 204, 'whoever asks, because the token may have expired')
  t.equal(
    ended.headers.get('set-cookie'),
    'tickwire=; Path=/v1/stream; Max-Age=0; HttpOnly; SameSite=Strict',
    'the same name and path, or it would be another cookie'
  )
  t.match((await end({ 'x-forwarded-proto': 'https' })).headers.get('set-cookie'), /; Secure$/)
  t.equal((await end({ origin: 'https://app.example' })).status, 204)
  const foreign = await end({ origin: 'https://evil.example' })
  t.match(
    {
      status: foreign.status,
      cookie: foreign.headers.get('set-cookie'),
      ...((await foreign.json()) as object)
    },
    { status: 403, cookie: null, code: 'forbidden' }
  )
  const preflight = await fetch(`${server.origin}/api/ws/token`, {
    method: 'OPTIONS',
    headers: { origin: 'https://app.example', 'access-control-request-method': 'DELETE' }
  })
  t.match(preflight.headers.get('access-control-allow-methods'), /\bDELETE\b/)
})

test('gives the cookie the prefix of the application in its path, and reads it there only', async t => {
  const app = Fastify()
  await app.register(tickwire, {
    prefix: '/live',
    settings: { JWT_SECRET: SECRET, AUTH: 'required', UNKNOWN_SYMBOLS: 'accept' }
  })
  t.teardown(async () => { await app.close() })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const origin = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/live`
  const token = app.tickwire.signToken({ sub: 'alice', publish: ['*'] }, 60)
  t.match(await cookieFrom(t, origin, bearer(token)), /; Path=\/live\/v1\/stream;/)
  const cookie = { cookie: `tickwire=${token}` }
  t.equal((await ask(`${origin}/v1/stream?subscribe=quotes:A`, cookie)).status, 200)
  for (const path of ['/v1/symbols', '/v1/history?topic=quotes:A', '/v1/snapshot?topic=quotes:A', '/api/ws/token']) {
    t.equal((await ask(`${origin}${path}`, cookie)).status, 401, path)
  }
  const publish = await fetch(`${origin}/v1/publish`, {
    method: 'POST',
    body: '[]',
    headers: { ...cookie, 'content-type': 'application/json' }
  })
  t.equal(publish.status, 401, 'what a page can make a browser send changes nothing')
})

test('takes the cookie from its own and listed pages only', async t => {
  const server = await startServer(t, { AUTH: 'required', ALLOWED_ORIGINS: '*, https://app.example' })
  const cookie = `tickwire=${server.token()}`
  const own = server.origin
  const cases: ReadonlyArray<readonly [string, Record<string, string>, boolean]> = [
    ['no page', {}, true],
    ['a page of its own', { 'sec-fetch-site': 'same-origin' }, true],
    ['its own, with its origin', { origin: own, 'sec-fetch-site': 'same-origin' }, true],
    ['its own, in a browser that says no more', { origin: own }, true],
    ['a listed page', { origin: 'https://app.example', 'sec-fetch-site': 'same-site' }, true],
    ['a page that only * allows', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }, false],
    ['in a browser that says no more', { origin: 'https://evil.example' }, false],
    [
      'a page of the same host over another protocol',
      { origin: own.replace('http', 'https'), 'sec-fetch-site': 'cross-site' },
      false
    ],
    ['a page of a neighbouring name', { 'sec-fetch-site': 'same-site' }, false],
    ['an image in any page', { 'sec-fetch-site': 'cross-site' }, false],
    ['a link', { 'sec-fetch-site': 'none' }, false],
    ['a page without an origin', { origin: 'null', 'sec-fetch-site': 'cross-site' }, false]
  ]
  for (const [name, headers, accepted] of cases) {
    for (const transport of transports) {
      const status = await statusOf(own, transport, { ...headers, cookie })
      t.equal(status, accepted ? (transport === 'websocket' ? 101 : 200) : 401, `${transport}: ${name}`)
    }
  }
  const allowed = async (origin: string): Promise<unknown> =>
    (await ask(`${own}/v1/stream?subscribe=quotes:A`, { cookie, origin })).headers[
      'access-control-allow-credentials'
    ]
  t.equal(await allowed('https://app.example'), 'true', 'a listed page may read what comes for its cookie')
  t.equal(await allowed('https://evil.example'), undefined)
  const preflight = await fetch(`${own}/api/ws/token`, {
    method: 'OPTIONS',
    headers: {
      origin: 'https://app.example',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'authorization'
    }
  })
  t.match(Object.fromEntries(preflight.headers), {
    'access-control-allow-origin': 'https://app.example',
    'access-control-allow-credentials': 'true'
  })
})

test('refuses cookies that somebody else has set', async t => {
  const server = await startServer(t, { AUTH: 'required' })
  const [mine, theirs] = [server.token(), server.token({ sub: 'mallory' })]
  for (const cookie of [
    `tickwire=${mine}; tickwire=${theirs}`, `tickwire=${theirs};tickwire=${mine}`, 'tickwire=', 'tickwire',
    `Tickwire=${mine}`, `tickwire2=${mine}`, `x=tickwire=${mine}`
  ]) {
    const name = cookie.replaceAll(mine, '…').replaceAll(theirs, '…')
    for (const transport of transports) {
      t.equal(await statusOf(server.origin, transport, { cookie }), 401, `${transport}: ${name}`)
    }
  }
})

async function statusOf (
  origin: string, transport: (typeof transports)[number], headers: Record<string, string>
): Promise<number> {
  const url = `${origin}/v1/stream?subscribe=quotes:A`
  switch (transport) {
    case 'poll':
      return (await ask(url, headers)).status
    case 'sse':
      return (await ask(url, { ...headers, accept: 'text/event-stream' }, body => body.includes('welcome')))
        .status
    case 'websocket': {
      const socket = new WebSocket(url.replace('http', 'ws'), { headers })
      return await new Promise((resolve, reject) => {
        socket.on('open', () => {
          socket.terminate()
          resolve(101)
        })
        socket.on('unexpected-response', (_request, response) => {
          response.resume()
          resolve(response.statusCode!)
        })
        socket.on('error', reject)
      })
    }
  }
}
