import Fastify from 'fastify'
import { test } from 'tap'
import { auth } from '../../plugins/auth.js'
import { errors } from '../../plugins/errors.js'
import type { Identity } from '../../src/auth/identity.js'
import { Tickets } from '../../src/auth/tickets.js'
import { MemoryCoordination } from '../../src/coordination/memory/memory-coordination.js'

const unauthorized = { code: 'unauthorized' }

test('lets a ticket stand for all claims of its token, once and for 30 seconds', async t => {
  let now = 1_800_000_000_000
  const coordination = new MemoryCoordination(() => now)
  t.teardown(async () => { await coordination.close() })
  const tickets = new Tickets(coordination, () => now)
  const people: Identity[] = [
    { user: 'alice', expiresAt: now + 3_600_000, admin: false },
    { user: 'bob', expiresAt: now + 1500.5, admin: true, name: 'Bob', read: ['quotes:*'], publish: [], trade: ['AAPL'] },
    { user: 'eve', expiresAt: now + 3_600_000, admin: false, trade: true }
  ]
  for (const identity of people) {
    const ticket = await tickets.issue(identity)
    t.match(ticket, /^[A-Za-z0-9_-]{43}$/)
    for (let time = 0; time < 2; time++) {
      t.strictSame(await tickets.look(ticket), identity, 'looking spends nothing')
    }
    t.strictSame(await tickets.redeem(ticket), identity)
    await t.rejects(tickets.redeem(ticket), unauthorized, 'it is used')
    await t.rejects(tickets.look(ticket), unauthorized, 'it is used')
  }
  const [early, late] = [await tickets.issue(people[0]!), await tickets.issue(people[0]!)]
  t.not(early, late)
  now += 29_999
  t.ok(await tickets.redeem(early))
  now += 1
  await t.rejects(tickets.look(late), unauthorized, 'it is too late')
  await t.rejects(tickets.redeem(late), unauthorized, 'it is too late')
  const outlived = await tickets.issue({ user: 'carol', expiresAt: now - 59_000, admin: false })
  now += 1000
  await t.rejects(tickets.look(outlived), unauthorized, 'its token has expired since')
  await t.rejects(tickets.redeem(outlived), unauthorized, 'its token has expired since')
})

test('asks the coordination for nothing that is no ticket, and stores no ticket in it', async t => {
  const keys: string[] = []
  const tickets = new Tickets({
    put: async key => { keys.push(key) },
    look: async key => { keys.push(key); return undefined },
    take: async key => { keys.push(key); return undefined }
  })
  const ticket = await tickets.issue({ user: 'alice', expiresAt: Date.now() + 1000, admin: false })
  await t.rejects(tickets.redeem(ticket), unauthorized)
  await t.rejects(tickets.look(ticket), unauthorized)
  t.equal(keys.length, 3)
  t.equal(new Set(keys).size, 1)
  t.notMatch(keys[0], ticket)
  for (const text of ['', 'a', `${ticket}a`, ticket.slice(1), `${ticket.slice(1)}+`, `${ticket}\n`, '../../x', '*']) {
    await t.rejects(tickets.redeem(text), unauthorized)
    await t.rejects(tickets.look(text), unauthorized)
  }
  t.equal(keys.length, 3)
})

test('judges a request once, however many ask, and spends its ticket when the request is let in', async t => {
  const coordination = new MemoryCoordination()
  const app = Fastify()
  t.teardown(async () => { await app.close(); await coordination.close() })
  await app.register(errors, { notFound: true })
  const secret = {
    secret: 'a secret',
    find: () => ({ algorithm: 'HS256', key: 'a secret' }) as const,
    close () {}
  }
  await app.register(auth, {
    keys: secret,
    issuer: 'i',
    audience: 'a',
    coordination,
    listedOrigins: new Set<string>()
  })
  app.addHook('onRequest', async request => { await app.authenticator.identify(request) })
  const answer = async (request: Parameters<typeof app.authenticator.identify>[0]): Promise<object> => ({
    user: (await app.authenticator.identify(request)).user ?? null
  })
  const config = {
    queryCredentials: (request: Parameters<typeof app.authenticator.identify>[0]) => request.query as object
  }
  app.get('/stream', { config }, async request => {
    await app.authenticator.spend(request)
    return await answer(request)
  })
  app.get('/refused', { config }, async () => { throw new Error('something else is wrong') })
  app.get('/other', answer)

  const ticket = await app.authenticator.tickets.issue({
    user: 'alice',
    expiresAt: Date.now() + 60_000,
    admin: false
  })
  t.same(
    (await app.inject(`/other?ticket=${ticket}`)).json(),
    { user: null },
    'elsewhere a ticket counts for nothing, and is not spent'
  )
  t.equal(
    (await app.inject(`/refused?ticket=${ticket}`)).statusCode,
    500,
    'a refused request does not spend it'
  )
  t.same((await app.inject(`/stream?ticket=${ticket}`)).json(), { user: 'alice' })
  t.match((await app.inject(`/stream?ticket=${ticket}`)).json(), { code: 'unauthorized' })
  t.equal((await app.inject('/nowhere')).statusCode, 404)
})
