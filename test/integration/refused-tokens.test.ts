import { test } from 'tap'
import { compact, goodClaims, hmac, jwkOf, keyPair, pairToken, secretToken } from '../helpers/jwt.js'
import { startKeyProvider } from '../helpers/key-provider.js'
import { SECRET, startServer, type TestServer } from '../helpers/server.js'

/** Returns what the server says of a token. */
async function answerTo ({ origin }: TestServer, token: string): Promise<string> {
  const response = await fetch(`${origin}/v1/stream?subscribe=news`, {
    headers: { authorization: `Bearer ${token}` }
  })
  const { code, message } = await response.json() as { code: string, message: string }
  return `${response.status} ${code}: ${message}`
}

const NOT_OURS = '401 unauthorized: the token is not signed with a key of this server'

test('says of a refused token what is wrong with it', async t => {
  const server = await startServer(t)
  const good = goodClaims()
  const now = good.exp - 300
  const sign = (claims: object): string => secretToken(SECRET, { ...good, ...claims })
  for (const [token, words] of [
    ['nonsense', '401 unauthorized: the token is not a JWT, which is three parts of base64url divided by dots'],
    ['a.b.c', '401 unauthorized: the token is not a JWT, which is three parts of base64url divided by dots'],
    [sign({ exp: now - 90 }), `401 unauthorized: the token expired at ${new Date((now - 90) * 1000).toISOString()}`],
    [sign({ nbf: now + 300 }), `401 unauthorized: the token is valid only from ${new Date((now + 300) * 1000).toISOString()} on`],
    [sign({ iss: 'somebody' }), '401 unauthorized: the iss of the token is not that of this server (JWT_ISSUER)'],
    [sign({ aud: ['somebody'] }), '401 unauthorized: the aud of the token is not that of this server (JWT_AUDIENCE)'],
    [sign({ exp: undefined }), '401 unauthorized: the token has no exp: it needs sub, exp, iss and aud'],
    [sign({ exp: 'soon' }), '401 unauthorized: the exp of the token has the wrong type'],
    [sign({ sub: '' }), '401 unauthorized: the sub of the token is malformed: Expected string length greater or equal to 1'],
    [sign({ read: '*' }), '401 unauthorized: the read of the token is malformed: Expected array'],
    [secretToken('another secret', { ...good, exp: now - 90, iss: 'somebody' }), NOT_OURS],
    [compact({ alg: 'HS512' }, good, hmac(SECRET, 'sha512')), NOT_OURS],
    [compact({ alg: 'none' }, good, () => 'none'), NOT_OURS],
    [compact({ alg: 'HS256', crit: ['x'], x: 1 }, good, hmac(SECRET)), NOT_OURS]
  ] as const) {
    t.equal(await answerTo(server, token), words)
  }
})

test('lets a stranger learn from a refusal nothing about the keys of a server', async t => {
  const [known, other] = [keyPair('RS256'), keyPair('RS256')]
  const provider = await startKeyProvider(t, [jwkOf(known, 'a')])
  const server = await startServer(t, { JWT_JWKS_URL: provider.url })
  for (const token of [
    pairToken(other, goodClaims(), { kid: 'a' }),
    pairToken(other, goodClaims(), { kid: 'unheard' }),
    pairToken(known, goodClaims()),
    pairToken(keyPair('EdDSA'), goodClaims(), { kid: 'a' }),
    pairToken(other, { ...goodClaims(), exp: 1 }, { kid: 'a' })
  ]) t.equal(await answerTo(server, token), NOT_OURS)
})
