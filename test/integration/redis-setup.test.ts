import { createServer as createHttpServer } from 'node:http'
import { connect, createServer } from 'node:net'
import type { Redis } from 'ioredis'
import { type Test, test } from 'tap'
import { standardChannels } from '@tickwire/protocol'
import { RedisLog } from '../../src/log/redis/redis-log.js'
import { checkRedis } from '../../src/log/redis/setup.js'
import { until } from '../helpers/clients.js'
import { runCommand, startCommand } from '../helpers/command.js'
import { listen } from '../helpers/network.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { publish, startServer } from '../helpers/server.js'

/** What a start that cannot work is told: by the command itself, in one sentence and without a secret. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 110_000 } as const

const SECRET = 'p4ssw0rd-of-a-test'

/** Both commands that read the configuration are refused with the same sentence. */
async function refused (t: Test, what: string, env: Record<string, string>, sentence: RegExp, commands = ['start', 'check-config']): Promise<void> {
  const told = await Promise.all(commands.map(async command => {
    const { code, out, err } = await runCommand([command], { PORT: '0', SOURCES: 'none', ...env })
    t.equal(code, 1, `${what}: ${command} fails`)
    t.equal(out, '', `${what}: ${command} says nothing else`)
    t.match(err, sentence, `${what}: ${command}`)
    t.match(err, /^tickwire: (REDIS_URL|REDIS_KEY_PREFIX|LOG_SHARDS)\b[^\n]*\n$/, `${what}: one sentence that names the variable`)
    t.notMatch(err, SECRET, `${what}: no password`)
    return err
  }))
  t.equal(told.at(-1), told[0], `${what}: the same of both`)
}

/** A Redis that is reached over TCP, as behind a URL with a password in it. */
async function realRedis (t: Test, settings: readonly string[] = []): Promise<{ redis: RedisServer, control: Redis, port: number }> {
  const redis = await RedisServer.start(settings)
  t.teardown(() => redis.close())
  const control = redis.client()
  t.teardown(() => { control.disconnect() })
  const port = await listen(t, createServer(client => {
    const upstream = connect(redis.url)
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
      socket.on('error', () => {})
      socket.on('close', () => { other.destroy() })
      socket.pipe(other)
    }
  }))
  return { redis, control, port }
}

test('an address where no Redis is', options, async t => {
  const at = (port: number): string => `redis://user:${SECRET}@127.0.0.1:${port}`
  await refused(t, 'malformed', { REDIS_URL: `redis://:${SECRET}@localhost:99999` }, /REDIS_URL is no address that can be read: give redis:\/\//)
  for (const url of [`http://:${SECRET}@localhost:6379`, `localhost:6379?password=${SECRET}`]) {
    await refused(t, 'another scheme', { REDIS_URL: url }, /REDIS_URL=… cannot be used: redis:\/\/host:6379, .* or the path of a socket/)
  }
  const closed = createServer()
  const port = await listen(t, closed)
  await new Promise(resolve => { closed.close(resolve) })
  await refused(t, 'nobody listens', { REDIS_URL: at(port) }, /no Redis listens there; start one/)
  await refused(t, 'no such host', { REDIS_URL: `redis://:${SECRET}@no-such-host.invalid:6379` }, /its host name/)
  await refused(t, 'an HTTP server', { REDIS_URL: at(await listen(t, createHttpServer((_, response) => { response.end('hello') }))) }, /is no Redis, or demands TLS/)
  await refused(t, 'it never answers', { REDIS_URL: at(await listen(t, createServer(() => {}))) }, /does not answer/)
})

test('a Redis that is not what the log needs', options, async t => {
  const cluster = await realRedis(t, ['--cluster-enabled', 'yes'])
  await refused(t, 'Cluster', { REDIS_URL: cluster.redis.url }, /is a node of a Redis Cluster; begin the address with redis\+cluster:/)

  const { redis, control, port } = await realRedis(t)
  await control.replicaof('127.0.0.1', 1)
  await refused(t, 'a replica', { REDIS_URL: redis.url }, /is a replica.*give the address of its master/)
  await control.replicaof('NO', 'ONE')
  await control.config('SET', 'maxmemory-policy', 'allkeys-lru')
  await refused(t, 'it evicts', { REDIS_URL: redis.url }, /maxmemory-policy allkeys-lru.*set it to noeviction/)
  await control.config('SET', 'maxmemory-policy', 'noeviction')
  await refused(t, 'no such database', { REDIS_URL: `redis://127.0.0.1:${port}/99` }, /it has no database of that number/)
  await refused(t, 'no TLS', { REDIS_URL: `rediss://:${SECRET}@127.0.0.1:${port}` }, /nothing answers there, or not in TLS/)
  await control.config('SET', 'maxmemory', '1')
  await refused(t, 'full', { REDIS_URL: redis.url, REDIS_KEY_PREFIX: 'new' }, /its memory is full; raise its maxmemory/, ['start'])
  await control.config('SET', 'maxmemory', '0')

  await control.config('SET', 'requirepass', SECRET)
  await refused(t, 'password missing', { REDIS_URL: `redis://127.0.0.1:${port}` }, /the password is missing; it stands in the URL/)
  await refused(t, 'password missing, on a socket', { REDIS_URL: redis.url }, /the password is missing/, ['start'])
  await refused(t, 'password wrong', { REDIS_URL: `redis://:not-${SECRET}@127.0.0.1:${port}` }, /the user or the password is not right/)
  await refused(t, 'user wrong', { REDIS_URL: `redis://nobody:${SECRET}@127.0.0.1:${port}` }, /the user or the password is not right/)
})

test('a Redis that holds something else', options, async t => {
  const { redis, control } = await realRedis(t)
  const first = await startServer(t, { REDIS_URL: redis.url, LOG_SHARDS: 2 })
  await publish(first.app, 'news', undefined, { headline: 'h', source: 's', symbols: [], timestamp: '2026-01-01T00:00:00Z' })
  await first.app.close()
  // The lease ends by itself.
  const keys = async (): Promise<string[]> => (await control.keys('*')).filter(key => !key.endsWith(':lease')).sort()
  const before = await keys()
  await refused(t, 'other shards', { REDIS_URL: redis.url, LOG_SHARDS: '3' }, /^tickwire: LOG_SHARDS: this log was made with 2 shards.*set LOG_SHARDS=2/)

  const env = { REDIS_URL: redis.url, LOG_SHARDS: '2' }
  const stream = (await control.keys('{tw:?}:t:news'))[0]!
  for (const key of ['{tw:0}:meta', '{tw:1}:meta', '{tw:0}:epochs', '{tw:1}:seq', '{tw:0}:recent', '{tw:0}:marks', stream]) {
    if (await control.exists(key) === 1) await control.rename(key, 'aside')
    await control.set(key, 'mine')
    await refused(t, key, env, new RegExp(`^tickwire: REDIS_KEY_PREFIX: keys of the log hold something else in this Redis \\(${key.replace(/[{}]/g, '\\$&')} is a string, not a \\w+\\); choose another prefix than 'tw'`), ['start'])
    t.equal(await control.get(key), 'mine')
    await control.del(key)
    if (await control.exists('aside') === 1) await control.rename('aside', key)
  }
  await control.hset('{other:0}:meta', 'colour', 'blue')
  await refused(t, 'a hash of another', { REDIS_URL: redis.url, REDIS_KEY_PREFIX: 'other' }, /\{other:0\}:meta is not a log's/)
  await control.del('{other:0}:meta')
  t.same(await keys(), before, 'none of them wrote anything')
})

test('another node makes the log while this one looks whether it may', options, async t => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const setup = { url: redis.url, keyPrefix: '', shards: 2 }
  let asked = 0
  let makeBefore = 0
  const port = await listen(t, createServer(client => {
    const upstream = connect(redis.url)
    upstream.on('error', () => {})
    upstream.pipe(client)
    client.on('close', () => { upstream.destroy() })
    client.on('data', request => {
      if (++asked !== makeBefore) {
        upstream.write(request)
        return
      }
      void (async () => {
        const log = await RedisLog.open({ ...setup, channels: standardChannels, retention: { messages: 10, seconds: 60, bytes: 1e6 }, maxTopics: 10, onError: () => {} })
        upstream.write(request)
        await log.close()
      })()
    })
  }))
  do {
    asked = 0
    setup.keyPrefix = `tw${++makeBefore}`
    await t.resolves(checkRedis({ ...setup, url: `redis://127.0.0.1:${port}` }), `before its question ${makeBefore}`)
  } while (asked >= makeBefore)
  t.ok(makeBefore > 5, `${makeBefore - 1} moments`)
})

/** What the message tells to give a user. */
const ENOUGH = ['~{tw:*', '&{tw:*', '+@read', '+@write', '+@scripting', '+@pubsub', '+@connection', '+info', '+time']

test('a user of Redis that may not do what log and store do', options, async t => {
  const { control, port } = await realRedis(t)
  const allow = async (...rules: string[]): Promise<void> => { await control.call('ACL', 'SETUSER', 'tickwire', 'reset', 'on', `>${SECRET}`, ...rules) }
  const env = { REDIS_URL: `redis://tickwire:${SECRET}@127.0.0.1:${port}` }
  const told = (what: string): RegExp => new RegExp(`REDIS_URL: .*may not run ${what}.*ACL SETUSER.*\\+@read \\+@write \\+@scripting \\+@pubsub \\+@connection \\+info \\+time$`, 'm')
  await allow('~*', '&*', '+@all', '-info')
  await refused(t, 'INFO', env, told('INFO'))
  for (const command of ['SPUBLISH', 'EVALSHA', 'XADD', 'TYPE', 'GETDEL']) {
    await allow('~*', '&*', '+@all', `-${command}`)
    await refused(t, command, env, told(command), ['start'])
  }
  await allow('~*', '&*', '+@all', '-@scripting')
  await refused(t, 'scripts', env, told('EVAL'))
  await allow('~*', '&*', '+@all', '-@write')
  await refused(t, 'writes', env, told('\\w+, \\w+, \\w+, \\w+ and \\d+ more commands on the keys and channels that begin with {tw:'))
  await allow('~{other:*', '&*', '+@all')
  await refused(t, 'keys', env, told('.*on the keys and channels that begin with {tw:'))
  await allow('~*', '&{other:*', '+@all')
  await refused(t, 'channels', env, told('SSUBSCRIBE, SPUBLISH on the keys and channels that begin with {tw:'))

  await allow(...ENOUGH)
  const { code, out } = await runCommand(['check-config'], env)
  t.equal(code, 0, 'what the message says is enough')
  t.notMatch(out, SECRET)
  const { child, lines, errors, finished } = startCommand(['start'], { ...env, PORT: '0', SOURCES: 'none', UNKNOWN_SYMBOLS: 'accept', JWT_SECRET: 'x' })
  t.teardown(() => { child.kill('SIGKILL') })
  await until('it listens', () => lines.some(line => line.includes('listens on')))
  const origin = /http:\S+/.exec(lines.find(line => line.includes('listens on'))!)![0]
  const { out: token } = await runCommand(['token', '--sub', 'a', '--publish', '*'], { JWT_SECRET: 'x' })
  const published = await fetch(`${origin}/v1/publish`, {
    method: 'POST', headers: { authorization: `Bearer ${token.trim()}`, 'content-type': 'application/json' }, body: '{"channel":"quotes","symbol":"A","data":{"symbol":"A","bid":"1"}}'
  })
  t.equal(published.status, 200, 'also to publish')
  t.equal((await fetch(`${origin}/v1/snapshot?topic=quotes:A`)).status, 200, 'and to read')

  // The password is changed while it runs: it is told, again and again, but not with the old one.
  await control.call('ACL', 'SETUSER', 'tickwire', 'resetpass', '>another')
  await control.call('CLIENT', 'KILL', 'USER', 'tickwire')
  await until('it is told', () => /the log cannot be followed/.test(lines.join('\n')))
  child.kill('SIGTERM')
  await finished
  t.notMatch([...lines, ...errors].join('\n'), SECRET, 'no password in the log of the server')
})
