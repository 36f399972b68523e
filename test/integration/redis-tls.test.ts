import { test } from 'tap'
import { runCommand } from '../helpers/command.js'
import { CertificateFiles, makeCertificate } from '../helpers/certificate.js'
import { freePort } from '../helpers/free-port.js'
import type { Placing } from '../helpers/redis-place.js'
import { RedisCluster } from '../helpers/redis-cluster.js'
import { RedisSentinel } from '../helpers/redis-sentinel.js'
import { redisProgram } from '../helpers/redis-server.js'
import { refused, SECRET } from '../helpers/refused.js'

/** Sentinels and a Redis Cluster over TLS, with a user and passwords. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 200_000 } as const

test('uses a Redis Cluster over TLS', options, async t => {
  const { cert, key } = new CertificateFiles(t, makeCertificate('localhost'))
  const cluster = await RedisCluster.start(async (_index, plainPort) => {
    const port = await freePort()
    const settings = {
      'tls-cluster': 'yes',
      'tls-replication': 'yes',
      'tls-port': String(port),
      'cluster-announce-port': String(plainPort),
      'cluster-announce-tls-port': String(port),
      'tls-cert-file': cert,
      'tls-key-file': key,
      'tls-ca-cert-file': cert,
      'tls-auth-clients': 'no'
    }
    return { port, settings }
  })
  t.teardown(() => cluster.close())
  for (const { server } of cluster.nodes) {
    await server.ask(redis =>
      redis.call('ACL', 'SETUSER', 'tickwire', 'on', `>${SECRET}@`, '~*', '&*', '+@all')
    )
  }
  const REDIS_URL = cluster.url.replace('redis+cluster://', `rediss+cluster://tickwire:${SECRET}%40@`)
  await refused(
    t,
    'not trusted',
    { REDIS_URL },
    /its node 127\.0\.0\.1:\d+: its certificate is not trusted; name the file of its issuer in NODE_EXTRA_CA_CERTS/
  )
  await refused(
    t,
    'another password',
    { REDIS_URL: REDIS_URL.replace('%40@', '%41@'), NODE_EXTRA_CA_CERTS: cert },
    /the user or the password is not right/
  )
  const { code, err } = await runCommand(['check-config'], {
    REDIS_URL,
    NODE_EXTRA_CA_CERTS: cert,
    LOG_SHARDS: '16'
  })
  t.equal(code, 0, err)
})

test('uses Sentinels over TLS, which have their own password', options, async t => {
  const { cert, key } = new CertificateFiles(t, makeCertificate('localhost'))
  const secured = {
    'tls-cert-file': cert,
    'tls-key-file': key,
    'tls-ca-cert-file': cert,
    'tls-auth-clients': 'no',
    'tls-replication': 'yes'
  }
  const placing: Placing = async () => {
    const port = await freePort()
    return { port, settings: { ...secured, 'tls-port': String(port) } }
  }
  const group = await RedisSentinel.start(placing, placing)
  t.teardown(() => group.close())
  const master = await group.master()
  await group.requirePassword(SECRET)
  await master.ask(redis =>
    redis.call('ACL', 'SETUSER', 'tickwire', 'on', '>of-the-user', '~*', '&*', '+@all')
  )
  const address = group.url.replace('redis+sentinel://', 'rediss+sentinel://tickwire:of-the-user@')
  const REDIS_URL = `${address}?sentinel_password=${SECRET}`
  await refused(
    t,
    'without their password',
    { REDIS_URL: REDIS_URL.split('?')[0]!, NODE_EXTRA_CA_CERTS: cert },
    /its Sentinel 127\.0\.0\.1:\d+: the password is missing/
  )
  const { code, err } = await runCommand(['check-config'], { REDIS_URL, NODE_EXTRA_CA_CERTS: cert })
  t.equal(code, 0, err)
})
