import { sign as signBytes } from 'node:crypto'
import { type Test, test } from 'tap'
import type { Parts } from '../../src/app.js'
import type { Config } from '../../src/config.js'
import { MemoryCoordination } from '../../src/coordination/memory/memory-coordination.js'
import { compact, goodClaims, hmac, jwkOf, type KeyPair, keyPair, pairToken, secretToken, signature } from '../helpers/jwt.js'
import { startKeyProvider } from '../helpers/key-provider.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { SECRET, startServer, type TestServer } from '../helpers/server.js'
import { ask, enter, enterByMessage, transports } from '../helpers/ways-in.js'

/** Every credential, over every transport, with every fault: the right refusal, and the same one everywhere. */

const PEOPLE = ['alice', 'bob']

async function start (t: Test, overrides: Partial<Config> = {}, parts: Parts = {}): Promise<TestServer> {
  const server = await startServer(t, { AUTH: 'required', ...overrides }, parts)
  for (const user of PEOPLE) {
    const positions = [{ symbol: user, quantity: '1', avg_price: '1', market_value: '1', unrealized_pnl: '0' }]
    const [result] = await server.parts.publisher.publish([{ channel: 'portfolio', user, data: { total_value: '1', cash: '0', day_pnl: '0', positions } }], { publisher: 'test' })
    if (result === undefined || 'code' in result) throw new Error(`refused: ${JSON.stringify(result)}`)
  }
  return server
}

const bearer = (token: string | undefined): Record<string, string> => token === undefined ? {} : { authorization: `Bearer ${token}` }

/** What became of a request for a ticket: the ticket, or the code of the refusal. */
async function ticketFor (server: TestServer, token: string | undefined): Promise<{ ticket: string } | { code: string }> {
  const { status, body } = await ask(`${server.origin}/api/ws/token`, bearer(token))
  const answer = JSON.parse(body) as { ticket: string, code: string }
  return status === 200 ? { ticket: answer.ticket } : { code: status === 401 ? answer.code : `${answer.code} with status ${status}` }
}

async function publishes (server: TestServer, token: string | undefined): Promise<string> {
  const response = await fetch(`${server.origin}/v1/publish`, { method: 'POST', body: '[]', headers: { ...bearer(token), 'content-type': 'application/json' } })
  return response.status === 200 ? 'alice' : (await response.json() as { code: string }).code
}

/** By name, what comes of a token, or of none, on every way in. */
async function everyWay (server: TestServer, token: string | undefined): Promise<Map<string, string>> {
  const outcomes = new Map<string, string>([['first message', await enterByMessage(server.origin, token)], ['publish: header', await publishes(server, token)]])
  for (const transport of transports) {
    const given = await ticketFor(server, token)
    const entries = {
      header: { headers: bearer(token) },
      query: token === undefined ? {} : { query: `token=${token}` },
      cookie: token === undefined ? {} : { headers: { cookie: `a=b; tickwire=${token}; c=d` } }
    }
    for (const [credential, entry] of Object.entries(entries)) outcomes.set(`${transport}: ${credential}`, await enter(server.origin, transport, entry))
    outcomes.set(`${transport}: ticket`, 'code' in given ? given.code : await enter(server.origin, transport, { query: `ticket=${given.ticket}` }))
  }
  return outcomes
}

/** For what depends on the key alone: the way of it is the same for all keys. */
const oneWay = async (server: TestServer, token: string | undefined): Promise<Map<string, string>> =>
  new Map([['poll: query', await enter(server.origin, 'poll', token === undefined ? {} : { query: `token=${token}` })]])

async function judge (
  t: Test, server: TestServer, tokens: Readonly<Record<string, string | undefined>>, expected: string, ways = everyWay
): Promise<void> {
  for (const [name, token] of Object.entries(tokens)) {
    const outcomes = await ways(server, token)
    t.equal(outcomes.size, ways === everyWay ? 14 : 1)
    t.strictSame(outcomes, new Map([...outcomes.keys()].map(way => [way, expected])), name)
  }
}

type Sign = (claims: object, header?: object) => string

/** Claims that are not to be accepted, whoever signed them. */
function badClaims (sign: Sign): Record<string, string> {
  const good = goodClaims()
  const now = good.exp - 300
  const cases: Record<string, object> = {
    expired: { ...good, exp: now - 90 },
    'not yet valid': { ...good, nbf: now + 300 },
    'not yet valid in words': { ...good, nbf: 'now' },
    'of another issuer': { ...good, iss: 'somebody' },
    'without an issuer': { ...good, iss: undefined },
    'for another audience': { ...good, aud: 'somebody' },
    'for other audiences': { ...good, aud: ['somebody', 'else'] },
    'without an audience': { ...good, aud: undefined },
    'without exp': { ...good, exp: undefined },
    'with exp in words': { ...good, exp: String(good.exp) },
    'without sub': { ...good, sub: undefined },
    'with an empty sub': { ...good, sub: '' },
    'with claims that are not of their type': { ...good, read: '*' }
  }
  return Object.fromEntries(Object.entries(cases).map(([name, claims]) => [name, sign(claims)]))
}

/** Claims that are. */
function goodTokens (sign: Sign): Record<string, string> {
  const good = goodClaims()
  const now = good.exp - 300
  return {
    good: sign(good),
    'expired within the leeway': sign({ ...good, exp: now - 30 }),
    'valid since the leeway': sign({ ...good, nbf: now + 30 }),
    'for several audiences': sign({ ...good, aud: ['else', 'tickwire'] })
  }
}

/** What anybody can make who has seen a good token, and knows what everybody may know. */
function forgeries (token: string, known: readonly string[]): Record<string, string | undefined> {
  const [header, claims, signed] = token.split('.') as [string, string, string]
  const mallory = Buffer.from(JSON.stringify({ ...goodClaims(), admin: true })).toString('base64url')
  return {
    missing: undefined,
    malformed: 'a.b',
    'malformed in three parts': 'a.b.c',
    'with other claims': `${header}.${mallory}.${signed}`,
    'of algorithm none': compact({ alg: 'none' }, goodClaims(), () => ''),
    'of algorithm None, with a signature': compact({ alg: 'None' }, goodClaims(), () => signed),
    'without an algorithm': compact({}, goodClaims(), () => signed),
    'with a critical header that nobody knows': compact({ alg: 'HS256', crit: ['x'], x: 1 }, goodClaims(), hmac(SECRET)),
    'with half of its signature': `${header}.${claims}.${signed.slice(0, signed.length / 2)}`,
    ...Object.fromEntries(known.map((text, index) => [`of HS256, signed with what is known (${index})`, compact({ alg: 'HS256', kid: 'a' }, goodClaims(), hmac(text))])),
    ...Object.fromEntries(['384', '512'].map(bits => [`of HS${bits}, signed with what is known`, compact({ alg: `HS${bits}`, kid: 'a' }, goodClaims(), hmac(known[0]!, `sha${bits}`))]))
  }
}

test('tokens of a secret', async t => {
  const server = await start(t)
  const sign: Sign = claims => secretToken(SECRET, claims)
  await judge(t, server, goodTokens(sign), 'alice')
  await judge(t, server, {
    ...badClaims(sign),
    ...forgeries(sign(goodClaims()), ['', 'another secret', ` ${SECRET}`]),
    'of HS512': compact({ alg: 'HS512' }, goodClaims(), hmac(SECRET, 'sha512')),
    'of a key pair': pairToken(keyPair('EdDSA'), goodClaims())
  }, 'unauthorized')
})

/** What an attacker has of a public key, in all forms that somebody might have taken it in for a secret. */
const formsOf = ({ pem, publicKey }: KeyPair, setting: string): string[] => [
  pem, pem.trim(), setting, ` ${pem}`, pem.replaceAll('\n', ''), publicKey.export({ type: 'spki', format: 'der' }).toString('latin1'), JSON.stringify(publicKey.export({ format: 'jwk' }))
]

for (const algorithm of ['RS256', 'ES256', 'EdDSA'] as const) {
  test(`tokens of a key pair: ${algorithm}, behind white space`, async t => {
    const pair = keyPair(algorithm)
    const setting = ` \n\t${pair.pem}`
    const server = await start(t, { JWT_PUBLIC_KEY: setting })
    const sign: Sign = (claims, header) => pairToken(pair, claims, header)
    const ways = algorithm === 'RS256' ? everyWay : oneWay
    await judge(t, server, goodTokens(sign), 'alice', ways)
    const others = (['RS256', 'ES256', 'EdDSA'] as const).filter(other => other !== algorithm)
    await judge(t, server, {
      ...badClaims(sign),
      ...forgeries(sign(goodClaims()), formsOf(pair, setting)),
      'of another key': pairToken(keyPair(algorithm), goodClaims()),
      'of another kind of key': pairToken(keyPair(others[0]!), goodClaims()),
      ...Object.fromEntries([...others, 'RS384', 'PS256', 'ES384', 'HS256'].map(alg => [`that says it is of ${alg}`, compact({ alg }, goodClaims(), signature(pair))])),
      ...(algorithm === 'RS256' ? { 'of RS384, as the same key can make it': compact({ alg: 'RS384' }, goodClaims(), signed => signBytes('sha384', Buffer.from(signed), pair.privateKey)) } : {})
    }, 'unauthorized', ways)
    t.throws(() => server.token(), /this server signs no tokens/)
    t.same(JSON.parse((await ask(`${server.origin}/page/settings.json`)).body), { authentication_required: true, admin_links: false, reference: true }, 'nor for the page')
  })
}

test('tokens of a set of keys', async t => {
  const [rsa, ec, ed] = [keyPair('RS256'), keyPair('ES256'), keyPair('EdDSA')]
  const secret = { kty: 'oct', kid: 'secret', k: Buffer.from(SECRET).toString('base64url'), alg: 'HS256' }
  const provider = await startKeyProvider(t, [jwkOf(rsa, 'a'), jwkOf(ec, 'b'), jwkOf(ed, 'c'), secret])
  const startedAt = Date.now()
  const server = await start(t, { JWT_JWKS_URL: provider.url })
  const sign: Sign = claims => pairToken(rsa, claims, { kid: 'a' })
  await judge(t, server, { ...goodTokens(sign), ES256: pairToken(ec, goodClaims(), { kid: 'b' }), EdDSA: pairToken(ed, goodClaims(), { kid: 'c' }) }, 'alice')
  await judge(t, server, {
    ...badClaims(sign),
    ...forgeries(sign(goodClaims()), formsOf(rsa, JSON.stringify({ keys: [jwkOf(rsa, 'a')] }))),
    'of an unknown kid': pairToken(rsa, goodClaims(), { kid: 'z' }),
    'of no kid': pairToken(rsa, goodClaims()),
    'of a kid that is no text': pairToken(rsa, goodClaims(), { kid: 1 }),
    "of another's kid": pairToken(rsa, goodClaims(), { kid: 'b' }),
    'that brings its key': pairToken(keyPair('RS256'), goodClaims(), { jwk: rsa.publicKey.export({ format: 'jwk' }), jku: provider.url }),
    'of a key in its place': pairToken(keyPair('RS256'), goodClaims(), { kid: 'a' }),
    'of the secret in the set': compact({ alg: 'HS256', kid: 'secret' }, goodClaims(), hmac(SECRET))
  }, 'unauthorized')
  t.ok(provider.requests() <= 3 + (Date.now() - startedAt) / 10_000, 'asked at the start, and once in ten seconds for all the unknown keys')
})

test('keys change while the server runs, and the provider may be away', async t => {
  const [before, after] = [keyPair('ES256'), keyPair('RS256')]
  const provider = await startKeyProvider(t, [jwkOf(before, 'a')])
  const server = await start(t, { JWT_JWKS_URL: provider.url })
  const old = pairToken(before, goodClaims(), { kid: 'a' })
  t.equal(await enter(server.origin, 'poll', { headers: bearer(old) }), 'alice')
  provider.serve([jwkOf(before, 'a'), jwkOf(after, 'b')])
  const renewed = pairToken(after, goodClaims(), { kid: 'b' })
  for (const transport of transports) {
    t.equal(await enter(server.origin, transport, { headers: bearer(renewed) }), 'alice', `${transport}: a new key`)
    t.equal(await enter(server.origin, transport, { headers: bearer(old) }), 'alice', `${transport}: the old one beside it`)
  }
  provider.answer(response => { response.destroy() })
  for (const transport of transports) t.equal(await enter(server.origin, transport, { headers: bearer(renewed) }), 'alice', `${transport}: the provider is away`)
  t.equal(provider.requests(), 2)

  const dead = await startKeyProvider(t, [])
  dead.answer(response => { response.writeHead(500).end() })
  const early = await start(t, { JWT_JWKS_URL: dead.url, LOG_LEVEL: 'silent' })
  const answer = await ask(`${early.origin}/v1/stream?subscribe=portfolio`, bearer(old))
  t.match({ status: answer.status, ...JSON.parse(answer.body) as object }, { status: 503, code: 'overloaded', retry_after_ms: 10_000 }, 'no keys yet: the client should come again, not give up')
  t.equal(answer.headers['retry-after'], '10')
})

test('tickets', async t => {
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
    for (const again of transports) t.equal(await enter(one.origin, again, { query }), 'unauthorized', `${transport}, then ${again}: used`)
    t.equal(await enter(other.origin, transport, { query: await give('bob') }), 'bob', `${transport}: made by one server, used at another`)
    t.equal(await enter(one.origin, transport, { query: await give('bob', other) }), 'bob', 'and the other way round')

    const mine = bearer(one.token({ sub: 'alice' }))
    const his = await give('bob')
    t.equal(await enter(one.origin, transport, { query: his, headers: mine }), 'alice', `${transport}: who has a header is whom that names`)
    t.equal(await enter(one.origin, transport, { query: his }), 'bob', 'and the ticket is not spent on it')
    const token = one.token({ sub: 'alice' })
    const before = await give('bob')
    t.equal(await enter(one.origin, transport, { query: `${before}&token=${token}`, headers: { cookie: `tickwire=${token}` } }), 'bob', `${transport}: a ticket comes before token and cookie`)
    t.equal(await enter(one.origin, transport, { query: `${before}&token=${token}` }), 'unauthorized', 'and one that is spent is not passed over')

    const kept = await give('bob')
    t.equal(await enter(one.origin, transport, { query: `${kept}&wrong=1` }), 'bad_request')
    t.equal(await enter(one.origin, transport, { query: kept }), 'bob', `${transport}: what cannot be served at all spends none`)
    for (const malformed of ['a', 'a'.repeat(43), token, '%00', '..%2F']) t.equal(await enter(one.origin, transport, { query: `ticket=${malformed}` }), 'unauthorized', `${transport}: ${malformed}`)
    t.equal(await enter(one.origin, transport, { query: 'ticket=' }), 'bad_request')
  }
  const old = await Promise.all(transports.map(async () => await give('alice')))
  later = 30_000
  for (const [index, transport] of transports.entries()) t.equal(await enter(one.origin, transport, { query: old[index]! }), 'unauthorized', `${transport}: expired`)
  const raced = await give('alice')
  const outcomes = await Promise.all([...transports, ...transports].map(async transport => await enter(other.origin, transport, { query: raced })))
  t.same(outcomes.sort(), ['alice', ...Array<string>(5).fill('unauthorized')], 'of many at once, one is let in')
})

test('a ticket that one node gave is good once, at whichever node of the same Redis', { skip: redisProgram === undefined ? 'there is no Redis' : false }, async t => {
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
      for (const again of nodes) t.equal(await enter(again.origin, transport, { query }), 'unauthorized', `${transport}: and then at none`)
    }
  }
  const raced = await give(nodes[0])
  const outcomes = await Promise.all(nodes.flatMap(({ origin }) => transports.map(async transport => await enter(origin, transport, { query: raced }))))
  t.same(outcomes.sort(), ['bob', ...Array<string>(5).fill('unauthorized')], 'of many at once at both, one is let in')
})

test('a ticket is given for a header only', async t => {
  const server = await start(t)
  const token = server.token()
  const { ticket } = await ticketFor(server, token) as { ticket: string }
  for (const [query, headers] of [['', {}], ['', { cookie: `tickwire=${token}` }]] as const) {
    t.match(JSON.parse((await ask(`${server.origin}/api/ws/token${query}`, headers)).body), { code: 'unauthorized' })
  }
  for (const query of [`token=${token}`, `ticket=${ticket}`, 'cookie=2', 'cookie=1&cookie=1']) {
    t.match(JSON.parse((await ask(`${server.origin}/api/ws/token?${query}`, bearer(token))).body), { code: 'bad_request' }, query)
  }
  t.equal((await fetch(`${server.origin}/api/ws/token`, { method: 'HEAD', headers: bearer(token) })).status, 404)
})

test('a ticket holds all that its token says', async t => {
  const server = await start(t)
  const narrow = await ticketFor(server, server.token({ read: ['quotes:A'] })) as { ticket: string }
  t.equal(await enter(server.origin, 'poll', { query: `ticket=${narrow.ticket}` }), 'forbidden')
  const late = secretToken(SECRET, goodClaims(-57))
  const { ticket } = await ticketFor(server, late) as { ticket: string }
  const { now } = Date
  Date.now = () => now() + 5000
  try {
    t.equal(await enter(server.origin, 'poll', { query: `ticket=${ticket}` }), 'unauthorized', 'it lives no longer than the token')
  } finally {
    Date.now = now
  }
})
