import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { KeySet, type KeySetTimes } from '../../src/auth/key-set.js'
import { until } from '../helpers/clients.js'
import { jwkOf, keyPair } from '../helpers/jwt.js'
import { startKeyProvider } from '../helpers/key-provider.js'

const rsa = keyPair('RS256')
const ec = keyPair('ES256')
const ed = keyPair('EdDSA')

interface Opened {
  readonly keys: KeySet
  readonly errors: string[]
}

function open (t: Test, url: string, times: KeySetTimes = {}): Opened {
  const errors: string[] = []
  const keys = new KeySet(url, error => { errors.push(String(error)) }, times)
  t.teardown(() => { keys.close() })
  return { keys, errors }
}

test('finds keys by name, each with the algorithm of its type, and leaves out what cannot be used', async t => {
  const weak = { ...jwkOf(rsa, 'weak'), n: Buffer.alloc(128, 0xff).toString('base64url') }
  const provider = await startKeyProvider(t, [
    jwkOf(rsa, 'rsa', { use: 'sig', alg: 'RS256', x5c: ['…'] }),
    jwkOf(ec, 'ec'),
    jwkOf(ed, 'ed', { key_ops: ['verify'] }),
    jwkOf(rsa, 'for-encryption', { use: 'enc' }),
    jwkOf(rsa, 'of-another-algorithm', { alg: 'PS256' }),
    jwkOf(ec, 'pretends', { alg: 'HS256' }),
    { kty: 'oct', kid: 'secret', k: 'c2VjcmV0', alg: 'HS256' },
    { kty: 'RSA', kid: 'broken', n: 1, e: 'AQAB' },
    weak,
    jwkOf(rsa, ''),
    { ...jwkOf(rsa, 'nameless'), kid: undefined },
    jwkOf(ed, 'rsa')
  ])
  const { keys, errors } = open(t, provider.url)
  t.strictSame(await keys.find('rsa'), { algorithm: 'RS256', key: rsa.pem }, 'the first of its name')
  t.strictSame(await keys.find('ec'), { algorithm: 'ES256', key: ec.pem })
  t.strictSame(await keys.find('ed'), { algorithm: 'EdDSA', key: ed.pem })
  for (const kid of ['for-encryption', 'of-another-algorithm', 'pretends', 'secret', 'broken', 'weak', '', 'toString', undefined, null, 7, ['rsa'], {}]) {
    t.equal(await keys.find(kid), undefined, JSON.stringify(kid))
  }
  t.same(errors, [])
})

test('fetches the set for an unknown key once in a while, however many ask and how often', async t => {
  const provider = await startKeyProvider(t, [jwkOf(rsa, 'a')])
  const { keys } = open(t, provider.url, { coolDownMs: 1000 })
  await keys.find('a')
  t.equal(provider.requests(), 1)
  provider.serve([jwkOf(ec, 'b')])
  const found = await Promise.all(Array.from({ length: 50 }, async () => await keys.find('b')))
  t.ok(found.every(key => key?.algorithm === 'ES256'), 'all wait for the one request')
  t.equal(provider.requests(), 2)
  t.equal(await keys.find('a'), undefined, 'a withdrawn key is not found any more')
  for (let i = 0; i < 50; i++) t.equal(await keys.find(`guess ${i}`), undefined)
  t.equal(provider.requests(), 2, 'guesses cause no request')
  await delay(1010)
  await Promise.all(Array.from({ length: 50 }, async (_, index) => await keys.find(`another guess ${index}`)))
  t.equal(provider.requests(), 3)
})

test('goes on with the known keys while the provider is away', async t => {
  const provider = await startKeyProvider(t, [jwkOf(rsa, 'a')])
  const { keys, errors } = open(t, provider.url, { refreshMs: 20, coolDownMs: 20, timeLimitMs: 50 })
  await keys.find('a')
  const away: ReadonlyArray<readonly [string, RegExp, Parameters<typeof provider.answer>[0]]> = [
    [
      'fails',
      /status 503/,
      response => {
        response.writeHead(503).end()
      }
    ],
    [
      'sends elsewhere',
      /fetch failed/,
      response => {
        response.writeHead(302, { location: provider.url }).end()
      }
    ],
    [
      'cuts',
      /fetch failed|terminated/,
      response => {
        response.destroy()
      }
    ],
    ['never answers', /within 50 ms/, () => {}],
    [
      'never ends',
      /within 50 ms/,
      response => {
        response.writeHead(200).write('{"keys":[')
      }
    ],
    [
      'sends too much',
      /more than 262144 bytes/,
      response => {
        response.writeHead(200).end(`{"keys":[${' '.repeat(300_000)}]}`)
      }
    ],
    [
      'sends too many',
      /at most 100 keys/,
      response => {
        response.end(JSON.stringify({ keys: Array.from({ length: 101 }, () => jwkOf(rsa, 'a')) }))
      }
    ],
    [
      'sends no JSON',
      /JSON/,
      response => {
        response.end('<html>')
      }
    ],
    [
      'sends no set',
      /RFC 7517/,
      response => {
        response.end('[]')
      }
    ],
    [
      'has nothing to use',
      /no key/,
      response => {
        response.end('{"keys":[]}')
      }
    ]
  ]
  for (const [name, message, answer] of away) {
    errors.length = 0
    provider.answer(answer)
    await until(`the provider ${name}`, () => errors.some(error => message.test(error)))
    t.match(await keys.find('a'), { algorithm: 'RS256' }, name)
  }
  provider.serve([jwkOf(ed, 'c')])
  let renewed = await keys.find('c')
  while (renewed === undefined) {
    await delay(10)
    renewed = await keys.find('c')
  }
  t.equal(renewed.algorithm, 'EdDSA')
})

test('says overloaded rather than judge a token before there are any keys', async t => {
  const provider = await startKeyProvider(t, [jwkOf(rsa, 'a')])
  provider.answer(response => { response.writeHead(500).end() })
  const { keys } = open(t, provider.url, { coolDownMs: 500 })
  await t.rejects(keys.find('a'), { code: 'overloaded', retryAfterMs: 500 })
  await t.rejects(keys.find('a'), { code: 'overloaded' })
  await t.rejects(keys.find('a'), { code: 'overloaded' })
  t.equal(provider.requests(), 2, 'it asks no more often than after an answer')
  provider.serve([jwkOf(rsa, 'a')])
  await delay(510)
  t.match(await keys.find('a'), { algorithm: 'RS256' })
})

test('fetches no set after it is closed', async t => {
  const provider = await startKeyProvider(t, [jwkOf(rsa, 'a')])
  const { keys, errors } = open(t, provider.url, { refreshMs: 10, coolDownMs: 0 })
  await keys.find('a')
  keys.close()
  await delay(20)
  const before = provider.requests()
  t.equal(await keys.find('b'), undefined)
  await delay(30)
  t.equal(provider.requests(), before)
  t.same(errors, [])
})
