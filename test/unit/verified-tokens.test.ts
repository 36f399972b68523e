import Fastify from 'fastify'
import fc from 'fast-check'
import { type Test, test } from 'tap'
import { type Authenticator, auth } from '../../plugins/auth.js'
import type { Identity } from '../../src/auth/identity.js'
import { type Keys, type VerifyingKey, verifyingKey } from '../../src/auth/keys.js'
import { VerifiedTokens } from '../../src/auth/verified-tokens.js'
import { MemoryCoordination } from '../../src/coordination/memory/memory-coordination.js'
import { goodClaims, type KeyPair, keyPair, pairToken } from '../helpers/jwt.js'

/** Keys that a test changes while tokens are remembered. */
class ChangingKeys implements Keys {
  readonly keys = new Map<unknown, VerifyingKey>()

  set (kid: string, { publicKey }: KeyPair): void {
    this.keys.set(kid, verifyingKey(publicKey)!)
  }

  find (kid: unknown): VerifyingKey | undefined {
    return this.keys.get(kid)
  }

  close (): void {}
}

async function start (t: Test, keys: Keys): Promise<Authenticator> {
  const app = Fastify()
  const coordination = new MemoryCoordination()
  t.teardown(async () => { await app.close(); await coordination.close() })
  await app.register(auth, {
    keys,
    issuer: 'tickwire',
    audience: 'tickwire',
    coordination,
    listedOrigins: new Set<string>()
  })
  return app.authenticator
}

test('remembers a verified token, but no longer than its key is good', async t => {
  const keys = new ChangingKeys()
  const [first, second] = [keyPair('ES256'), keyPair('ES256')]
  keys.set('a', first)
  const authenticator = await start(t, keys)
  const token = pairToken(first, goodClaims(), { kid: 'a' })
  const identity = await authenticator.verify(token)
  t.equal(identity.user, 'alice')
  t.equal(await authenticator.verify(token), identity, 'the same object, so the token was not read again')
  t.not(
    await authenticator.verify(pairToken(first, { ...goodClaims(), name: 'Alice' }, { kid: 'a' })),
    identity,
    'another token is another'
  )
  keys.set('a', second)
  await t.rejects(authenticator.verify(token), { code: 'unauthorized' }, 'the key was changed')
  keys.keys.delete('a')
  await t.rejects(authenticator.verify(token), { code: 'unauthorized' }, 'the key was withdrawn')
  keys.set('a', first)
  t.strictSame(await authenticator.verify(token), identity)
})

test('judges a refused token again each time', async t => {
  const keys = new ChangingKeys()
  const pair = keyPair('EdDSA')
  const authenticator = await start(t, keys)
  const token = pairToken(pair, goodClaims(), { kid: 'a' })
  await t.rejects(authenticator.verify(token), { code: 'unauthorized' })
  keys.set('a', pair)
  t.equal((await authenticator.verify(token)).user, 'alice')
})

const key: VerifyingKey = { algorithm: 'HS256', key: 'a secret' }
const identityTo = (expiresAt: number): Identity => ({ user: 'alice', admin: false, expiresAt })

test('remembers a token until all clocks, which differ, agree that it has expired', async t => {
  let now = 1_800_000_000_000
  const tokens = new VerifiedTokens({ now: () => now })
  tokens.add('a token', { identity: identityTo(now + 5000), kid: undefined, key })
  now += 64_999
  t.strictSame(tokens.find('a token')?.identity.user, 'alice')
  now += 1
  t.equal(tokens.find('a token'), undefined)
  t.equal(tokens.size, 0)
})

test('bounds the remembered tokens by number and by size, and drops the oldest first', async t => {
  const given = fc.array(
    fc.record({ name: fc.integer({ min: 0, max: 30 }), length: fc.integer({ min: 3, max: 60 }) }),
    { maxLength: 80 }
  )
  fc.assert(fc.property(given, list => {
    const tokens = new VerifiedTokens({ maxTokens: 10, maxCharacters: 200 })
    const expected = new Map<string, number>()
    for (const { name, length } of list) {
      const token = String(name).padEnd(length, '.')
      tokens.add(token, { identity: identityTo(Date.now() + 60_000), kid: undefined, key })
      expected.delete(token)
      expected.set(token, length)
      const characters = (): number => [...expected.values()].reduce((sum, length) => sum + length, 0)
      while (expected.size > 10 || characters() > 200) expected.delete(expected.keys().next().value!)
    }
    t.equal(tokens.size, expected.size)
    for (const token of expected.keys()) t.ok(tokens.find(token) !== undefined, token)
  }), { numRuns: 200 })
})
