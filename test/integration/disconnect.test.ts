import { test } from 'tap'
import { type Message, openClient, openWebSocket, until } from '../helpers/clients.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'

async function disconnect (
  server: TestServer,
  body: unknown,
  token = server.token({ admin: true })
): Promise<Response> {
  return await fetch(`${server.origin}/v1/admin/disconnect`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  })
}

const find = (messages: readonly Message[], type: string): Message | undefined =>
  messages.find(message => message.type === type)

/** Holds a poll under an id that its client chose. */
async function holdPoll (server: TestServer, id: string, token?: string): Promise<Response> {
  return await fetch(`${server.origin}/v1/stream?subscribe=news&wait=20`, {
    headers: { 'x-request-id': id, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
  })
}

test('POST /v1/admin/disconnect takes an admin and exactly one of two fields', async t => {
  const server = await startServer(t)
  const status = async (body: unknown, token?: string): Promise<[number, string]> => {
    const answer = await disconnect(server, body, token)
    return [answer.status, (await answer.json() as { code: string }).code]
  }
  t.same(await status({ user_id: 'nobody' }), [404, 'not_found'])
  t.same(await status({ connection_id: 'none' }), [404, 'not_found'])
  for (const bad of [{}, [], null, 'x', { user_id: 1 }, { user_id: '' }, { user_id: 'x'.repeat(129) }, { user_id: 'a', connection_id: 'b' }, { user_id: 'a', more: 1 }]) {
    t.same(await status(bad), [400, 'invalid_message'], JSON.stringify(bad))
  }
  t.same(await status({ user_id: 'nobody' }, server.token()), [403, 'forbidden'])
  t.equal((await fetch(`${server.origin}/v1/admin/disconnect`, { method: 'POST' })).status, 401)
})

test('closes one WebSocket by its id with 1001, says when to come back, and leaves others open', async t => {
  const server = await startServer(t)
  const messages: Message[] = []
  const others: Message[] = []
  const closes: number[] = []
  const client = openWebSocket(server.origin, 'subscribe=news', 'tickwire.v1.json', {
    onMessage: message => {
      messages.push(message)
    },
    onCursor: () => {}
  })
  const other = openWebSocket(server.origin, 'subscribe=news', 'tickwire.v1.json', {
    onMessage: message => {
      others.push(message)
    },
    onCursor: () => {}
  })
  t.teardown(() => { other.cut() })
  client.socket.on('close', code => { closes.push(code) })
  await until(
    'both are subscribed',
    () => find(messages, 'subscribed') !== undefined && find(others, 'subscribed') !== undefined
  )
  const id = find(messages, 'welcome')!['connection_id']
  t.equal((await disconnect(server, { connection_id: id })).status, 204)
  await client.ended
  t.same(closes, [1001])
  t.match(messages.at(-1), { type: 'closing', code: 'going_away', retry_after_ms: Number })
  t.equal((await disconnect(server, { connection_id: id })).status, 404, 'nothing is left to close')
  await publish(server.app, 'news', undefined, {
    headline: 'h',
    source: 's',
    symbols: [],
    timestamp: '2026-01-01T00:00:00Z'
  })
  await until('the other goes on', () => find(others, 'news') !== undefined)
  t.equal(find(others, 'closing'), undefined)
})

test('closes all of a user: an event stream, a WebSocket that authenticated late, and a held poll', async t => {
  const server = await startServer(t)
  const token = server.token({ sub: 'bob' })
  const events: Message[] = []
  const texts: Message[] = []
  const foreign: Message[] = []
  const stream = openClient('sse', server.origin, `subscribe=news&token=${token}`, undefined, {
    onMessage: message => {
      events.push(message)
    },
    onCursor: () => {}
  })
  const socket = openWebSocket(server.origin, '', 'tickwire.v1.json', {
    onMessage: message => {
      texts.push(message)
    },
    onCursor: () => {}
  })
  const alice = openClient('sse', server.origin, `subscribe=news&token=${server.token()}`, undefined, {
    onMessage: message => {
      foreign.push(message)
    },
    onCursor: () => {}
  })
  t.teardown(() => { alice.cut() })
  await until('the socket is open', () => find(texts, 'welcome') !== undefined)
  socket.send({ action: 'auth', token })
  const poll = holdPoll(server, 'poll-of-bob', token)
  const isThere = (): boolean =>
    find(texts, 'authenticated') !== undefined &&
    find(events, 'subscribed') !== undefined &&
    find(foreign, 'subscribed') !== undefined
  await until('all are there', () => isThere() && server.parts.connections.active === 4)
  t.equal((await disconnect(server, { user_id: 'bob' })).status, 204)
  await Promise.all([stream.ended, socket.ended])
  t.match(events.at(-1), { type: 'closing', code: 'going_away' })
  t.match(texts.at(-1), { type: 'closing', code: 'going_away' })
  const answer = await poll
  t.equal(answer.status, 503)
  t.match(await answer.json(), { type: 'error', code: 'going_away', retry_after_ms: Number })
  t.ok(answer.headers.has('retry-after'))
  t.equal(answer.headers.get('x-request-id'), 'poll-of-bob')
  await until('only alice is left', () => server.parts.connections.active === 1)
  t.equal(find(foreign, 'closing'), undefined)
})

test("closes a held poll by the id that its client chose, which stands for nobody else's meanwhile", async t => {
  const server = await startServer(t)
  const { connections } = server.parts
  const welcomes: Message[] = []
  const socket = openWebSocket(server.origin, '', 'tickwire.v1.json', {
    onMessage: message => {
      welcomes.push(message)
    },
    onCursor: () => {}
  })
  t.teardown(() => { socket.cut() })
  await until('the socket is open', () => welcomes.length > 0)
  const first = holdPoll(server, 'P_1.a-b')
  const again = holdPoll(server, 'P_1.a-b')
  await until('both polls are held', () => connections.active === 3)

  t.equal(
    (await holdPoll(server, 'P_1.a-b', server.token())).status,
    400,
    "another user's poll cannot take the id"
  )
  t.equal(
    (await holdPoll(server, welcomes[0]!['connection_id'] as string)).status,
    400,
    "a poll cannot take a connection's either"
  )
  t.equal(connections.active, 3, 'a refused poll frees its place')

  t.equal((await disconnect(server, { connection_id: 'P_1.a-b' })).status, 204)
  t.same([(await first).status, (await again).status], [503, 503])
  await until('their places are free', () => connections.active === 1)
  t.equal((await disconnect(server, { connection_id: 'P_1.a-b' })).status, 404)
})

test('refuses the next poll of a client that was closed between two polls, once', async t => {
  const server = await startServer(t)
  const ask = async (id: string): Promise<number> =>
    (await fetch(`${server.origin}/v1/stream?subscribe=news`, { headers: { 'x-request-id': id } })).status
  t.equal(await ask('mine'), 200)
  t.equal((await disconnect(server, { connection_id: 'mine' })).status, 204)
  t.equal(await ask('other'), 200, 'only this one')
  t.equal(await ask('mine'), 503)
  t.equal(await ask('mine'), 200)
})

test('X-Request-Id: takes what an id may be, and lets pages read it', async t => {
  const server = await startServer(t, { ALLOWED_ORIGINS: 'https://app.example' })
  const url = `${server.origin}/v1/stream?subscribe=news`
  for (const id of ['', 'a b', 'a/b', 'ü', 'x'.repeat(65)]) {
    const answer = await fetch(url, { headers: { 'x-request-id': encodeURI(id) } })
    t.equal(answer.status, 400, JSON.stringify(id))
    t.match(await answer.json(), { code: 'bad_request' })
  }
  const made = await fetch(url)
  t.match(made.headers.get('x-request-id'), /^[0-9a-f-]{36}$/, 'without one the server makes it')
  const longest = await fetch(url, {
    headers: { 'x-request-id': 'x'.repeat(64), origin: 'https://app.example' }
  })
  t.equal(longest.headers.get('x-request-id'), 'x'.repeat(64))
  t.match(longest.headers.get('access-control-expose-headers'), /X-Request-Id/)
  const preflight = await fetch(url, {
    method: 'OPTIONS',
    headers: {
      origin: 'https://app.example',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'x-request-id'
    }
  })
  t.match(preflight.headers.get('access-control-allow-headers'), /X-Request-Id/)
})
