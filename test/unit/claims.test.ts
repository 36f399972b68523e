import { test } from 'tap'
import { identityOf } from '../../src/auth/claims.js'
import { isoTime } from '../../src/hub/iso-time.js'

const claims = { sub: 'alice', exp: 1_800_000_000, iss: 'tickwire', aud: 'tickwire' }

test('reads the identity from the claims of a token', async t => {
  t.strictSame(identityOf(claims), { user: 'alice', expiresAt: 1_800_000_000_000, admin: false })
  t.strictSame(
    identityOf({ ...claims, name: 'Alice', read: ['quotes:*'], publish: [], admin: true, iat: 1, role: 'x' }),
    {
      user: 'alice',
      expiresAt: 1_800_000_000_000,
      admin: true,
      name: 'Alice',
      read: ['quotes:*'],
      publish: []
    }
  )
  t.equal(identityOf({ ...claims, admin: false }).admin, false)
  t.strictSame(identityOf({ ...claims, trade: true }).trade, true)
  t.strictSame(identityOf({ ...claims, trade: ['AAPL', '*'] }).trade, ['AAPL', '*'])
  t.equal(identityOf({ ...claims, trade: false }).trade, undefined)
})

const malformed: ReadonlyArray<readonly [string, unknown]> = [
  ['nothing', undefined],
  ['a text', 'alice'],
  ['nobody', { ...claims, sub: undefined }],
  ['an empty name', { ...claims, sub: '' }],
  ['a name of 129 characters', { ...claims, sub: 'a'.repeat(129) }],
  ['a number for a name', { ...claims, sub: 1 }],
  ['no end', { ...claims, exp: undefined }],
  ['an end as text', { ...claims, exp: '1800000000' }],
  ['an end that is no time', { ...claims, exp: NaN }],
  ['an end that no date can hold', { ...claims, exp: 9e12 }],
  ['an end before all time', { ...claims, exp: -1 }],
  ['one pattern that is no list', { ...claims, read: 'quotes:*' }],
  ['patterns that are no texts', { ...claims, publish: [1] }],
  ['a pattern that is null', { ...claims, read: null }],
  ['trade in words', { ...claims, trade: 'true' }],
  ['trade of what is no text', { ...claims, trade: [1] }],
  ['trade that is null', { ...claims, trade: null }],
  ['an admin in words', { ...claims, admin: 'true' }],
  ['an admin in numbers', { ...claims, admin: 1 }]
]

test('refuses malformed claims', async t => {
  for (const [name, value] of malformed) {
    t.throws(() => identityOf(value), { code: 'unauthorized' }, name)
  }
})

test('can write the end of any token as a time', async t => {
  for (const exp of [0, 1.5, 1_800_000_000, 8_640_000_000_000]) {
    t.match(isoTime(identityOf({ ...claims, exp }).expiresAt ?? NaN), /Z$/, String(exp))
  }
})
