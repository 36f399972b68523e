import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { openClient, until } from '../helpers/clients.js'
import { runCommand } from '../helpers/command.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'
import { operate } from '../helpers/node-processes.js'

/** Which nodes there are: `GET /v1/admin/nodes`, the command, and `/readyz`. */
const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

async function startRedis (t: Test): Promise<RedisServer> {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  return redis
}

const ready = async ({ origin }: TestServer): Promise<string> => {
  const response = await fetch(`${origin}/readyz`)
  const { status, code } = await response.json() as { status?: string, code?: string }
  return `${response.status} ${status ?? code ?? ''}`
}
const overview = async (node: TestServer): Promise<unknown> =>
  await (await operate(node.origin, 'GET', 'nodes', node.token({ admin: true }))).json()

test('lists itself, its sources and its log if it is the only server', async t => {
  const node = await startServer(t, {
    SOURCES: 'simulated?rate=5&lazy=true',
    BROKER: 'none',
    ACK_ALERT_SECONDS: 0,
    NODE_NAME: 'only',
    NODE_URL: 'http://only.example:8080'
  })
  t.equal(await ready(node), '200 ready')
  t.match(await overview(node), {
    nodes: [{
      id: String,
      name: 'only',
      url: 'http://only.example:8080',
      version: /^\d+\.\d+\.\d+/,
      started: /^\d{4}-/,
      load: {
        connections: 0, messages_per_second: 0, cpu: Number, memory_bytes: Number, event_loop_delay_ms: Number
      },
      sources: { simulated: 'waiting', 'processor:alerts': 'waiting' },
      wants: [],
      lag: 0
    }],
    leases: [{ source: 'processor:alerts', state: 'waiting' }, { source: 'processor:heatmap', state: 'waiting' }, { source: 'processor:strategies', state: 'waiting' }, { source: 'simulated', state: 'waiting' }],
    shards: [{ shard: 0, epoch: /^[0-9a-f]{8}$/, offset: 63, followers: [{ lag: 0 }] }]
  })
  const client = openClient('ws-json', node.origin, 'subscribe=quotes:AAPL', undefined, {
    onMessage: () => {},
    onCursor: () => {}
  })
  t.teardown(() => { client.cut() })
  await until('the source runs', () => node.parts.sources.status()[0]?.state === 'running')
  let found: unknown
  for (; JSON.stringify(found)?.includes('"token":') !== true; await delay(20)) found = await overview(node)
  t.match(found, {
    nodes: [{ sources: { simulated: 'running' }, wants: ['simulated'], load: { connections: 1 } }],
    leases: [
      { source: 'processor:alerts', state: 'waiting' },
      { source: 'processor:heatmap', state: 'waiting' },
      { source: 'processor:strategies', state: 'waiting' },
      { source: 'simulated', state: 'running', name: 'only', token: Number, since: /^\d{4}-/ }
    ]
  })
  t.match(
    await (await fetch(`${node.origin}/metrics`)).text(),
    /^tickwire_source_running\{source="simulated"\} 1$/m
  )
})

test('answers an admin only, and says so on the command line', async t => {
  const node = await startServer(t, { BROKER: 'none', ACK_ALERT_SECONDS: 0 })
  t.equal((await fetch(`${node.origin}/v1/admin/nodes`)).status, 401)
  t.equal((await operate(node.origin, 'GET', 'nodes', node.token())).status, 403)
  const url = ['--url', node.origin]
  const admin = { TICKWIRE_TOKEN: node.token({ admin: true }) }
  const commands: ReadonlyArray<readonly [string[], Record<string, string>, number, RegExp]> = [
    [['nodes', ...url], {}, 1, /unauthorized: .*TICKWIRE_TOKEN.*--admin/],
    [['nodes', ...url], { TICKWIRE_TOKEN: node.token() }, 1, /forbidden: .*--admin/],
    [['nodes', '--url', 'http://127.0.0.1:2'], admin, 1, /no server listens at/],
    [['nodes', '--url', `${node.origin}/elsewhere`], admin, 1, /not_found/],
    [['nodes', 'all', ...url], admin, 2, /takes flags only/]
  ]
  for (const [args, env, code, words] of commands) {
    const finished = await runCommand(args, env)
    t.equal(finished.code, code, args.join(' '))
    t.match(finished.err, words)
    t.equal(finished.out, '')
  }
  const table = await runCommand(['nodes', ...url], admin)
  t.equal(table.code, 0, table.err)
  t.match(table.out, /^NODE +ADDRESS +VERSION .*\n\S+ +http:\/\/127\.0\.0\.1:\d+ +\d+\.\d+\.\d+ /)
  t.match(table.out, /\n\nSHARD +EPOCH +OFFSET +FOLLOWED BY \(LAG\)\n0 +[0-9a-f]{8} +0 +\S+ \(0\)\n$/)
  t.match(JSON.parse((await runCommand(['nodes', '--json', ...url], admin)).out), {
    nodes: [{ lag: 0 }],
    leases: [
      { source: 'processor:alerts', state: 'waiting' }, { source: 'processor:heatmap', state: 'waiting' }, { source: 'processor:strategies', state: 'waiting' }
    ],
    shards: [{ shard: 0 }]
  })
})

test('shows two servers to each other, and how far each of them follows', options, async t => {
  const redis = await startRedis(t)
  const settings = { REDIS_URL: redis.url, LOG_SHARDS: 3 }
  const [one, other] = [
    await startServer(t, { ...settings, NODE_NAME: 'one' }),
    await startServer(t, { ...settings, NODE_NAME: 'other' })
  ]
  for (const symbol of ['A', 'B', 'C', 'D']) {
    await publish(one.app, 'news', undefined, {
      headline: symbol,
      source: 's',
      symbols: [symbol],
      timestamp: '2026-01-01T00:00:00Z'
    })
  }
  for (const asked of [one, other]) {
    const found = (await overview(asked)) as {
      nodes: Array<{ name: string, id: string, url: string }>
      shards: Array<{ followers: unknown[], offset: number }>
    }
    t.same(found.nodes.map(({ name }) => name), ['one', 'other'])
    t.same(found.nodes.map(({ url }) => url), [one.origin, other.origin])
    t.equal(found.shards.reduce((sum, { offset }) => sum + offset, 0), 4)
    // Nobody subscribes, so each node follows the common shard only, and the other shards sleep.
    for (const [shard, { followers }] of found.shards.entries()) {
      t.same(followers, shard === 0 ? found.nodes.map(({ id }) => ({ node: id, lag: 0 })) : [])
    }
  }
  t.match(
    (await runCommand(['nodes', '--url', one.origin], { TICKWIRE_TOKEN: one.token({ admin: true }) })).out,
    /\none +http.*\nother +http/
  )
  await other.app.close()
  t.match(await overview(one), { nodes: [{ name: 'one' }] })
  t.equal(
    ((await overview(one)) as { nodes: unknown[] }).nodes.length,
    1,
    'a server that closes in good order is not listed any more'
  )
})

for (const kind of ['stopped', 'ended'] as const) {
  test(`is not ready while Redis is ${kind}, and ready again afterwards`, options, async t => {
    const redis = await startRedis(t)
    const node = await startServer(t, { REDIS_URL: redis.url, SOURCES: 'simulated?rate=5' })
    const { sources } = node.parts
    t.equal(await ready(node), '200 ready')
    await until('its source runs', () => sources.status()[0]?.state === 'running')
    if (kind === 'stopped') process.kill(redis.pid, 'SIGSTOP')
    else await redis.kill()
    while (await ready(node) !== '503 log_unavailable') await delay(20)
    await until(
      'its source does not run, because nobody knows who holds it',
      () => sources.status()[0]?.state === 'waiting'
    )
    t.equal((await operate(node.origin, 'GET', 'nodes', node.token({ admin: true }))).status, 503)
    t.equal(
      (await operate(node.origin, 'POST', 'sources/simulated/stop', node.token({ admin: true }))).status,
      503
    )
    t.equal((await fetch(`${node.origin}/healthz`)).status, 200)
    if (kind === 'stopped') process.kill(redis.pid, 'SIGCONT')
    else await redis.start()
    while (await ready(node) !== '200 ready') await delay(20)
    await until('its source runs again', () => sources.status()[0]?.state === 'running')
  })
}

test('is ready with a full Redis, because the log can still be read', options, async t => {
  const redis = await startRedis(t)
  const node = await startServer(t, { REDIS_URL: redis.url })
  const control = redis.client()
  t.teardown(() => { control.disconnect() })
  await control.config('SET', 'maxmemory', '1')
  // Longer than a registration counts.
  for (const end = Date.now() + 5000; Date.now() < end; await delay(200)) {
    t.equal(await ready(node), '200 ready')
  }
})
