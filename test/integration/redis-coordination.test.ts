import { connect, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { RedisCoordination } from '../../src/coordination/redis/redis-coordination.js'
import { listen } from '../helpers/network.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'

/** What the coordination does while its Redis fails it. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

const WINDOW_MS = 60_000

async function openCoordination (
  t: Test,
  redis: RedisServer,
  url = redis.url
): Promise<{ coordination: RedisCoordination, errors: string[] }> {
  const errors: string[] = []
  const coordination = await RedisCoordination.open({
    url,
    keyPrefix: 'tw',
    onError: (_error, message) => {
      errors.push(message)
    }
  })
  t.teardown(() => coordination.close())
  return { coordination, errors }
}

async function startRedis (t: Test, settings: readonly string[] = []): Promise<RedisServer> {
  const redis = await RedisServer.start(settings)
  t.teardown(() => redis.close())
  return redis
}

const code = async (promise: Promise<unknown>): Promise<unknown> =>
  await promise.then(
    () => 'done',
    (error: { code?: string }) => error.code
  )

for (const kind of ['stopped', 'killed'] as const) {
  test(`counts alone at once while Redis is ${kind}, and with the other nodes when it is back`, options, async t => {
    const redis = await startRedis(t)
    const [here, there] = [await openCoordination(t, redis), await openCoordination(t, redis)]
    t.equal((await here.coordination.count('key', WINDOW_MS)).count, 1)
    t.equal((await there.coordination.count('key', WINDOW_MS)).count, 2)
    if (kind === 'stopped') process.kill(redis.pid, 'SIGSTOP')
    else await redis.kill()

    const alone = await Promise.all(
      Array.from({ length: 100 }, () => here.coordination.count('key', WINDOW_MS))
    )
    t.same(
      alone.map(({ count }) => count).sort((a, b) => a - b),
      Array.from({ length: 100 }, (_, n) => n + 2),
      'it goes on from what it had counted before'
    )
    // Redis would keep each of them waiting for a while; together that would take minutes.
    for (let n = 0; n < 2000; n++) await here.coordination.count('key', WINDOW_MS)
    t.same(
      here.errors,
      ['requests are counted by this server alone until Redis answers again'],
      'it says so once'
    )
    t.equal(await code(here.coordination.put('ticket', 'text', 60)), 'log_unavailable')
    t.equal(await code(here.coordination.take('ticket')), 'log_unavailable')
    here.coordination.answer(() => 'here')
    t.equal(
      await code(here.coordination.ask('?', 100)),
      'log_unavailable',
      'it does not answer as if nobody else were there'
    )

    if (kind === 'stopped') process.kill(redis.pid, 'SIGCONT')
    else await redis.start()
    let shared = false
    for (let n = 0; !shared; n++, await delay(20)) {
      await there.coordination.count(`both ${n}`, WINDOW_MS)
      shared = (await here.coordination.count(`both ${n}`, WINDOW_MS)).count === 2
    }
    there.coordination.answer(() => 'there')
    for (let answers: readonly string[] = []; answers.length < 2; await delay(20)) {
      answers = await here.coordination.ask('?', 1000).catch(() => [])
    }
    await here.coordination.put('ticket', 'text', 60)
    t.equal(await there.coordination.take('ticket'), 'text')
  })
}

test('does not wait for a slow Redis at each request', options, async t => {
  const redis = await startRedis(t)
  let lateMs = 0
  let asked = 0
  const port = await listen(t, createServer(client => {
    const upstream = connect(redis.url)
    client.on('data', data => {
      asked += String(data).match(/eval(sha)?\r/gi)?.length ?? 0
      upstream.write(data)
    })
    upstream.on('data', data => { setTimeout(() => { client.write(data) }, lateMs) })
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
      socket.on('error', () => {})
      socket.on('close', () => { other.destroy() })
    }
  }))
  const { coordination, errors } = await openCoordination(t, redis, `redis://127.0.0.1:${port}`)
  t.equal((await coordination.count('key', WINDOW_MS)).count, 1)
  t.ok(asked > 0)
  lateMs = 200
  for (let n = 2; n <= 200; n++) t.equal((await coordination.count('key', WINDOW_MS)).count, n)
  t.ok(asked < 20, `${asked} of 200 were asked`)
  t.equal(errors.length, 1)
  lateMs = 0
  const control = redis.client()
  t.teardown(() => { control.disconnect() })
  await control.set('{tw:count:key}', '1000', 'KEEPTTL')
  for (let count = 0; count < 1000; await delay(20)) {
    count = (await coordination.count('key', WINDOW_MS)).count
  }
})

test('counts alone at a full Redis, which takes no texts', options, async t => {
  const redis = await startRedis(t)
  const { coordination } = await openCoordination(t, redis)
  const control = redis.client()
  t.teardown(() => { control.disconnect() })
  await coordination.put('before', 'text', 60)
  await control.config('SET', 'maxmemory', '1')
  t.equal(await code(coordination.put('more', 'text', 60)), 'overloaded')
  t.same(
    [(await coordination.count('key', WINDOW_MS)).count, (await coordination.count('key', WINDOW_MS)).count],
    [1, 2]
  )
  t.equal(await coordination.take('before'), 'text', 'a text that is there can be taken')
})

test('leaves nothing in Redis, and gives each key its own hash tag, except the two keys of a lease', options, async t => {
  const redis = await startRedis(t)
  const { coordination } = await openCoordination(t, redis)
  const control = redis.client()
  t.teardown(() => { control.disconnect() })
  t.same(await control.keys('*'), [], 'opening writes nothing')
  await coordination.put('ticket', 'text', 60)
  await coordination.count('user alice', 1000)
  await control.set('{tw:count:without an end}', '5')
  t.equal((await coordination.count('without an end', 1000)).count, 6)
  await coordination.leases.hold('source', { node: 'n', note: '', forMs: 1000, byDefault: true })
  await coordination.leases.turn('source', true)
  await coordination.registry.register('n', '', 1000)
  const keys = await control.keys('*')
  t.same(keys.sort(), [
    '{tw:count:user alice}',
    '{tw:count:without an end}',
    '{tw:lease:source}:holder',
    '{tw:lease:source}:switch',
    '{tw:nodes}',
    '{tw:text:ticket}'
  ])
  for (const key of keys) t.ok(await control.pttl(key) > 0, `${key} expires`)
})

test('does not wait longer than asked for a node that went away in the middle of a question', options, async t => {
  const redis = await startRedis(t)
  const { coordination } = await openCoordination(t, redis)
  coordination.answer(() => 'here')
  const gone = redis.client()
  t.teardown(() => { gone.disconnect() })
  await gone.ssubscribe('{tw:questions}')
  t.same(await coordination.ask('?', 100), ['here'], 'it heard the question, and says nothing')
  const babbler = redis.client()
  t.teardown(() => { babbler.disconnect() })
  for (const noise of ['', 'x', '{}', 'null', '[1]']) await babbler.spublish('{tw:questions}', noise)
  t.same(await coordination.ask('?', 100), ['here'], 'others on the channel do not disturb it')
})
