import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { WebSocket } from 'ws'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { startServer, type TestServer } from '../helpers/server.js'

/** Requests a second, of a user or an address, over all nodes. */

const LIMIT = 5
/** So many that, however long they take, they lie in two windows, or in a few more on a busy machine. */
const MANY = 40

interface Told {
  readonly status: number
  readonly retryAfter: string | null | undefined
  readonly body: string
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

async function ask (server: TestServer, path: string, headers: Record<string, string> = {}): Promise<Told> {
  const answer = await fetch(`${server.origin}${path}`, { headers })
  return { status: answer.status, retryAfter: answer.headers.get('retry-after'), body: await answer.text() }
}

/** Asks for an upgrade. Returns 101, or the refusal. */
async function upgrade (server: TestServer, headers: Record<string, string>): Promise<Told> {
  const socket = new WebSocket(`${server.origin.replace('http', 'ws')}/v1/stream`, { headers })
  socket.on('error', () => {})
  const told = await Promise.race([
    once(socket, 'open').then(() => ({ status: 101, retryAfter: undefined, body: '' })),
    once(socket, 'unexpected-response').then(async happened => {
      const [, response] = happened as [unknown, IncomingMessage]
      let body = ''
      for await (const chunk of response) body += String(chunk)
      return { status: response.statusCode!, retryAfter: response.headers['retry-after'], body }
    })
  ])
  socket.terminate()
  return told
}

const statuses = (told: readonly Told[]): number[] => [...new Set(told.map(({ status }) => status))].sort()
const withStatus = (told: readonly Told[], status: number): Told[] =>
  told.filter(one => one.status === status)

test('limits the requests of a user, whatever they ask for, except health and metrics', async t => {
  const server = await startServer(t, { RATE_LIMIT_REQUESTS: LIMIT, ALLOWED_ORIGINS: 'https://app.example' })
  const alice = bearer(server.token())
  const asked = await Promise.all(Array.from({ length: MANY }, (_, n) => [
    () => ask(server, '/v1/symbols', alice),
    () => ask(server, '/v1/stream?subscribe=news', alice),
    () => upgrade(server, alice),
    () => ask(server, '/v1/history?topic=news', alice)
  ][n % 4]!()))
  t.same(statuses(asked), [101, 200, 404, 429])
  const refused = withStatus(asked, 429)
  t.ok(refused.length >= MANY / 2, `${refused.length} of ${MANY} refused`)
  for (const { retryAfter, body } of refused) {
    t.equal(retryAfter, '1')
    const { retry_after_ms: wait, ...rest } = JSON.parse(body) as { retry_after_ms: number }
    t.ok(wait >= 1 && wait <= 1000)
    const message = 'at most 5 requests a second are answered for a user, or for an address without one'
    t.same(rest, { type: 'error', code: 'rate_limited', message })
  }
  const metrics = await ask(server, '/metrics')
  t.match(metrics.body, /tickwire_refusals_total\{transport="poll",code="rate_limited"\} \d/)

  const others = await Promise.all([
    ask(server, '/v1/symbols', bearer(server.token({ sub: 'bob' }))), ask(server, '/v1/symbols')
  ])
  t.same(statuses(others), [200], 'others at the same address have their own limit')
  for (const path of ['/healthz', '/readyz', '/metrics']) {
    t.same(statuses(await Promise.all(Array.from({ length: MANY }, () => ask(server, path)))), [200], path)
  }

  const page = { origin: 'https://app.example' }
  const answers = await Promise.all(
    Array.from({ length: MANY }, () => fetch(`${server.origin}/v1/symbols`, { headers: page }))
  )
  const tooMany = answers.find(({ status }) => status === 429)
  t.equal(
    tooMany?.headers.get('access-control-allow-origin'),
    'https://app.example',
    'a page can read that it asks too often'
  )
  t.match(tooMany?.headers.get('access-control-expose-headers'), /Retry-After/)
  t.equal(tooMany?.headers.get('cache-control'), 'no-store')
  t.equal([...tooMany!.headers.keys()].some(name => name.startsWith('x-ratelimit')), false)

  await delay(JSON.parse(refused[0]!.body).retry_after_ms)
  t.same(
    statuses([await ask(server, '/v1/symbols', alice)]),
    [200],
    'it is answered again when the time is over'
  )
})

test('counts bad credentials for their address, even where they open nothing', async t => {
  const server = await startServer(t, { RATE_LIMIT_REQUESTS: LIMIT })
  for (const [what, path] of [
    ['a stream', '/v1/stream?subscribe=news'],
    ['an operator', '/v1/admin/disconnect']
  ] as const) {
    await delay(1000)
    const told = await Promise.all(Array.from({ length: MANY }, async (_, n) => {
      const answer = await fetch(`${server.origin}${path}`, {
        method: what === 'an operator' ? 'POST' : 'GET',
        headers: bearer(`a.b.${n}`)
      })
      return { status: answer.status, retryAfter: null, body: await answer.text() }
    }))
    t.same(statuses(told), [401, 429], what)
    t.ok(withStatus(told, 429).length >= MANY / 2, `${what}: ${withStatus(told, 429).length} of ${MANY}`)
    t.equal(
      (await ask(server, '/v1/symbols', bearer(server.token()))).status,
      200,
      'a user there has a limit of their own'
    )
  }
})

test('counts over two nodes together; without Redis each counts alone, and reading goes on', {
  skip: redisProgram === undefined ? 'there is no Redis' : false
}, async t => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const config = { REDIS_URL: redis.url, RATE_LIMIT_REQUESTS: LIMIT }
  const nodes = [await startServer(t, config), await startServer(t, config)]
  const alice = bearer(nodes[0]!.token())
  const flood = async (): Promise<Told[]> =>
    await Promise.all(Array.from({ length: MANY }, (_, n) => ask(nodes[n % 2]!, '/v1/symbols', alice)))
  const together = await flood()
  t.same(statuses(together), [200, 429])
  const granted = withStatus(together, 200).length
  t.ok(granted >= LIMIT && granted <= 2 * LIMIT, `${granted} granted: one window, or two, of both nodes`)
  await redis.kill()
  await delay(1000)
  const alone = await flood()
  t.same(statuses(alone), [200, 429], 'it is answered, and limited')
  t.ok(withStatus(alone, 200).length >= 2 * LIMIT, 'by each node')
})

test('counts requests with bad credentials by their address at every endpoint', async t => {
  const wrong = bearer('no.such.token')
  const asking: ReadonlyArray<readonly [path: string, init: RequestInit]> = [
    ['/v1/publish', { method: 'POST', body: '[]', headers: { 'content-type': 'application/json' } }],
    ['/v1/publish', { method: 'POST', body: 'x', headers: { 'content-type': 'text/plain' } }],
    ['/v1/admin/nodes', {}],
    ['/v1/admin/disconnect', { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }],
    ['/v1/admin/sources/x/start', { method: 'POST' }],
    ['/v1/history?topic=news', {}],
    ['/v1/snapshot?topic=quotes:A', {}],
    ['/v1/symbols', {}],
    ['/v1/stream?subscribe=news', {}],
    ['/api/ws/token', {}]
  ]
  for (const [path, init] of asking) {
    for (const headers of [wrong, {}]) {
      const server = await startServer(t, { RATE_LIMIT_REQUESTS: LIMIT })
      const answers = await Promise.all(Array.from({ length: MANY }, async () => {
        const answer = await fetch(`${server.origin}${path}`, {
          ...init,
          headers: { ...init.headers, ...headers }
        })
        await answer.arrayBuffer()
        return answer.status
      }))
      const refused = answers.filter(status => status === 429).length
      t.ok(
        refused >= MANY / 2,
        `${init.method ?? 'GET'} ${path} ${Object.keys(headers).join()}: ${refused} of ${MANY}`
      )
    }
  }
})
