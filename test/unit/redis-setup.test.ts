import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server } from 'node:net'
import { type Test, test } from 'tap'
import { cannotBeUsed } from '../../src/log/redis/append/refusals.js'
import { checkRedis } from '../../src/log/redis/setup.js'
import { listen } from '../helpers/network.js'

/**
 * What the server says of an address without a Redis that can hold the log: always one sentence, without a
 * secret.
 */

const SECRET = 'p4ssw0rd-of-a-test'

async function assertRefused (t: Test, url: string, sentence: RegExp): Promise<void> {
  const told = await checkRedis({ url, keyPrefix: 'tw', shards: 1 }).then(
    () => 'nothing',
    (error: Error) => `${error.name}: ${error.message}`
  )
  const name = url.replaceAll(SECRET, '…')
  t.match(told, /^LogSetupError: REDIS_URL[^\n]*$/, name)
  t.match(told, sentence, name)
  t.notMatch(told, SECRET.slice(4), `${name}: no password`)
}

/** Returns an address with a user and a password at which a server listens. */
async function at (t: Test, server: Server): Promise<string> {
  return `redis://user:${SECRET}@127.0.0.1:${await listen(t, server)}`
}

/** Makes a server that speaks enough of the protocol to describe itself. */
const claiming = (info: string): Server => createServer(socket => {
  socket.on('data', data => {
    for (const [, command] of String(data).matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)) {
      switch (command!.toLowerCase()) {
        case 'info': socket.write(`$${info.length}\r\n${info}\r\n`); break
        case 'hello': socket.write("-ERR unknown command 'HELLO'\r\n"); break
        default: socket.write('+OK\r\n')
      }
    }
  })
})

test('refuses an address that it cannot read', async t => {
  const unreadable = /give redis:\/\/\[\[user\]:password@\]host:6379/
  for (const url of [`redis://:${SECRET}@`, `redis://:${SECRET}@localhost:99999`, `redis://:${SECRET}@local host:6379`, `redis://:${SECRET}@[::1:6379`]) {
    await assertRefused(t, url, unreadable)
  }
  const restOfPassword = /is no address that can be read/
  for (const url of [`redis://:ab/${SECRET}@localhost:6379`, `redis://localhost:6379/${SECRET}`, `redis://localhost:6379#${SECRET}`]) {
    await assertRefused(t, url, restOfPassword)
  }
})

test('refuses an address where nothing listens, or something else', async t => {
  await assertRefused(
    t,
    `redis://:${SECRET}@no-such-host.invalid:6379`,
    /redis:\/\/no-such-host\.invalid:6379 cannot be used: its host name/
  )
  await assertRefused(
    t,
    `/nowhere/redis.sock?password=${SECRET}`,
    /\/nowhere\/redis\.sock cannot be used: there is no such socket/
  )
  const http = await at(t, createHttpServer((_, response) => { response.end('hello') }))
  await assertRefused(t, http, /is no Redis, or demands TLS/)
  await assertRefused(
    t,
    http.replace('redis:', 'rediss:'),
    /does not speak TLS; begin the address with redis:/
  )
  await assertRefused(t, await at(t, createServer(socket => { socket.end() })), /closes the connection/)
  const silent = await at(t, createServer(() => {}))
  await assertRefused(t, silent, /does not answer/)
  await assertRefused(t, silent.replace('redis:', 'rediss:'), /nothing answers there/)
  const dripping = createServer(socket => {
    const drip = setInterval(() => { socket.write('+') }, 200)
    socket.on('close', () => { clearInterval(drip) })
  })
  await assertRefused(t, await at(t, dripping), /does not answer/)
})

test('refuses a server that cannot hold the log by its own words', async t => {
  const says = (info: string): Promise<string> => at(t, claiming(info))
  await assertRefused(
    t,
    await says('# Server\r\nredis_version:6.2.14\r\nredis_mode:standalone\r\n'),
    /is Redis 6\.2\.14; version 7 or newer is needed/
  )
  await assertRefused(t, await says('# Server\r\n'), /of an unknown version; version 7 or newer/)
  await assertRefused(
    t,
    await says('# Server\r\nredis_version:7.2.0\r\nredis_mode:sentinel\r\n'),
    /is a Sentinel; give redis\+sentinel:\/\/host:26379\/ and the name of the master/
  )
  await assertRefused(
    t,
    await says('# Server\r\nredis_version:7.2.0\r\n# Persistence\r\nloading:1\r\n'),
    /still loading its data/
  )
  await assertRefused(
    t,
    await says('# Server\r\nredis_version:10.0.1\r\n# Replication\r\nrole:slave\r\n'),
    /is a replica.*give the address of its master/
  )
  await assertRefused(
    t,
    await says('# Server\r\nredis_version:7.2.0\r\n# Cluster\r\ncluster_enabled:1\r\n'),
    /is a node of a Redis Cluster; begin the address with redis\+cluster:/
  )
  await assertRefused(
    t,
    await says('# Server\r\nredis_version:7.2.0\r\n# Memory\r\nmaxmemory_policy:volatile-ttl\r\n'),
    /maxmemory-policy volatile-ttl.*set it to noeviction/
  )
})

test('puts the answers of Redis in words', t => {
  const setup = { url: `rediss://user:${SECRET}@host:6380/2?password=${SECRET}`, keyPrefix: 'tw' }
  const told = (error: unknown): string => cannotBeUsed(setup, error).message
  for (const [answer, words] of [
    ['WRONGPASS invalid username-password pair', /the user or the password is not right/],
    ['NOAUTH Authentication required.', /the password is missing/],
    ['MISCONF Redis is configured to save RDB snapshots', /could not save its data/],
    ["OOM command not allowed when used memory > 'maxmemory'.", /raise its maxmemory/],
    ["NOPERM this user has no permissions to run the 'eval' command", /may not run EVAL; .*\+@scripting/],
    ['ERR what nobody has thought of', /cannot be used: ERR what nobody has thought of$/]
  ] as const) t.match(told(new Error(answer)), words)
  t.match(
    told(Object.assign(new Error('connect'), { code: 'EHOSTUNREACH' })),
    /^REDIS_URL: rediss:\/\/host:6380\/2 cannot be used: there is no way to its host/
  )
  t.match(
    told(new Error('log_unavailable', { cause: new Error('OOM command not allowed') })),
    /raise its maxmemory/
  )
  t.match(
    told(new Error('WRONGTYPE Operation against a key')),
    /^REDIS_KEY_PREFIX: .*choose another prefix than 'tw'/
  )
  t.end()
})
