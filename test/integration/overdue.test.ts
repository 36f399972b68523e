import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { askJson } from '../helpers/ask-json.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { startServer, type TestServer } from '../helpers/server.js'

const PATIENCE_MS = 60_000
const ALERT = { alert_id: 'a', type: 'price', message: 'm', triggered_at: '2026-01-01T00:00:00Z' }

async function alert (node: TestServer, ...users: readonly string[]): Promise<void> {
  const items = users.map(user => ({ channel: 'alerts', user, data: ALERT }))
  for (const result of await node.parts.publisher.publishOwn(items)) if ('code' in result) throw new Error(result.message)
}

async function acknowledge (node: TestServer, user: string, sequence: number): Promise<void> {
  const body = { channel: 'alerts', sequence }
  const { status, body: answer } = await askJson(node, 'POST', '/v1/ack', body, { sub: user })
  if (status !== 200) throw new Error(JSON.stringify(answer))
}

/** What the metrics of some servers together say of alerts. */
async function metric (nodes: readonly TestServer[], name: string): Promise<number[]> {
  const texts = await Promise.all(nodes.map(async ({ origin }) => await (await fetch(`${origin}/metrics`)).text()))
  return texts.flatMap(text => {
    const [, value] = new RegExp(`^tickwire_${name}\\{channel="alerts"\\} (.*)$`, 'm').exec(text) ?? []
    return value === undefined ? [] : [Number(value)]
  })
}

async function untilUsers (nodes: readonly TestServer[], users: number): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    const seen = await metric(nodes, 'unacknowledged_users')
    if (seen.length === 1 && seen[0] === users) return
    if (Date.now() > deadline) throw new Error(`${users} users should be counted, once: ${seen.join(', ')}`)
    await delay(20)
  }
}

async function judge (t: Test, nodes: readonly TestServer[]): Promise<void> {
  const [first, last] = [nodes[0]!, nodes.at(-1)!]
  await untilUsers(nodes, 0)
  await alert(first, 'ann', 'bob', 'ann')
  await untilUsers(nodes, 2)
  const [seconds] = await metric(nodes, 'unacknowledged_seconds')
  t.ok(seconds! >= 1, `the oldest is open for ${seconds} s`)
  await acknowledge(last, 'bob', 1)
  await untilUsers(nodes, 1)
  await acknowledge(last, 'ann', 1)
  t.same(await metric(nodes, 'unacknowledged_users'), [1], 'her second one is still open')
  await acknowledge(last, 'ann', 2)
  await untilUsers(nodes, 0)
  t.same(await metric(nodes, 'unacknowledged_seconds'), [0])
  await alert(last, 'bob')
  await untilUsers(nodes, 1)
}

test('the metrics count users who do not acknowledge in time, with a log in memory', async t => {
  await judge(t, [await startServer(t, { ACK_ALERT_SECONDS: 1, LOG_SHARDS: 2 })])
})

test('one of several servers counts them, and another if that one goes', {
  skip: redisProgram === undefined ? 'there is no Redis' : false
}, async t => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const shared = { REDIS_URL: redis.url, LOG_SHARDS: 2, ACK_ALERT_SECONDS: 1 }
  const nodes = [await startServer(t, shared), await startServer(t, shared)]
  await judge(t, nodes)
  const counts = await Promise.all(nodes.map(async node => (await metric([node], 'unacknowledged_users')).length))
  const at = counts.indexOf(1)
  await nodes[at]!.app.close()
  await untilUsers([nodes[1 - at]!], 1)
})

test('ACK_ALERT_SECONDS=0 lets nobody look', async t => {
  const node = await startServer(t, { ACK_ALERT_SECONDS: 0 })
  await alert(node, 'ann')
  t.same(await metric([node], 'unacknowledged_users'), [])
  t.notOk(node.parts.sources.status().some(({ name }) => name === 'overdue-acknowledgements'))
})
