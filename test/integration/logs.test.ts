import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { openClient, openWebSocket, transportNames, until } from '../helpers/clients.js'
import { keptLog } from '../helpers/kept-log.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'
import { signedToken } from '../helpers/tokens.js'
import type { Config } from '../../src/config.js'

type Line = Readonly<Record<string, unknown>>

/** Starts a server that logs everything, and collects what it logs. */
async function loudServer (
  t: Test,
  overrides: Partial<Config> = {}
): Promise<{ server: TestServer, lines: Line[], of(event: string): Line[] }> {
  const lines: Line[] = []
  const server = await startServer(t, overrides, {
    lines: {
      write (line) {
        keptLog.write(line)
        lines.push(JSON.parse(line) as Line)
      }
    }
  })
  return { server, lines, of: event => lines.filter(line => line['event'] === event) }
}

const PAYLOAD = 'what a payload says'
const news = { headline: PAYLOAD, source: 's', symbols: [], timestamp: '2026-01-01T00:00:00Z' }
const forged = (): string => signedToken({ sub: 'mallory' }, 3600, 'another secret')
const UPGRADE = [
  'Host: x', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
].join('\r\n')

/** Sends bytes as they are. Returns what comes back. */
async function sendRaw (server: TestServer, bytes: string): Promise<string> {
  return await new Promise(resolve => {
    let text = ''
    const socket = connect(Number(new URL(server.origin).port), '127.0.0.1', () => { socket.write(bytes) })
    socket
      .on('data', chunk => {
        text += String(chunk)
        socket.end()
      })
      .on('error', () => {})
      .on('close', () => {
        resolve(text)
      })
  })
}

test('logs each connect, subscribe, unsubscribe, refusal and close, and nothing of what was sent', async t => {
  const { server, of } = await loudServer(t)
  const token = server.token({ sub: 'alice', publish: ['news'] })
  const heard: string[] = []
  const socket = openWebSocket(server.origin, '', 'tickwire.v1.json', {
    onMessage: ({ type }) => {
      heard.push(type)
    },
    onCursor: () => {}
  })
  await until('it is open', () => heard.includes('welcome'))
  socket.send({ action: 'auth', token })
  socket.send({ action: 'subscribe', channel: 'quotes', symbols: ['A', 'B', 'C'] })
  socket.send({ action: 'subscribe', channel: 'trades', symbols: ['A', 'B'], throttle_ms: 100 })
  socket.send({ action: 'unsubscribe', channel: 'quotes', symbols: ['A'] })
  socket.send({ action: 'subscribe', channel: 'nothing' })
  await until('everything is done', () => of('refuse').length === 1)
  socket.cut()
  await until('it is gone', () => of('close').length === 1)
  const common = {
    user: 'alice',
    address: '127.0.0.1',
    transport: 'websocket',
    connection: /^[0-9a-f-]{36}$/
  }
  t.match(of('connect')[0], {
    level: 20,
    address: '127.0.0.1',
    transport: 'websocket',
    connection: common.connection
  })
  t.match(of('authenticate')[0], { level: 20, ...common })
  t.match(of('subscribe'), [
    { level: 20, ...common, selectors: 3, rejected: 0 },
    { ...common, selectors: 0, rejected: 2 }
  ])
  t.match(of('unsubscribe'), [{ level: 20, ...common, selectors: 1 }])
  t.match(of('refuse'), [{ level: 30, ...common, code: 'unknown_channel' }])
  t.match(of('close'), [{ level: 20, ...common, selectors: 2, open_ms: Number }])
  t.notOk('code' in of('close')[0]!, 'the client closed it')

  const stream = openClient(
    'sse',
    server.origin,
    `subscribe=news&subscribe=quotes:A,B&token=${token}`,
    undefined,
    { onMessage: () => {}, onCursor: () => {} }
  )
  await until('it is subscribed', () => of('subscribe').length === 3)
  t.match(of('subscribe')[2], { user: 'alice', transport: 'sse', selectors: 3 })
  const ended = await fetch(`${server.origin}/v1/admin/disconnect`, {
    method: 'POST',
    body: '{"user_id":"alice"}',
    headers: {
      authorization: `Bearer ${server.token({ sub: 'operator', admin: true })}`,
      'content-type': 'application/json'
    }
  })
  t.equal(ended.status, 204)
  await stream.ended
  await until('it is closed', () => of('close').length === 2)
  t.match(of('close')[1], { level: 20, user: 'alice', transport: 'sse', code: 'going_away' })
  t.match(of('admin'), [{ level: 30, user: 'operator', method: 'POST', route: '/v1/admin/disconnect', status: 204 }])

  await fetch(`${server.origin}/v1/stream?subscribe=news`, {
    headers: { authorization: `Bearer ${token}`, 'x-request-id': 'mine' }
  })
  t.match(of('poll'), [
    { level: 20, user: 'alice', transport: 'poll', connection: 'mine', selectors: 1, messages: 0 }
  ])
  t.equal((await fetch(`${server.origin}/v1/stream?subscribe=orders`)).status, 401)
  t.match(of('refuse')[1], { level: 30, transport: 'poll', code: 'unauthorized', address: '127.0.0.1' })
  t.equal(
    (
      await fetch(`${server.origin}/v1/admin/disconnect`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` }
      })
    ).status,
    403
  )
  t.match(of('refuse')[2], { level: 30, user: 'alice', transport: 'http', code: 'forbidden' })
})

test('logs who published each batch, where and how much', async t => {
  const { server, of } = await loudServer(t)
  const send = async (items: unknown[], token: string): Promise<number> =>
    (
      await fetch(`${server.origin}/v1/publish`, {
        method: 'POST',
        body: JSON.stringify(items),
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      })
    ).status
  const good = { channel: 'news', data: news }
  const bad = { channel: 'quotes', symbol: 'A', data: { symbol: 'A', bid: PAYLOAD } }
  t.equal(await send([good, good, bad, { channel: PAYLOAD, data: 1 }, 7], server.token()), 200)
  t.match(of('publish'), [
    {
      level: 30,
      user: 'alice',
      address: '127.0.0.1',
      accepted: 2,
      rejected: 3,
      channels: {
        news: { accepted: 2, rejected: 0 },
        quotes: { accepted: 0, rejected: 1 },
        '(none)': { accepted: 0, rejected: 2 }
      }
    }
  ])
  t.equal(await send([good], server.token({ sub: 'bob', publish: ['quotes:*'] })), 403)
  t.match(of('publish')[1], {
    user: 'bob',
    accepted: 0,
    rejected: 1,
    channels: { news: { accepted: 0, rejected: 1 } }
  })
  t.equal(await send([good], forged()), 401)
  t.equal(of('publish').length, 2)
  t.notMatch(JSON.stringify(of('publish')), PAYLOAD)
})

test('logs no token, ticket, cookie, cursor, query or payload at the highest level, through all faults', {
  skip: redisProgram === undefined ? 'there is no Redis' : false
}, async t => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const { server, lines, of } = await loudServer(t, {
    REDIS_URL: redis.url,
    HEARTBEAT_MS: 50,
    IDLE_TIMEOUT_MS: 500
  })
  const good = server.token()
  const cursors = new Set<string>()
  const secrets = new Map([
    ['the secret', 'a secret for tests only, long enough'],
    ['a token', good],
    ["a token's signature", good.split('.')[2]!],
    ['a forged token', forged()],
    ['an expired token', signedToken({ sub: 'alice' }, -3600)],
    ['a malformed token', 'neither-a-token-nor-a-ticket'],
    ['a ticket', 'a-ticket-that-was-never-given'],
    ['a cookie', 'a-cookie-that-was-never-set'],
    ['a payload', PAYLOAD],
    ['a query', 'subscribe=']
  ])
  const credentials = [...secrets.values()].slice(1, -2)
  await publish(server.app, 'news', undefined, news)

  // Sends each credential by each way in, and where it does not belong.
  for (const credential of credentials) {
    const value = encodeURIComponent(credential)
    for (const headers of [
      { authorization: `Bearer ${credential}` },
      { authorization: credential },
      { cookie: `tickwire=${value}; ticket=${value}` },
      { 'x-forwarded-for': credential },
      { 'last-event-id': credential, accept: 'text/event-stream' },
      { origin: `https://${value}.example` }
    ]) {
      for (const path of [
        '/v1/stream?subscribe=news', '/v1/history?topic=news', '/v1/snapshot?topic=portfolio', '/v1/symbols',
        '/api/ws/token', `/nowhere/${value}`
      ]) {
        const abort = new AbortController()
        const response = await fetch(server.origin + path, {
          headers: headers as Record<string, string>,
          signal: abort.signal
        })
        abort.abort()
        t.ok(response.status < 500, `${path.slice(0, 20)} ${response.status}`)
      }
    }
    for (const path of [
      `/v1/stream?subscribe=news&token=${value}`, `/v1/stream?subscribe=news&ticket=${value}`,
      `/v1/stream?${value}=1`, `/v1/symbols?token=${value}`, `/v1/admin/sources/${value}/stop?token=${value}`,
      `/%E0%A4?token=${value}`, `/healthz?token=${value}`
    ]) {
      await fetch(server.origin + path).then(response => response.text())
      await sendRaw(server, `GET ${path} HTTP/1.1\r\n${UPGRADE}\r\n\r\n`)
      await sendRaw(server, `GET ${path} HTTP/1.1\r\nHost: x\r\nno header\r\n\r\n`)
      await sendRaw(server, `GET ${path}&x=${'x'.repeat(20_000)} HTTP/1.1\r\n\r\n`)
    }
    await fetch(`${server.origin}/v1/publish`, {
      method: 'POST',
      body: `{"token":"${credential}`,
      headers: { authorization: `Bearer ${good}`, 'content-type': 'application/json' }
    })
    await fetch(`${server.origin}/v1/publish`, {
      method: 'POST',
      body: credential,
      headers: { authorization: `Bearer ${good}`, 'content-type': `text/${value.slice(0, 20)}` }
    })
    const heard: string[] = []
    const socket = openWebSocket(server.origin, '', 'tickwire.v1.json', {
      onMessage: ({ type }) => {
        heard.push(type)
      },
      onCursor: text => {
        cursors.add(text)
      }
    })
    await until('it is open', () => heard.includes('welcome'))
    for (const message of [
      { action: 'auth', token: credential },
      { action: 'auth', token: [credential] },
      { action: credential },
      { action: 'subscribe', channel: credential },
      { action: 'subscribe', channel: 'quotes', symbols: [credential] },
      credential,
      `{"action":"auth","token":"${credential}`
    ]) socket.send(message)
    socket.socket.send(Buffer.from(credential))
    socket.send({ action: 'subscribe', channel: 'news', id: credential.slice(0, 64) })
    await until('it is answered', () => heard.includes('subscribed'))
    socket.cut()
  }

  // Opens streams that last, break off, lag, and end with their token, which lasts long enough for all of
  // them to be read first.
  const short = signedToken({ sub: 'carol' }, 5)
  secrets.set('a token that ends', short)
  const reading = new Set<string>()
  const clients = transportNames.flatMap(transport =>
    [good, short].map(token =>
      openClient(
        transport,
        server.origin,
        `subscribe=news;last=1&subscribe=quotes:*&token=${token}`,
        undefined,
        {
          onMessage: () => {},
          onCursor: text => {
            cursors.add(text)
            reading.add(`${transport} ${token}`)
          }
        }
      )
    )
  )
  for (const client of clients) void client.ended.catch(() => {})
  await until('all read', () => reading.size === clients.length)
  await until('a token has ended', () => of('close').some(({ code }) => code === 'unauthorized'))
  await publish(server.app, 'news', undefined, news)

  // Makes the log fail: first with errors of Redis about commands and their arguments, then by being gone.
  const items = [{ channel: 'news', data: news }]
  const send = async (): Promise<number> =>
    (
      await fetch(`${server.origin}/v1/publish`, {
        method: 'POST',
        body: JSON.stringify(items),
        headers: { authorization: `Bearer ${good}`, 'content-type': 'application/json' }
      })
    ).status
  t.equal(await send(), 200)
  const control = redis.client()
  t.teardown(() => { control.disconnect() })
  await control.call('CONFIG', 'SET', 'maxmemory', '1')
  t.ok(await send() >= 500)
  await control.call('CONFIG', 'SET', 'maxmemory', '0')
  await redis.kill()
  t.ok(await send() >= 500)
  await fetch(`${server.origin}/v1/stream?subscribe=news&token=${good}`)
  await redis.start()
  for (let status = 0; status !== 200; status = await send()) await delay(20)
  // Throws an error that nobody foresaw.
  server.parts.log.snapshot = async () => {
    throw Object.assign(new Error('unforeseen'), { command: { name: 'evalsha', args: [PAYLOAD, good] } })
  }
  t.equal(
    (
      await fetch(`${server.origin}/v1/snapshot?topic=portfolio&token=x`, {
        headers: { authorization: `Bearer ${good}` }
      })
    ).status,
    400
  )
  t.equal(
    (
      await fetch(`${server.origin}/v1/snapshot?topic=portfolio`, {
        headers: { authorization: `Bearer ${good}` }
      })
    ).status,
    500
  )
  for (const client of clients) client.cut()
  await server.app.close()

  const all = lines.map(line => JSON.stringify(line)).join('\n')
  for (const event of ['connect', 'authenticate', 'subscribe', 'poll', 'refuse', 'close', 'publish']) {
    t.match(all, `"event":"${event}"`, event)
  }
  t.match(all, '"message":"unforeseen"', 'the error itself is logged')
  for (const [name, secret] of secrets) {
    t.notOk(all.includes(secret) || all.includes(encodeURIComponent(secret)), name)
  }
  for (const cursor of cursors) t.notOk(all.includes(cursor), 'a cursor')
})
