import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { WebSocket } from 'ws'
import { type Message, openClient, openWebSocket, until, type WebSocketClient } from '../helpers/clients.js'
import { startServer, type TestServer } from '../helpers/server.js'

/** Limits that each server keeps alone: places, messages, time for a request. */

interface Conversation extends WebSocketClient {
  readonly messages: Message[]
  readonly closed: Promise<number>
}

function converse (t: Test, server: TestServer, query = ''): Conversation {
  const messages: Message[] = []
  const client = openWebSocket(
    server.origin,
    query,
    'tickwire.v1.json',
    {
      onMessage: message => {
        messages.push(message)
      },
      onCursor: () => {}
    },
    false
  )
  t.teardown(() => { client.cut() })
  return { ...client, messages, closed: new Promise(resolve => { client.socket.once('close', resolve) }) }
}

const find = (messages: readonly Message[], type: string): Message | undefined =>
  messages.find(message => message.type === type)

/** Asks for an upgrade that is refused. Returns the refusal. */
async function refusedUpgrade (
  server: TestServer,
  query: string
): Promise<{ status: number | undefined, retryAfter: string | undefined, body: unknown }> {
  const socket = new WebSocket(`${server.origin.replace('http', 'ws')}/v1/stream?${query}`)
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return { status: response.statusCode, retryAfter: response.headers['retry-after'], body: JSON.parse(text) }
}

const portOf = (server: TestServer): number => Number(new URL(server.origin).port)

/** Opens a bare connection, and collects what comes on it. */
function openSocket (
  t: Test,
  server: TestServer,
  localAddress = '127.0.0.1'
): { socket: Socket, heard: () => string, closed: Promise<unknown> } {
  const socket = connect({ port: portOf(server), host: '127.0.0.1', localAddress })
  let text = ''
  socket.on('data', data => {
    text += String(data)
  })
  socket.on('error', () => {})
  t.teardown(() => {
    socket.destroy()
  })
  return {
    socket,
    heard: () => text,
    closed: new Promise(resolve => {
      socket.once('close', resolve)
    })
  }
}

test('limits the connections of one user over every transport, and does not affect others', async t => {
  const server = await startServer(t, { MAX_CONNECTIONS_PER_USER: 3 })
  const alice = `subscribe=news&token=${server.token()}`
  const first = converse(t, server, alice)
  const stream = openClient('sse', server.origin, alice, undefined, {
    onMessage: () => {},
    onCursor: () => {}
  })
  const poll = openClient('poll', server.origin, alice, undefined, {
    onMessage: () => {},
    onCursor: () => {}
  })
  t.teardown(() => { stream.cut(); poll.cut() })
  await until('three are there', () => server.parts.connections.active === 3)

  const message = 'this server takes at most 3 connections of one user'
  const refusal = { type: 'error', code: 'too_many_connections', message, retry_after_ms: 1000 }
  t.match(await refusedUpgrade(server, alice), { status: 429, retryAfter: '1', body: refusal })
  for (const accept of ['text/event-stream', 'application/json']) {
    const answer = await fetch(`${server.origin}/v1/stream?${alice}`, { headers: { accept } })
    t.equal(answer.status, 429, accept)
    t.equal(answer.headers.get('retry-after'), '1')
    t.same(await answer.json(), refusal)
  }
  const bob = converse(t, server, `subscribe=news&token=${server.token({ sub: 'bob' })}`)
  const nobody = converse(t, server)
  await until('others are let in', () =>
    find(bob.messages, 'subscribed') !== undefined && find(nobody.messages, 'welcome') !== undefined)

  nobody.send({ action: 'auth', id: 1, token: server.token() })
  t.equal(await nobody.closed, 4429, 'also a client that authenticates only then')
  t.match(nobody.messages.at(-1), {
    type: 'closing',
    code: 'too_many_connections',
    reason: refusal.message,
    retry_after_ms: Number
  })
  first.cut()
  const late = converse(t, server)
  await until('one has gone, one has come', () =>
    find(late.messages, 'welcome') !== undefined && server.parts.connections.active === 4)
  late.send({ action: 'auth', token: server.token() })
  await until('there is room again', () => find(late.messages, 'authenticated') !== undefined)
  late.send({ action: 'auth', id: 'renewed', token: server.token() })
  await until('a renewed token takes no second place', () =>
    late.messages.some(({ type, id }) => type === 'authenticated' && id === 'renewed'))
})

test('keeps no place for an upgrade that never becomes a connection', async t => {
  const server = await startServer(t, { MAX_CONNECTIONS_PER_IP: 50 })
  const head = (...lines: string[]): string =>
    [
      'GET /v1/stream HTTP/1.1',
      'Host: x',
      'Upgrade: websocket',
      'Connection: Upgrade',
      ...lines,
      '',
      ''
    ].join('\r\n')
  for (const lines of [
    ['Sec-WebSocket-Version: 12', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='],
    ['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: short'],
    ['Sec-WebSocket-Version: 13']
  ]) {
    for (let n = 0; n < 60; n++) {
      const { socket, heard, closed } = openSocket(t, server)
      socket.write(head(...lines))
      await closed
      if (!/^HTTP\/1\.1 4\d\d /.test(heard()) || heard().startsWith('HTTP/1.1 429')) {
        t.fail(heard().slice(0, 40))
      }
    }
  }
  const gone = Array.from({ length: 40 }, () => {
    const { socket, closed } = openSocket(t, server)
    socket.write(head('Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='), () => {
      socket.resetAndDestroy()
    })
    return closed
  })
  await Promise.all(gone)
  const after = converse(t, server)
  await until('there is room', () => find(after.messages, 'welcome') !== undefined)
  await until('no place is taken', () => server.parts.connections.active === 1)
})

test('grants a connection a burst of messages, then the rate, and does not perform what it refuses', async t => {
  const server = await startServer(t, { RATE_LIMIT_MESSAGES: 10 })
  const client = converse(t, server)
  await until('the client is there', () => client.messages.length > 0)
  for (let id = 1; id <= 30; id++) {
    client.send(
      id % 2 === 0
        ? { action: 'ping', id }
        : { action: 'subscribe', id, channel: 'quotes', symbols: [`S${id}`] }
    )
  }
  const answered = (id: number): Message | undefined => client.messages.find(message => message['id'] === id)
  await until('each is answered', () =>
    Array.from({ length: 30 }, (_, n) => answered(n + 1)).every(message => message !== undefined)
  )
  const refused = Array.from({ length: 30 }, (_, n) => n + 1).filter(id => answered(id)!.type === 'error')
  t.ok(
    refused.length >= 5 && refused.length <= 10,
    `${refused.length} of 30 refused: 20 are granted at once, and some meanwhile`
  )
  t.equal(refused[0], 21)
  t.match(answered(21), {
    type: 'error',
    id: 21,
    code: 'rate_limited',
    message: 'a connection may send 10 messages a second',
    retry_after_ms: Number
  })
  const wait = answered(refused.at(-1)!)!['retry_after_ms'] as number
  t.ok(wait >= 1 && wait <= 100, `${wait} ms`)
  t.equal(
    client.messages.some(
      message => message.type === 'subscribed' && refused.includes(message['id'] as number)
    ),
    false
  )
  await delay(wait)
  client.send({ action: 'ping', id: 'later' })
  await until('it is answered after the wait', () =>
    client.messages.some(message => message['id'] === 'later')
  )
  t.equal(find(client.messages.filter(message => message['id'] === 'later'), 'pong')?.type, 'pong')
  client.send('no JSON')
  client.send('no JSON')
  for (let n = 0; n < 30; n++) client.send('no JSON')
  await until(
    'a malformed message counts as one',
    () =>
      client.messages.filter(({ type, code }) => type === 'error' && code === 'rate_limited').length >
      refused.length
  )
})

const FLOOD = 5000
/** A quarter of all large messages together. */
const MUCH_BYTES = 8_000_000
const atOnce = (send: (socket: WebSocket) => void) => (socket: WebSocket): void => {
  for (let n = 0; n < FLOOD; n++) send(socket)
}
const LARGE = JSON.stringify({
  action: 'subscribe', channel: 'quotes', symbols: Array.from({ length: 1000 }, (_, n) => `S${n}`)
})

for (const [kind, flood] of [
  ['messages', atOnce(socket => { socket.send('{"action":"ping"}') })],
  ['large messages', atOnce(socket => { socket.send(LARGE) })],
  // One after another, because `ws` itself cuts a client that does not wait for its pongs.
  ['pings of the wire', (socket: WebSocket) => {
    socket.on('pong', () => { socket.ping() })
    socket.ping()
  }],
  ['pongs of the wire', atOnce(socket => { socket.pong() })]
] as const) {
  test(`closes a connection for a flood of ${kind}, and no other connection`, async t => {
    const server = await startServer(t, { RATE_LIMIT_MESSAGES: 5 })
    const honest = converse(t, server)
    await until('the honest client is there', () => honest.messages.length > 0)
    const read: Socket[] = []
    server.app.server.on('connection', (socket: Socket) => { read.push(socket) })
    const client = converse(t, server)
    await until('both are there', () => client.messages.length > 0)
    let pongs = 0
    client.socket.on('pong', () => { pongs++ })
    flood(client.socket)
    t.equal(await client.closed, 4429)
    t.match(client.messages.at(-1), {
      type: 'closing',
      code: 'rate_limited',
      reason: 'a connection may send 5 messages a second',
      retry_after_ms: Number
    })
    const heard = pongs + client.messages.length
    t.ok(heard < 1000, `${heard} answers to ${FLOOD}`)
    t.ok(read[0]!.bytesRead < MUCH_BYTES, `${read[0]!.bytesRead} bytes were read`)
    honest.send({ action: 'ping' })
    await until('the other is answered', () => find(honest.messages, 'pong') !== undefined)
    t.equal(find(honest.messages, 'error'), undefined)
    await until('its place is free', () => server.parts.connections.active === 1)
  })
}

test('closes a connection whose request does not come: neither headers, nor a body, nor anything', async t => {
  const server = await startServer(t)
  const { server: http } = server.app
  t.same([http.headersTimeout, http.requestTimeout, http.keepAliveTimeout], [10_000, 30_000, 72_000])
  // The server checks these settings each second.
  Object.assign(http, { headersTimeout: 300, requestTimeout: 600 })
  const silent = openSocket(t, server)
  const slowHead = openSocket(t, server)
  slowHead.socket.write('GET /v1/symbols HTTP/1.1\r\nHost: x\r\n')
  const drip = setInterval(() => { slowHead.socket.write('X: y\r\n') }, 50)
  t.teardown(() => { clearInterval(drip) })
  const slowBody = openSocket(t, server)
  slowBody.socket.write(
    [
      'POST /v1/publish HTTP/1.1',
      'Host: x',
      `Authorization: Bearer ${server.token()}`,
      'Content-Type: application/json',
      'Content-Length: 100',
      '',
      '{'
    ].join('\r\n')
  )
  const stream = converse(t, server)
  const events = openClient('sse', server.origin, 'subscribe=news', undefined, {
    onMessage: () => {},
    onCursor: () => {}
  })
  t.teardown(() => { events.cut() })
  const held = fetch(`${server.origin}/v1/stream?subscribe=news&wait=3`)
  await Promise.all([silent, slowHead, slowBody].map(({ closed }) => closed))
  for (const [what, { heard }] of Object.entries({ silent, slowHead, slowBody })) {
    t.match(heard(), /^HTTP\/1\.1 408 Request Timeout\r\n/, what)
    t.match(heard(), /\r\nRetry-After: 1\r\n/, what)
    t.match(
      JSON.parse(heard().split('\r\n\r\n')[1]!),
      {
        type: 'error',
        code: 'idle_timeout',
        message: 'a request must come within 30 seconds, its headers within 10',
        retry_after_ms: 1000
      },
      what
    )
  }
  t.equal((await held).status, 200, 'a whole request is answered however long that takes')
  stream.send({ action: 'ping' })
  await until('streams go on', () => find(stream.messages, 'pong') !== undefined)
  t.equal(server.parts.connections.active, 2)
})

test('says nothing of coming back at a limit that waiting cannot lift', async t => {
  const server = await startServer(t, { MAX_SUBSCRIPTIONS: 2, MAX_MESSAGE_BYTES: 2000 })
  const tooMany = {
    type: 'error',
    code: 'too_many_subscriptions',
    message: 'a connection has at most 2 subscriptions'
  }
  t.same(await refusedUpgrade(server, 'subscribe=quotes:A,B,C'), {
    status: 429,
    retryAfter: undefined,
    body: tooMany
  })
  for (const accept of ['text/event-stream', 'application/json']) {
    const answer = await fetch(`${server.origin}/v1/stream?subscribe=quotes:A,B&subscribe=trades:A`, {
      headers: { accept }
    })
    t.equal(answer.status, 429, accept)
    t.equal(answer.headers.get('retry-after'), null, accept)
    t.same(await answer.json(), tooMany, accept)
  }
  const client = converse(t, server, 'subscribe=quotes:A,B')
  await until('the client is subscribed', () => find(client.messages, 'subscribed') !== undefined)
  client.send({ action: 'subscribe', id: 1, channel: 'trades', symbols: ['A'] })
  await until('it is answered', () => find(client.messages, 'error') !== undefined)
  t.same(find(client.messages, 'error'), { ...tooMany, id: 1 })
  client.send({ action: 'ping', id: 'x'.repeat(3000) })
  t.equal(await client.closed, 1009)
  t.same(client.messages.at(-1), {
    type: 'closing',
    code: 'message_too_big',
    reason: 'a message is larger than this server takes'
  })

  const tooBig = async (answer: Promise<Response>, name: string): Promise<void> => {
    const { status, headers } = await answer
    t.equal(status, 413, name)
    t.equal(headers.get('retry-after'), null, name)
    const body = await (await answer).json() as object
    t.match(body, { type: 'error', code: 'message_too_big' }, name)
    t.notOk('retry_after_ms' in body, name)
  }
  const headers = { authorization: `Bearer ${server.token()}`, 'content-type': 'application/json' }
  await tooBig(fetch(`${server.origin}/v1/stream?subscribe=quotes:${'A,'.repeat(20_000)}A`), 'a URL')
  await tooBig(
    fetch(`${server.origin}/v1/publish`, { method: 'POST', headers, body: `[${'1,'.repeat(10_000)}1]` }),
    'a batch'
  )
  await tooBig(
    fetch(`${server.origin}/v1/publish`, { method: 'POST', headers, body: ' '.repeat(9_000_000) }),
    'a body'
  )
})

test('limits the open connections of one address, whether they ask anything or not', async t => {
  const server = await startServer(t, { MAX_CONNECTIONS_PER_IP: 5 })
  const sockets = Array.from({ length: 30 }, () => openSocket(t, server))
  const ended = new Set<Socket>()
  for (const { socket, closed } of sockets) void closed.then(() => { ended.add(socket) })
  await until('the excess connections are closed', () => ended.size === 20)
  const elsewhere = openSocket(t, server, '127.0.0.2')
  elsewhere.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await elsewhere.closed
  t.match(elsewhere.heard(), /^HTTP\/1\.1 200 /, 'another address is heard')
  t.equal(ended.size, 20)
  for (const { socket } of sockets) socket.destroy()
  await until('all are closed', () => ended.size === 30)
  t.equal((await fetch(`${server.origin}/healthz`)).status, 200)
})
