/**
 * What it costs to judge a token: verified anew each time, and remembered.
 *
 *   npm run bench -- tokens [--rounds 5] [--count 4000]
 */
import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import Fastify from 'fastify'
import { auth } from '../dist/plugins/auth.js'
import { verifyingKey } from '../dist/src/auth/keys.js'
import { MemoryCoordination } from '../dist/src/coordination/memory/memory-coordination.js'
import { options, percentile, reportTable } from './report.js'

const { rounds, count } = options({ rounds: 5, count: 4000 })

const secret = randomBytes(32).toString('base64url')
/** @type {Record<string, import('node:crypto').KeyPairKeyObjectResult>} */
const pairs = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: generateKeyPairSync('ed25519')
}
/** @type {Record<string, (text: string) => Buffer>} */
const signers = {
  HS256: text => createHmac('sha256', secret).update(text).digest(),
  RS256: text => sign('sha256', Buffer.from(text), pairs.RS256.privateKey),
  ES256: text => {
    return sign('sha256', Buffer.from(text), { key: pairs.ES256.privateKey, dsaEncoding: 'ieee-p1363' })
  },
  EdDSA: text => sign(null, Buffer.from(text), pairs.EdDSA.privateKey)
}
const part = (/** @type {unknown} */ value) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Makes a token. @param {string} algorithm @param {number} number makes each token different */
function token (algorithm, number) {
  const exp = Math.floor(Date.now() / 1000) + 3600
  const publish = ['quotes:*', 'trades:*']
  const claims = { sub: 'alice', iss: 'tickwire', aud: 'tickwire', exp, publish, number }
  const signed = `${part({ alg: algorithm, typ: 'JWT', kid: algorithm })}.${part(claims)}`
  return `${signed}.${signers[algorithm](signed).toString('base64url')}`
}

const app = Fastify()
await app.register(auth, {
  keys: {
    find: kid => kid === 'HS256' ? { algorithm: 'HS256', key: secret } : verifyingKeys.get(String(kid)),
    close () {}
  },
  issuer: 'tickwire',
  audience: 'tickwire',
  coordination: new MemoryCoordination(),
  listedOrigins: new Set()
})
const verifyingKeys = new Map(Object.entries(pairs).map(([name, { publicKey }]) => {
  return [name, verifyingKey(publicKey)]
}))
await app.ready()

/** Judges tokens. @param {readonly string[]} tokens @returns CPU µs of each */
async function judge (tokens) {
  const before = process.cpuUsage()
  for (const one of tokens) await app.authenticator.verify(one)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / tokens.length
}

const rows = []
for (const algorithm of ['HS256', 'RS256', 'ES256', 'EdDSA']) {
  const [anew, remembered] = [[], []].map(list => /** @type {number[]} */ (list))
  for (let round = 0; round <= rounds; round++) {
    const costs = [
      await judge(Array.from({ length: count }, (_, number) => token(algorithm, round * count + number))),
      await judge(Array(count).fill(token(algorithm, -1)))
    ]
    // The first round is the warm-up.
    if (round > 0) [anew, remembered].forEach((list, index) => { list.push(costs[index]) })
  }
  const [first, again] = [percentile(anew, 50), percentile(remembered, 50)]
  rows.push({
    algorithm,
    'anew, CPU µs': Number(first.toFixed(1)),
    'remembered, CPU µs': Number(again.toFixed(1)),
    ratio: Number((first / again).toFixed(1))
  })
}
reportTable('tokens', { rounds, count }, rows)
await app.close()
