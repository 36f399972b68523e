import { createHmac } from 'node:crypto'
import { test } from 'tap'
import { startServer } from '../helpers/server.js'

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

function sign (header: object, claims: object, secret = 'a secret for tests only', digest = 'sha256'): string {
  const body = `${encode(header)}.${encode(claims)}`
  return `${body}.${createHmac(digest, secret).update(body).digest('base64url')}`
}

test('what a token must be, on every way in', async t => {
  const server = await startServer(t)
  const now = Math.floor(Date.now() / 1000)
  const HS256 = { alg: 'HS256', typ: 'JWT' }
  const good = { sub: 'alice', iss: 'tickwire', aud: 'tickwire', exp: now + 300, publish: ['*'] }
  const { exp: _exp, ...withoutExpiry } = good
  const { sub: _sub, ...withoutSubject } = good
  const tokens: ReadonlyArray<readonly [string, string, boolean]> = [
    ['good', sign(HS256, good), true],
    ['expired within the leeway', sign(HS256, { ...good, exp: now - 30 }), true],
    ['expired', sign(HS256, { ...good, exp: now - 90 }), false],
    ['not yet valid', sign(HS256, { ...good, nbf: now + 300 }), false],
    ['without exp', sign(HS256, withoutExpiry), false],
    ['without sub', sign(HS256, withoutSubject), false],
    ['with an empty sub', sign(HS256, { ...good, sub: '' }), false],
    ['of another issuer', sign(HS256, { ...good, iss: 'somebody' }), false],
    ['for another audience', sign(HS256, { ...good, aud: 'somebody' }), false],
    ['signed with another secret', sign(HS256, good, 'another secret'), false],
    ['of algorithm none', `${encode({ alg: 'none' })}.${encode(good)}.`, false],
    ['of algorithm HS512', sign({ alg: 'HS512', typ: 'JWT' }, good, undefined, 'sha512'), false],
    ['with claims that are not of their type', sign(HS256, { ...good, publish: 'all' }), false],
    ['malformed', 'a.b', false]
  ]
  for (const [name, token, accepted] of tokens) {
    const header = { authorization: `Bearer ${token}` }
    const answers = {
      poll: await fetch(`${server.origin}/v1/stream?subscribe=portfolio`, { headers: header }),
      query: await fetch(`${server.origin}/v1/stream?subscribe=portfolio&token=${token}`),
      publish: await fetch(`${server.origin}/v1/publish`, { method: 'POST', body: '[]', headers: { ...header, 'content-type': 'application/json' } })
    }
    for (const [way, answer] of Object.entries(answers)) t.equal(answer.status, accepted ? 200 : 401, `${name}: ${way}`)
  }
})
