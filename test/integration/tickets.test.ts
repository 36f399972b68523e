import { test } from 'tap'
import { MemoryCoordination } from '../../src/coordination/memory/memory-coordination.js'
import { goodClaims, secretToken } from '../helpers/jwt.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { SECRET, type TestServer } from '../helpers/server.js'
import { ask, enter, transports } from '../helpers/ways-in.js'
import { bearer, start, ticketFor } from './entrants.js'

/** Tickets: who gets one, how often it lets somebody in, and what it keeps of its token. */

test('lets each ticket in once, on any transport and server, before other credentials of the URL', async t => {
  let later = 0
  const coordination = new MemoryCoordination(() => Date.now() + later)
  const [one, other] = [await start(t, {}, { coordination }), await start(t, {}, { coordination })]
  const give = async (user: string, server = one): Promise<string> => {
    const given = await ticketFor(server, server.token({ sub: user }))
    if ('code' in given) throw new Error(given.code)
    return `ticket=${given.ticket}`
  }
  const answer = await ask(`${one.origin}/api/ws/token`, bearer(one.token()))
  t.match(JSON.parse(answer.body), { ticket: /^[\w-]{43}$/, expires_in: 30 })
  t.match(answer.headers, { 'cache-control': 'no-store', vary: 'Origin, Authorization' })
  t.equal(answer.headers['set-cookie'], undefined, 'no cookie unasked')

  for (const transport of transports) {
    const query = await give('alice')
    t.equal(await enter(one.origin, transport, { query }), 'alice', transport)
    for (const again of transports) {
      t.equal(await enter(one.origin, again, { query }), 'unauthorized', `${transport}, then ${again}: used`)
    }
    t.equal(
      await enter(other.origin, transport, { query: await give('bob') }),
      'bob',
      `${transport}: made by one server, used at another`
    )
    t.equal(
      await enter(one.origin, transport, { query: await give('bob', other) }),
      'bob',
      'the other way round, too'
    )

    const mine = bearer(one.token({ sub: 'alice' }))
    const his = await give('bob')
    t.equal(
      await enter(one.origin, transport, { query: his, headers: mine }), 'alice',
      `${transport}: a header comes before a ticket`
    )
    t.equal(await enter(one.origin, transport, { query: his }), 'bob', 'the ticket is not spent on it')
    const token = one.token({ sub: 'alice' })
    const before = await give('bob')
    t.equal(
      await enter(one.origin, transport, {
        query: `${before}&token=${token}`,
        headers: { cookie: `tickwire=${token}` }
      }),
      'bob',
      `${transport}: a ticket comes before token and cookie`
    )
    t.equal(
      await enter(one.origin, transport, { query: `${before}&token=${token}` }),
      'unauthorized',
      'a spent ticket is not passed over'
    )

    const kept = await give('bob')
    t.equal(await enter(one.origin, transport, { query: `${kept}&wrong=1` }), 'bad_request')
    t.equal(
      await enter(one.origin, transport, { query: kept }),
      'bob',
      `${transport}: a bad request spends no ticket`
    )
    for (const malformed of ['a', 'a'.repeat(43), token, '%00', '..%2F']) {
      const outcome = await enter(one.origin, transport, { query: `ticket=${malformed}` })
      t.equal(outcome, 'unauthorized', `${transport}: ${malformed}`)
    }
    t.equal(await enter(one.origin, transport, { query: 'ticket=' }), 'bad_request')
  }
  const old = await Promise.all(transports.map(async () => await give('alice')))
  later = 30_000
  for (const [index, transport] of transports.entries()) {
    t.equal(
      await enter(one.origin, transport, { query: old[index]! }),
      'unauthorized',
      `${transport}: expired`
    )
  }
  const raced = await give('alice')
  const outcomes = await Promise.all(
    [...transports, ...transports].map(
      async transport => await enter(other.origin, transport, { query: raced })
    )
  )
  t.same(
    outcomes.sort(),
    ['alice', ...Array<string>(5).fill('unauthorized')],
    'of many at once, one is let in'
  )
})

test('takes a ticket once, at whichever node of the same Redis', {
  skip: redisProgram === undefined ? 'there is no Redis' : false
}, async t => {
  const redis = await RedisServer.start()
  t.teardown(async () => { await redis.close() })
  const nodes = [await start(t, { REDIS_URL: redis.url }), await start(t, { REDIS_URL: redis.url })] as const
  const give = async (server: TestServer): Promise<string> => {
    const given = await ticketFor(server, server.token({ sub: 'bob' }))
    if ('code' in given) throw new Error(given.code)
    return `ticket=${given.ticket}`
  }
  for (const [given, taken] of [[nodes[0], nodes[1]], [nodes[1], nodes[0]]] as const) {
    for (const transport of transports) {
      const query = await give(given)
      t.equal(await enter(taken.origin, transport, { query }), 'bob', `${transport}: at the other node`)
      for (const again of nodes) {
        t.equal(
          await enter(again.origin, transport, { query }),
          'unauthorized',
          `${transport}: then at no node`
        )
      }
    }
  }
  const raced = await give(nodes[0])
  const outcomes = await Promise.all(
    nodes.flatMap(({ origin }) =>
      transports.map(async transport => await enter(origin, transport, { query: raced }))
    )
  )
  t.same(
    outcomes.sort(),
    ['bob', ...Array<string>(5).fill('unauthorized')],
    'of many at once at both, one is let in'
  )
})

test('gives a ticket for a header only', async t => {
  const server = await start(t)
  const token = server.token()
  const { ticket } = await ticketFor(server, token) as { ticket: string }
  for (const [query, headers] of [['', {}], ['', { cookie: `tickwire=${token}` }]] as const) {
    t.match(JSON.parse((await ask(`${server.origin}/api/ws/token${query}`, headers)).body), {
      code: 'unauthorized'
    })
  }
  for (const query of [`token=${token}`, `ticket=${ticket}`, 'cookie=2', 'cookie=1&cookie=1']) {
    t.match(
      JSON.parse((await ask(`${server.origin}/api/ws/token?${query}`, bearer(token))).body),
      { code: 'bad_request' },
      query
    )
  }
  t.equal(
    (await fetch(`${server.origin}/api/ws/token`, { method: 'HEAD', headers: bearer(token) })).status,
    404
  )
})

test('keeps all claims of the token in its ticket', async t => {
  const server = await start(t)
  const narrow = await ticketFor(server, server.token({ read: ['quotes:A'] })) as { ticket: string }
  t.equal(await enter(server.origin, 'poll', { query: `ticket=${narrow.ticket}` }), 'forbidden')
  const late = secretToken(SECRET, goodClaims(-57))
  const { ticket } = await ticketFor(server, late) as { ticket: string }
  const { now } = Date
  Date.now = () => now() + 5000
  try {
    t.equal(
      await enter(server.origin, 'poll', { query: `ticket=${ticket}` }),
      'unauthorized',
      'it lives no longer than the token'
    )
  } finally {
    Date.now = now
  }
})
