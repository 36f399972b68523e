import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type {} from '@fastify/websocket'
import { Type } from '@sinclair/typebox'
import Fastify from 'fastify'
import { test } from 'tap'
import { defineChannel, quotes, tickwire } from '../../src/index.js'
import { type Message, openClient, transportNames, until } from '../helpers/clients.js'
import { SECRET } from '../helpers/server.js'
import { StateFollower } from '../helpers/state-follower.js'

const counts = defineChannel({
  name: 'counts',
  type: 'count',
  description: '',
  keyed: true,
  access: 'public',
  schema: Type.Object({ count: Type.Integer() }),
  reduce: 'last',
  merge: 'last'
})

/** The example as its readers run it: in a process of its own, by the package's name. */
test("serves the example's channel with its own schema over every transport", async t => {
  const child = spawn(process.execPath, ['examples/plugin/app.js'], {
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => { child.kill() })
  const [line] = await once(child.stdout, 'data') as [Buffer]
  const origin = /http:\/\/[^/']+/.exec(String(line))![0].replace('[::1]', 'localhost')
  const post = async (path: string, body: object): Promise<number> =>
    (
      await fetch(origin + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body)
      })
    ).status

  t.equal(await post('/lifts/gondola', { open: true, waiting_minutes: 5 }), 202)
  t.equal(await post('/snow/north', { top: 120, valley: 30 }), 202)
  t.equal(
    await post('/lifts/gondola', { open: 'perhaps' }),
    400,
    'the application refuses in its own words what does not fit its channel'
  )
  for (const [index, transport] of transportNames.entries()) {
    const messages: Message[] = []
    const follower = new StateFollower()
    const client = openClient(
      transport,
      `${origin}/live`,
      'subscribe=lifts:*&subscribe=snow:north&subscribe=quotes:SKI&throttle_ms=50',
      undefined,
      {
        onMessage: message => {
          messages.push(message)
          if (transport === 'poll') follower.connect()
          follower.take(message)
        },
        onCursor: () => {}
      }
    )
    const data = (channel: string): Message[] =>
      messages.filter(message => message.channel === channel && message.sequence !== undefined)
    await until('the states have come', () => follower.states.size === 3)
    t.match(data('lifts')[0], {
      type: 'lift',
      symbol: 'gondola',
      snapshot: true,
      data: { lift: 'gondola', open: true }
    })
    t.match(data('snow')[0], {
      type: 'snow',
      symbol: 'north',
      snapshot: true,
      data: { depths: { top: 120 + index, valley: 30 } }
    })
    t.match(data('quotes')[0]?.data, { last: '42.50' })
    await post('/snow/north', { top: 121 + index })
    await until('the change has come', () => data('snow').length === 2)
    t.same(data('snow')[1]!.data, { depths: { top: 121 + index } })
    t.match(await (await fetch(`${origin}/live/v1/snapshot?topic=snow:north`)).json(), {
      data: { depths: { top: 121 + index, valley: 30 } }
    })
    client.cut()
  }
})

test('leaves routes, errors and prefix of the application alone', async t => {
  const app = Fastify()
  app.setErrorHandler((_error, _request, reply) => reply.code(418).send({ mine: true }))
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ mine: true }))
  await app.register(tickwire, { prefix: '/market', channels: [counts] })
  app.get('/fails', () => { throw new Error('mine') })
  app.get('/socket', { websocket: true }, socket => { socket.send('mine') })
  await app.listen({ port: 0, host: '127.0.0.1' })
  t.teardown(async () => { await app.close() })
  const origin = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  const ask = async (path: string): Promise<[number, unknown]> => {
    const response = await fetch(origin + path)
    return [response.status, await response.json()]
  }
  t.same(await ask('/fails'), [418, { mine: true }])
  t.same(await ask('/nowhere'), [404, { mine: true }])
  t.match(await ask('/market/v1/stream?subscribe=nothing'), [400, { type: 'error', code: 'unknown_channel' }])
  t.match(await ask('/market/v1/symbols'), [200, { symbols: [] }])
  t.same(await ask('/v1/symbols'), [404, { mine: true }], 'nothing is served outside the prefix')
  t.same(await ask('/market/healthz'), [404, { mine: true }], 'what was not asked for is not served')

  t.equal(await app.tickwire.publish(counts, { symbol: 'a', data: { count: 1 } }), 1)
  await t.rejects(
    app.tickwire.publish(counts, { data: { count: 1 } }),
    { code: 'invalid_message', statusCode: 400 },
    'a symbol is missing'
  )
  await t.rejects(app.tickwire.publish(quotes, { symbol: 'A', data: { symbol: 'B' } }), {
    code: 'invalid_message'
  })
  t.match(
    await app.tickwire.publishAll([
      { channel: 'counts', symbol: 'a', data: { count: 'one' } },
      { channel: 'counts', symbol: 'a', data: { count: 2 } }
    ]),
    [{ code: 'invalid_message' }, { sequence: 2 }]
  )
  await app.tickwire.declare([{ symbol: 'A', sector: 'x' }])
  t.match(await ask('/market/v1/symbols'), [200, { symbols: [{ symbol: 'A', sector: 'x' }] }])

  const messages: Message[] = []
  const client = openClient('ws-json', `${origin}/market`, 'subscribe=counts:*', undefined, {
    onMessage: message => {
      messages.push(message)
    },
    onCursor: () => {}
  })
  await until('the state has come', () => messages.some(({ sequence }) => sequence === 2))
  await app.close()
  await client.ended
  t.match(
    messages.at(-1),
    { type: 'closing', code: 'going_away' },
    'its clients are told when the application closes'
  )
})

test('stops the start with a sentence for a bad option', async t => {
  const start = async (channel: Partial<typeof counts>): Promise<unknown> => {
    const app = Fastify()
    t.teardown(async () => { await app.close() })
    await app.register(tickwire, { channels: [{ ...counts, ...channel }] })
    return app
  }
  await t.rejects(start({ name: 'Counts' }), { message: /'Counts' must be named in lower case/ })
  await t.rejects(start({ name: 'quotes' }), { message: /'quotes' exists already/ })
  await t.rejects(start({ retention: { messages: 0 } }), { message: /retention that is not above 0/ })
  const { reduce, ...withoutState } = counts
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  await t.rejects(
    async () => {
      await app.register(tickwire, { channels: [withoutState] })
    },
    { message: /merge but no reduce/ }
  )
})

test('lets only users with a capability read its channel', async t => {
  const app = Fastify()
  await app.register(tickwire, {
    channels: [{ ...counts, access: 'capability' }],
    settings: { UNKNOWN_SYMBOLS: 'accept' }
  })
  t.teardown(async () => { await app.close() })
  const ask = async (token?: string): Promise<number> =>
    (
      await app.inject({
        url: '/v1/stream?subscribe=counts:*',
        ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } })
      })
    ).statusCode
  t.equal(await ask(), 401)
  t.equal(await ask(app.tickwire.signToken({ sub: 'a' }, 60)), 403)
  t.equal(await ask(app.tickwire.signToken({ sub: 'a', read: ['quotes:*'] }, 60)), 403)
  t.equal(await ask(app.tickwire.signToken({ sub: 'a', read: ['counts:*'] }, 60)), 200)
})

test('signToken: signs for an hour by default, and says what it takes when it cannot sign', async t => {
  const app = Fastify()
  await app.register(tickwire, {
    settings: { JWT_SECRET: SECRET, AUTH: 'required', UNKNOWN_SYMBOLS: 'accept' }
  })
  t.teardown(async () => { await app.close() })
  const { signToken } = app.tickwire as unknown as {
    signToken: (claims?: unknown, seconds?: unknown) => string
  }
  const token = signToken({ sub: 'alice' })
  const { exp, iat } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as {
    exp: number
    iat: number
  }
  t.equal(exp - iat, 3600)
  t.equal(
    (
      await app.inject({
        url: '/v1/stream?subscribe=quotes:A',
        headers: { authorization: `Bearer ${token}` }
      })
    ).statusCode,
    200
  )

  for (const claims of [undefined, null, 'alice', {}, { user: 'alice' }, { sub: '' }, { sub: 7 }]) {
    t.throws(
      () => signToken(claims),
      { message: /signToken: 'sub' .*it takes \{ sub, name\?, read\?, publish\?, trade\?, admin\?, order_key\? \}/ },
      JSON.stringify(claims)
    )
  }
  for (const [name, value] of [['read', 'quotes:*'], ['publish', [7]], ['admin', 'yes'], ['name', 1]] as const) {
    t.throws(
      () => signToken({ sub: 'alice', [name]: value }),
      { message: new RegExp(`signToken: '${name}' `) },
      name
    )
  }
  for (const seconds of [0, -1, NaN, Infinity, 1.5, '1h', null]) {
    t.throws(
      () => signToken({ sub: 'alice' }, seconds),
      { message: /signToken: .*whole number of seconds/ },
      String(seconds)
    )
  }
})
