import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import {
  type Message,
  openClient,
  openWebSocket,
  RuleFollower,
  until,
  type WebSocketClient
} from '../helpers/clients.js'
import { goodClaims, secretToken } from '../helpers/jwt.js'
import { publish, SECRET, startServer, type TestServer } from '../helpers/server.js'
import { ask, enter } from '../helpers/ways-in.js'

/** What time does to connected clients. The server looks at its clocks often, so that tests need not wait. */
const QUICK = { AUTH: 'required', HEARTBEAT_MS: 100, IDLE_TIMEOUT_MS: 5000 } as const

/** The seconds until a token ends whose end a test awaits: time enough to connect. */
const SHORT = 1.5

const claimsFor = (seconds: number): ReturnType<typeof goodClaims> => ({
  ...goodClaims(),
  exp: Date.now() / 1000 + seconds
})
const token = (seconds: number, claims: object = {}): string =>
  secretToken(SECRET, { ...claimsFor(seconds), ...claims })

interface Talk {
  readonly client: WebSocketClient
  readonly messages: Message[]
  readonly closed: Promise<number>
  of (type: string): Message[]
}

function talk (t: Test, server: TestServer, query: string): Talk {
  const messages: Message[] = []
  const client = openWebSocket(server.origin, query, 'tickwire.v1.json', {
    onMessage: message => {
      messages.push(message)
    },
    onCursor: () => {}
  })
  t.teardown(() => { client.cut() })
  const closed = new Promise<number>(resolve => { client.socket.on('close', resolve) })
  return { client, messages, closed, of: type => messages.filter(message => message.type === type) }
}

const trade = async (server: TestServer, count: number): Promise<void> =>
  await publish(server.app, 'trades', 'A', {
    symbol: 'A',
    price: String(count),
    size: '1',
    timestamp: '2026-01-01T00:00:00Z'
  })

test('continues without a gap through one renewed token after another, and closes with 4401 after the last', async t => {
  const server = await startServer(t, QUICK)
  const { client, messages, closed, of } = talk(t, server, `subscribe=trades:A&token=${token(SHORT)}`)
  const firstEnd = Date.now() + SHORT * 1000
  await until('it is subscribed', () => of('subscribed').length === 1)
  let published = 0
  for (let round = 1; Date.now() < firstEnd + 500; round++) {
    client.send({ action: 'auth', id: round, token: token(SHORT) })
    for (let i = 0; i < 20; i++) await trade(server, ++published)
    await until(`it is renewed ${round} times`, () => of('authenticated').length === round)
    await delay(100)
  }
  await until('everything has come', () => of('trade').length === published)
  t.strictSame(
    of('trade').map(({ sequence }) => sequence),
    Array.from({ length: published }, (_, index) => index + 1),
    'each once, in order'
  )
  t.equal(of('reset').length, 0)
  t.equal(of('welcome').length, 1, 'over one connection')
  t.match(of('authenticated').at(-1), { user_id: 'alice', expires_at: /Z$/ })
  t.equal(await closed, 4401)
  t.match(messages.at(-1), { type: 'closing', code: 'unauthorized' })
})

test('warns a client a minute before its token expires, once for each token', async t => {
  const server = await startServer(t, QUICK)
  const streams = (['ws-json', 'ws-batch', 'sse'] as const).map(transport => {
    const messages: Array<Message & { readonly at: number }> = []
    const claims = claimsFor(60 + SHORT)
    const client = openClient(
      transport,
      server.origin,
      `subscribe=trades:A&token=${secretToken(SECRET, claims)}`,
      undefined,
      {
        onMessage: message => {
          messages.push({ ...message, at: Date.now() })
        },
        onCursor: () => {}
      }
    )
    t.teardown(() => { client.cut() })
    return { transport, messages, endsAt: claims.exp * 1000 }
  })
  const far = talk(t, server, `subscribe=trades:A&token=${token(300)}`)
  const told = ({ messages }: (typeof streams)[number]): Array<Message & { readonly at: number }> =>
    messages.filter(({ type }) => type === 'auth_expiring')
  await until('all are told', () => streams.every(stream => told(stream).length > 0))
  await delay(300)
  for (const stream of streams) {
    const [first, ...more] = told(stream)
    t.equal(first!['expires_at'], new Date(stream.endsAt).toISOString(), stream.transport)
    t.ok(stream.endsAt - first!.at <= 60_000, 'no more than a minute before')
    t.same(more, [], 'once')
  }
  t.same(far.of('auth_expiring'), [], 'not while there is time')

  far.client.send({ action: 'auth', token: token(30) })
  await until('the client is told of the new one', () => far.of('auth_expiring').length === 1)
  far.client.send({ action: 'auth', token: token(300) })
  await until('it is renewed', () => far.of('authenticated').length === 2)
  far.client.send({ action: 'auth', token: token(20) })
  await until('the client is told of each', () => far.of('auth_expiring').length === 2)
  t.equal(far.of('authenticated').length, 3)
})

test('closes an event stream with its token, and continues from its cursor with another', async t => {
  const server = await startServer(t, QUICK)
  const follower = new RuleFollower()
  const messages: Message[] = []
  let cursor: string | undefined
  const connect = (seconds: number): ReturnType<typeof openClient> =>
    openClient('sse', server.origin, `subscribe=trades:A&token=${token(seconds)}`, cursor, {
      onMessage: message => {
        messages.push(message)
        follower.take(message)
      },
      onCursor: text => {
        cursor = text
      }
    })
  const first = connect(SHORT)
  await until('it is subscribed', () => cursor !== undefined)
  for (let i = 1; i <= 50; i++) await trade(server, i)
  await first.ended
  t.match(messages.at(-1), { type: 'closing', code: 'unauthorized' })
  t.notOk('retry_after_ms' in messages.at(-1)!, 'the same token would be refused again')
  for (let i = 51; i <= 100; i++) await trade(server, i)
  const second = connect(60)
  await until('everything has come', () => follower.accepted.length === 100)
  second.cut()
  t.same([follower.gaps, follower.duplicates, follower.resets.length], [[], 0, 0])
})

test('answers a held poll when its token ends', async t => {
  const server = await startServer(t, QUICK)
  const poll = async (query: string): Promise<{ cursor: string, messages: Message[] }> =>
    JSON.parse((await ask(`${server.origin}/v1/stream?subscribe=trades:A&${query}`)).body) as never
  const { cursor } = await poll(`token=${token(60)}`)
  const claims = claimsFor(SHORT)
  const held = await poll(`token=${secretToken(SECRET, claims)}&wait=30&after=${cursor}`)
  const over = Date.now()
  t.ok(over >= claims.exp * 1000, 'not before')
  t.ok(over < claims.exp * 1000 + 20_000, 'long before its wait was over')
  t.same(held.messages, [])
  await trade(server, 1)
  t.match(
    (await poll(`token=${token(60)}&after=${held.cursor}`)).messages,
    [{ sequence: 1 }],
    'its cursor continues with another token'
  )
})

test('keeps a client that clock tolerance let in, as long as the tolerance lasts', async t => {
  const server = await startServer(t, QUICK)
  const late = token(SHORT - 60)
  const { closed, messages, of } = talk(t, server, `subscribe=trades:A&token=${late}`)
  await until('it is subscribed', () => of('subscribed').length === 1)
  t.equal(await closed, 4401)
  t.match(
    messages.map(({ type }) => type).filter(type => type !== 'heartbeat'),
    ['welcome', 'subscribed', 'auth_expiring', 'closing']
  )
  t.equal(
    await enter(server.origin, 'sse', { query: `token=${late}` }),
    'unauthorized',
    'it is not let in again'
  )
})

test('closes a connection whose new token does not permit its subscriptions', async t => {
  const server = await startServer(t, QUICK)
  for (const [name, query, read, ends] of [
    ['the topic itself', 'subscribe=trades:A', ['trades:B'], true],
    ['a set', 'subscribe=trades:*', ['trades:A'], true],
    ["the user's own", 'subscribe=orders', ['trades:*'], true],
    ['one of several', 'subscribe=trades:A&subscribe=quotes:A', ['trades:A'], true],
    ['a throttled one', 'subscribe=quotes:A;throttle_ms=60000', ['trades:A'], true],
    ['all subscriptions', 'subscribe=trades:A', ['trades:A'], false]
  ] as const) {
    const { client, messages, closed, of } = talk(t, server, `${query}&token=${token(60)}`)
    await until('it is subscribed', () => of('subscribed').length === query.split('subscribe=').length - 1)
    client.send({ action: 'auth', id: 1, token: token(60, { read }) })
    client.send({ action: 'subscribe', id: 2, channel: 'trades', symbols: ['A'] })
    await until('it is answered', () => of('closing').length + of('authenticated').length > 0)
    await trade(server, 1)
    await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '1' })
    if (ends) {
      t.equal(await closed, 4403, name)
      t.match(messages.at(-1), { type: 'closing', code: 'forbidden' })
      t.same(of('authenticated'), [])
    } else {
      await until('it goes on', () => of('trade').length > 0)
      t.equal(of('closing').length, 0, name)
    }
  }
})

test('closes a client at its tenth bad token within a minute, even with a good one in between', async t => {
  const server = await startServer(t, QUICK)
  const { client, closed, of, messages } = talk(t, server, `subscribe=trades:A&token=${token(60)}`)
  await until('it is subscribed', () => of('subscribed').length === 1)
  const guess = (id: number): void => {
    client.send({ action: 'auth', id, token: secretToken(`guess ${id}`, goodClaims()) })
  }
  for (let id = 1; id <= 9; id++) guess(id)
  client.send({ action: 'auth', id: 'good', token: token(60) })
  await until('nine are refused, and the good one is not', () => of('authenticated').length === 1)
  const expected = Array.from({ length: 9 }, (_, index) => ['unauthorized', index + 1])
  t.same(of('error').map(({ code, id }) => [code, id]), expected, 'each is answered')
  guess(10)
  t.equal(await closed, 4401)
  t.match(messages.slice(-2), [
    { type: 'error', code: 'unauthorized', id: 10 },
    { type: 'closing', code: 'unauthorized', reason: '10 tokens were refused within a minute' }
  ])
})

test('renews a token of the same user only, and changes nothing at a bad token', async t => {
  const server = await startServer(t, QUICK)
  const { client, closed, of, messages } = talk(t, server, `subscribe=trades:A&token=${token(60)}`)
  await until('it is subscribed', () => of('subscribed').length === 1)
  const badTokens = [
    'a.b.c', token(-90), token(60, { iss: 'somebody' }), secretToken('another secret', goodClaims())
  ]
  for (const bad of badTokens) client.send({ action: 'auth', id: 1, token: bad })
  await until('all are refused', () => of('error').length === 4)
  t.ok(of('error').every(({ code, id }) => code === 'unauthorized' && id === 1))
  await trade(server, 1)
  await until('it goes on', () => of('trade').length === 1)
  client.send({ action: 'auth', token: token(60, { sub: 'bob' }) })
  t.equal(await closed, 4403)
  t.match(messages.at(-1), { type: 'closing', code: 'forbidden' })

  const authorization = `Bearer ${token(60, { sub: 'bob' })}`
  const given = JSON.parse((await ask(`${server.origin}/api/ws/token`, { authorization })).body) as {
    ticket: string
  }
  const his = talk(t, server, `subscribe=trades:A&ticket=${given.ticket}`)
  await until('it is subscribed', () => his.of('subscribed').length === 1)
  his.client.send({ action: 'auth', token: token(60) })
  t.equal(await his.closed, 4403, 'a ticket has its user, as a token has')
})
