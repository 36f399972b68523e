import { sign as signBytes } from 'node:crypto'
import { type Test, test } from 'tap'
import {
  compact,
  goodClaims,
  hmac,
  jwkOf,
  type KeyPair,
  keyPair,
  pairToken,
  secretToken,
  signature
} from '../helpers/jwt.js'
import { startKeyProvider } from '../helpers/key-provider.js'
import { SECRET, type TestServer } from '../helpers/server.js'
import { ask, enter, enterByMessage, transports } from '../helpers/ways-in.js'
import { bearer, start, ticketFor } from './entrants.js'

/**
 * Every credential, over every transport, with every fault: the right refusal, and the same one everywhere.
 */

async function publishOutcome (server: TestServer, token: string | undefined): Promise<string> {
  const response = await fetch(`${server.origin}/v1/publish`, {
    method: 'POST',
    body: '[]',
    headers: { ...bearer(token), 'content-type': 'application/json' }
  })
  return response.status === 200 ? 'alice' : (await response.json() as { code: string }).code
}

/** Tries a token, or none, on every way in. Returns the outcomes by the name of the way. */
async function tryEveryWay (server: TestServer, token: string | undefined): Promise<Map<string, string>> {
  const outcomes = new Map<string, string>([
    ['first message', await enterByMessage(server.origin, token)],
    ['publish: header', await publishOutcome(server, token)]
  ])
  for (const transport of transports) {
    const given = await ticketFor(server, token)
    const entries = {
      header: { headers: bearer(token) },
      query: token === undefined ? {} : { query: `token=${token}` },
      cookie: token === undefined ? {} : { headers: { cookie: `a=b; tickwire=${token}; c=d` } }
    }
    for (const [credential, entry] of Object.entries(entries)) {
      outcomes.set(`${transport}: ${credential}`, await enter(server.origin, transport, entry))
    }
    outcomes.set(
      `${transport}: ticket`,
      'code' in given
        ? given.code
        : await enter(server.origin, transport, { query: `ticket=${given.ticket}` })
    )
  }
  return outcomes
}

/**
 * Tries a token on one way only, where the outcome depends on the key alone: the ways are the same for all
 * keys.
 */
const tryOneWay = async (server: TestServer, token: string | undefined): Promise<Map<string, string>> =>
  new Map([
    [
      'poll: query',
      await enter(server.origin, 'poll', token === undefined ? {} : { query: `token=${token}` })
    ]
  ])

async function judge (
  t: Test,
  server: TestServer,
  tokens: Readonly<Record<string, string | undefined>>,
  expected: string,
  ways = tryEveryWay
): Promise<void> {
  for (const [name, token] of Object.entries(tokens)) {
    const outcomes = await ways(server, token)
    t.equal(outcomes.size, ways === tryEveryWay ? 14 : 1)
    t.strictSame(outcomes, new Map([...outcomes.keys()].map(way => [way, expected])), name)
  }
}

type Sign = (claims: object, header?: object) => string

/** Makes tokens with claims that no server may accept, whoever signed them. */
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

/** Makes tokens with claims that a server must accept. */
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

/** Makes what anybody can make who has seen a good token and knows what everybody may know. */
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
    ...Object.fromEntries(known.map((text, index) => {
      const name = `of HS256, signed with what is known (${index})`
      return [name, compact({ alg: 'HS256', kid: 'a' }, goodClaims(), hmac(text))]
    })),
    ...Object.fromEntries(['384', '512'].map(bits => {
      const name = `of HS${bits}, signed with what is known`
      return [name, compact({ alg: `HS${bits}`, kid: 'a' }, goodClaims(), hmac(known[0]!, `sha${bits}`))]
    }))
  }
}

test('accepts good tokens of a secret, and refuses all others', async t => {
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

/**
 * Lists the forms of a public key that somebody could have taken in as a secret; an attacker knows them all.
 */
const formsOf = ({ pem, publicKey }: KeyPair, setting: string): string[] => [
  pem,
  pem.trim(),
  setting,
  ` ${pem}`,
  pem.replaceAll('\n', ''),
  publicKey.export({ type: 'spki', format: 'der' }).toString('latin1'),
  JSON.stringify(publicKey.export({ format: 'jwk' }))
]

for (const algorithm of ['RS256', 'ES256', 'EdDSA'] as const) {
  test(`accepts good tokens of a key pair, set behind white space, and refuses all others: ${algorithm}`, async t => {
    const pair = keyPair(algorithm)
    const setting = ` \n\t${pair.pem}`
    const server = await start(t, { JWT_PUBLIC_KEY: setting })
    const sign: Sign = (claims, header) => pairToken(pair, claims, header)
    const ways = algorithm === 'RS256' ? tryEveryWay : tryOneWay
    await judge(t, server, goodTokens(sign), 'alice', ways)
    const others = (['RS256', 'ES256', 'EdDSA'] as const).filter(other => other !== algorithm)
    const sha384 = (signed: string): Buffer => signBytes('sha384', Buffer.from(signed), pair.privateKey)
    await judge(
      t,
      server,
      {
        ...badClaims(sign),
        ...forgeries(sign(goodClaims()), formsOf(pair, setting)),
        'of another key': pairToken(keyPair(algorithm), goodClaims()),
        'of another kind of key': pairToken(keyPair(others[0]!), goodClaims()),
        ...Object.fromEntries(
          [...others, 'RS384', 'PS256', 'ES384', 'HS256'].map(alg => {
            return [`that says it is of ${alg}`, compact({ alg }, goodClaims(), signature(pair))]
          })
        ),
        ...(algorithm === 'RS256'
          ? { 'of RS384, as the same key can make it': compact({ alg: 'RS384' }, goodClaims(), sha384) }
          : {})
      },
      'unauthorized',
      ways
    )
    t.throws(() => server.token(), /this server signs no tokens/)
    t.same(
      JSON.parse((await ask(`${server.origin}/page/settings.json`)).body),
      { authentication_required: true, admin_links: false, reference: true },
      'it signs none for the page either'
    )
  })
}

test('accepts good tokens of a set of keys, and refuses all others', async t => {
  const [rsa, ec, ed] = [keyPair('RS256'), keyPair('ES256'), keyPair('EdDSA')]
  const secret = { kty: 'oct', kid: 'secret', k: Buffer.from(SECRET).toString('base64url'), alg: 'HS256' }
  const provider = await startKeyProvider(t, [jwkOf(rsa, 'a'), jwkOf(ec, 'b'), jwkOf(ed, 'c'), secret])
  const startedAt = Date.now()
  const server = await start(t, { JWT_JWKS_URL: provider.url })
  const sign: Sign = claims => pairToken(rsa, claims, { kid: 'a' })
  await judge(
    t,
    server,
    {
      ...goodTokens(sign),
      ES256: pairToken(ec, goodClaims(), { kid: 'b' }),
      EdDSA: pairToken(ed, goodClaims(), { kid: 'c' })
    },
    'alice'
  )
  await judge(
    t,
    server,
    {
      ...badClaims(sign),
      ...forgeries(sign(goodClaims()), formsOf(rsa, JSON.stringify({ keys: [jwkOf(rsa, 'a')] }))),
      'of an unknown kid': pairToken(rsa, goodClaims(), { kid: 'z' }),
      'of no kid': pairToken(rsa, goodClaims()),
      'of a kid that is no text': pairToken(rsa, goodClaims(), { kid: 1 }),
      "of another's kid": pairToken(rsa, goodClaims(), { kid: 'b' }),
      'that brings its key': pairToken(keyPair('RS256'), goodClaims(), {
        jwk: rsa.publicKey.export({ format: 'jwk' }),
        jku: provider.url
      }),
      'of a key in its place': pairToken(keyPair('RS256'), goodClaims(), { kid: 'a' }),
      'of the secret in the set': compact({ alg: 'HS256', kid: 'secret' }, goodClaims(), hmac(SECRET))
    },
    'unauthorized'
  )
  t.ok(
    provider.requests() <= 3 + (Date.now() - startedAt) / 10_000,
    'it asks at the start, and once in ten seconds for all the unknown keys'
  )
})

test('takes new keys while it runs, and goes on while the provider is away', async t => {
  const [before, after] = [keyPair('ES256'), keyPair('RS256')]
  const provider = await startKeyProvider(t, [jwkOf(before, 'a')])
  const server = await start(t, { JWT_JWKS_URL: provider.url })
  const old = pairToken(before, goodClaims(), { kid: 'a' })
  t.equal(await enter(server.origin, 'poll', { headers: bearer(old) }), 'alice')
  provider.serve([jwkOf(before, 'a'), jwkOf(after, 'b')])
  const renewed = pairToken(after, goodClaims(), { kid: 'b' })
  for (const transport of transports) {
    t.equal(
      await enter(server.origin, transport, { headers: bearer(renewed) }),
      'alice',
      `${transport}: a new key`
    )
    t.equal(
      await enter(server.origin, transport, { headers: bearer(old) }),
      'alice',
      `${transport}: the old one beside it`
    )
  }
  provider.answer(response => { response.destroy() })
  for (const transport of transports) {
    t.equal(
      await enter(server.origin, transport, { headers: bearer(renewed) }),
      'alice',
      `${transport}: the provider is away`
    )
  }
  t.equal(provider.requests(), 2)

  const dead = await startKeyProvider(t, [])
  dead.answer(response => { response.writeHead(500).end() })
  const early = await start(t, { JWT_JWKS_URL: dead.url, LOG_LEVEL: 'silent' })
  const answer = await ask(`${early.origin}/v1/stream?subscribe=portfolio`, bearer(old))
  t.match(
    { status: answer.status, ...(JSON.parse(answer.body) as object) },
    { status: 503, code: 'overloaded', retry_after_ms: 10_000 },
    'no keys yet: the client should come again, not give up'
  )
  t.equal(answer.headers['retry-after'], '10')
})
