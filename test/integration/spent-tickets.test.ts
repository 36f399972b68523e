import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import type { Config } from '../../src/config.js'
import { until } from '../helpers/clients.js'
import { type RawAnswer, RawHttp } from '../helpers/raw-http.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'

/** A ticket is spent by the request that it lets in, and by no other. */

const UPGRADE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ=='
}
const transports = { websocket: UPGRADE, sse: { Accept: 'text/event-stream' }, poll: {} } as const
type Transport = keyof typeof transports
const names = Object.keys(transports) as Transport[]

interface Ask {
  readonly method?: string
  readonly query?: string
  readonly headers?: Readonly<Record<string, string | undefined>>
}

/** Sends a request on a connection that ends with its answer. */
async function ask (
  server: TestServer,
  transport: Transport,
  { method = 'GET', query = 'subscribe=quotes:A', headers = {} }: Ask
): Promise<RawAnswer> {
  const client = new RawHttp(Number(new URL(server.origin).port))
  const lines = Object.entries({ Host: 'stream.example', ...transports[transport], ...headers })
    .flatMap(([name, value]) => value === undefined ? [] : [`${name}: ${value}\r\n`])
    .join('')
  const request = `${method} /v1/stream?${query} HTTP/1.1\r\n${lines}\r\n`
  const answer = await client.send(request, 10_000, text => text.includes('welcome') || method === 'HEAD')
  client.close()
  if (typeof answer === 'string') throw new Error(`${transport}: ${answer}`)
  return answer
}

const codeOf = ({ status, body }: RawAnswer): string => {
  return status === 200 || status === 101
    ? String(status)
    : (JSON.parse(body.toString()) as { code: string }).code
}
const LET_IN: Readonly<Record<Transport, string>> = { websocket: '101', sse: '200', poll: '200' }

async function start (
  t: Test,
  overrides: Partial<Config> = {}
): Promise<{ server: TestServer, ticket: (claims?: object) => Promise<string> }> {
  const server = await startServer(t, { AUTH: 'required', UNKNOWN_SYMBOLS: 'reject', ...overrides })
  for (const symbol of ['A', 'B', 'C']) await publish(server.app, 'quotes', symbol, { symbol, bid: '1' })
  return {
    server,
    ticket: async (claims = {}) => {
      const authorization = `Bearer ${server.token({ sub: 'alice', ...claims })}`
      const response = await fetch(`${server.origin}/api/ws/token`, { headers: { authorization } })
      return ((await response.json()) as { ticket: string }).ticket
    }
  }
}

const refusals: ReadonlyArray<
  readonly [name: string, code: string, ask: Ask, transports?: readonly Transport[], claims?: object]
> = [
  ['the origin of a foreign page', 'forbidden', { headers: { Origin: 'https://evil.example' } }],
  ['a handshake without a key', 'bad_request', { headers: { 'Sec-WebSocket-Key': undefined } }, ['websocket']],
  ['a handshake of another version', 'bad_request', { headers: { 'Sec-WebSocket-Version': '12' } }, ['websocket']],
  ['an unknown subprotocol', 'bad_request', { headers: { 'Sec-WebSocket-Protocol': 'graphql-ws' } }, ['websocket']],
  ['an unknown parameter', 'bad_request', { query: 'subscribe=quotes:A&colour=red' }],
  ['a parameter of polls', 'bad_request', { query: 'subscribe=quotes:A&wait=1' }, ['websocket', 'sse']],
  ['no subscription', 'bad_request', { query: 'decimals=number' }, ['sse', 'poll']],
  ['an unknown channel', 'unknown_channel', { query: 'subscribe=nothing:A' }],
  ['an unknown symbol', 'unknown_symbol', { query: 'subscribe=quotes:A&subscribe=quotes:Z' }],
  ['a topic that the token does not permit', 'forbidden', { query: 'subscribe=quotes:B' }, names, { read: ['quotes:A'] }],
  ['an option that does not go with the channel', 'bad_request', { query: 'subscribe=quotes:A;depth=5' }],
  ['too many subscriptions', 'too_many_subscriptions', { query: 'subscribe=quotes:A,B,C' }],
  ['a malformed cursor', 'bad_cursor', { query: 'subscribe=quotes:A&after=nonsense' }],
  ['a malformed id', 'bad_request', { headers: { 'X-Request-Id': 'a b' } }, ['poll']]
]

test('leaves the ticket of a refused request for another, whatever the reason', async t => {
  const { server, ticket } = await start(t, { MAX_SUBSCRIPTIONS: 2 })
  for (const [name, code, request, which = names, claims] of refusals) {
    for (const transport of which) {
      const credential = `&ticket=${await ticket(claims)}`
      const query = request.query ?? 'subscribe=quotes:A'
      t.equal(
        codeOf(await ask(server, transport, { ...request, query: query + credential })),
        code,
        `${transport}: ${name}`
      )
      const good = { query: `subscribe=quotes:A${credential}` }
      const what = `${transport}: ${name}`
      t.equal(
        codeOf(await ask(server, transport, good)),
        LET_IN[transport],
        `${what}: the ticket is still good`
      )
      t.equal(codeOf(await ask(server, transport, good)), 'unauthorized', `${what}: then it is spent`)
    }
  }
  await until('nothing is left', () => server.parts.connections.active === 0)
})

test('leaves the ticket of a request for another that comes too often', async t => {
  const { server, ticket } = await start(t, { RATE_LIMIT_REQUESTS: 3 })
  const authorization = `Bearer ${server.token()}`
  /** Repeats a request until it is no longer refused for its rate. */
  const patiently = async (transport: Transport, query: string): Promise<string> => {
    for (;;) {
      const code = codeOf(await ask(server, transport, { query }))
      if (code !== 'rate_limited') return code
      await delay(100)
    }
  }
  for (const transport of names) {
    let query = ''
    let told = ''
    // The window may end between the other requests and this one.
    while (told !== 'rate_limited') {
      await delay(1000)
      query = `subscribe=quotes:A&ticket=${await ticket()}`
      await Promise.all(
        Array.from({ length: 20 }, async () => await ask(server, 'poll', { headers: { authorization } }))
      )
      told = codeOf(await ask(server, transport, { query }))
    }
    t.equal(await patiently(transport, query), LET_IN[transport], `${transport}: the ticket is still good`)
    t.equal(await patiently(transport, query), 'unauthorized', `${transport}: then it is spent`)
  }
})

test('leaves a ticket for later where there is no room', async t => {
  const { server, ticket } = await start(t, { MAX_CONNECTIONS_PER_USER: 1 })
  for (const transport of names) {
    const query = `subscribe=quotes:A&ticket=${await ticket()}`
    const poll = `subscribe=quotes:A&after=${await cursorOf(server)}&wait=1`
    const headers = { authorization: `Bearer ${server.token()}` }
    const held = fetch(`${server.origin}/v1/stream?${poll}`, { headers })
    await until('the place is taken', () => server.parts.connections.active === 1)
    t.equal(codeOf(await ask(server, transport, { query })), 'too_many_connections', transport)
    t.equal((await held).status, 200)
    await until('the place is free', () => server.parts.connections.active === 0)
    t.equal(
      codeOf(await ask(server, transport, { query })),
      LET_IN[transport],
      `${transport}: the ticket is still good`
    )
    await until('it has left', () => server.parts.connections.active === 0)
  }
})

async function cursorOf (server: TestServer): Promise<string> {
  const response = await fetch(`${server.origin}/v1/stream?subscribe=quotes:A`, {
    headers: { authorization: `Bearer ${server.token()}` }
  })
  return (await response.json() as { cursor: string }).cursor
}

test('lets one of many requests at once with one ticket in, and the others take no place', async t => {
  const { server, ticket } = await start(t)
  const query = `subscribe=quotes:A&ticket=${await ticket()}`
  const told = await Promise.all(
    Array.from({ length: 12 }, async (_, n) => codeOf(await ask(server, names[n % 3]!, { query })))
  )
  t.equal(told.filter(code => code === 'unauthorized').length, 11)
  await until('nothing is left', () => server.parts.connections.active === 0)
})
