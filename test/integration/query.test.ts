import { type Test, test } from 'tap'
import { RawHttp } from '../helpers/raw-http.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'

/** Everything in a URL counts, or the server refuses the request; it ignores nothing. */

const HANDSHAKE = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
const STREAM = 'Accept: text/event-stream\r\n'

async function ask (
  t: Test,
  server: TestServer,
  line: string,
  headers: string
): Promise<{ status: number, code: unknown }> {
  const client = new RawHttp(Number(new URL(server.origin).port))
  const answer = await client.send(`${line} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`, 5000, () => true)
  client.close()
  if (typeof answer === 'string') {
    t.fail(`${line}: ${answer}`)
    return { status: 0, code: answer }
  }
  const body = answer.body.toString()
  return {
    status: answer.status,
    code: body.startsWith('{"type":"error"') ? (JSON.parse(body) as { code: string }).code : undefined
  }
}

async function start (t: Test): Promise<{ server: TestServer, bearer: string }> {
  const server = await startServer(t)
  await publish(server.app, 'trades', 'A', {
    symbol: 'A',
    price: '1',
    size: '1',
    timestamp: '2026-01-01T00:00:00Z'
  })
  await publish(server.app, 'quotes', 'A', { symbol: 'A', bid: '1' })
  return { server, bearer: `Authorization: Bearer ${server.token({ admin: true })}\r\n` }
}

/** Requests that are answered. With a second `?` or a fragment after them they are refused. */
const queries: ReadonlyArray<readonly [line: string, headers?: string]> = [
  ['GET /v1/stream?subscribe=quotes:A'],
  ['GET /v1/stream?subscribe=quotes:A', STREAM],
  ['GET /v1/stream?subscribe=quotes:A', HANDSHAKE],
  ['GET /v1/stream', HANDSHAKE],
  ['GET /v1/history?topic=trades:A'],
  ['GET /v1/snapshot?topic=quotes:A'],
  ['GET /v1/symbols?market=KOSPI'],
  ['GET /v1/symbols'],
  ['GET /api/ws/token?cookie=1'],
  ['GET /api/ws/token'],
  ['DELETE /api/ws/token'],
  ['POST /v1/publish', 'Content-Type: application/json\r\nContent-Length: 2\r\n'],
  ['GET /v1/admin/nodes'],
  ['GET /v1/admin/connections?limit=5'],
  ['GET /v1/admin/connections']
]

test('refuses a request with a second question mark or a fragment at every endpoint', async t => {
  const { server, bearer } = await start(t)
  for (const [line, headers = ''] of queries) {
    const name = `${line} ${headers.split(':')[0]}`
    if (!line.startsWith('POST')) {
      t.equal((await ask(t, server, line, headers + bearer)).code, undefined, `${name}: as it should be`)
    }
    const [, query] = line.split('?', 2)
    const more = query === undefined
      ? ['?after=7?limit=nonsense', '??after=7', '#after=7', '#?cookie=1']
      : ['?after=7', '?', '??', '#after=7', '#', '#?after=7']
    for (const rest of more) {
      const refused = { status: 400, code: 'bad_request' }
      t.same(await ask(t, server, line + rest, headers + bearer), refused, `${name}: ${rest}`)
    }
    if (query !== undefined) {
      const answer = await ask(t, server, line.replace('?', '#x?'), headers + bearer)
      t.same(answer, { status: 400, code: 'bad_request' }, `${name}: a fragment before it`)
    }
  }
  t.equal(server.parts.connections.active, 0)
})

test('takes an escaped question mark as part of a value', async t => {
  const { server, bearer } = await start(t)
  t.same(await ask(t, server, 'GET /v1/stream?subscribe=quotes:A&token=a%3Fb', ''), {
    status: 401,
    code: 'unauthorized'
  })
  t.equal((await ask(t, server, 'GET /v1/symbols?market=%3F', bearer)).status, 200)
})

test('refuses parameters at an endpoint that takes none', async t => {
  const { server, bearer } = await start(t)
  const json = `${bearer}Content-Type: application/json\r\nContent-Length: 2\r\n`
  for (const [line, headers] of [
    ['POST /v1/publish?channel=news', json],
    ['GET /v1/admin/nodes?shard=1', bearer],
    ['POST /v1/admin/sources/x/start?speed=2', bearer],
    ['POST /v1/admin/sources/x/stop?at=once', bearer],
    ['POST /v1/admin/disconnect?user_id=alice', json],
    ['DELETE /api/ws/token?cookie=1', '']
  ] as const) t.same(await ask(t, server, line, headers), { status: 400, code: 'bad_request' }, line)
})

test('ignores parameters of probes and pages', async t => {
  const { server } = await start(t)
  for (const path of ['/healthz', '/readyz', '/metrics', '/', '/page/page.js']) {
    t.equal((await fetch(`${server.origin}${path}?v=1`)).status, 200, path)
  }
})
