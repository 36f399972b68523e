import { request } from 'node:http'
import Fastify from 'fastify'
import { test } from 'tap'
import { tickwire } from '../../src/tickwire.js'
import { startServer, type TestServer } from '../helpers/server.js'

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** fetch would set Host itself. */
async function get (server: TestServer, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    request(`${server.origin}${path}`, { headers, agent: false }, response => {
      let body = ''
      response.setEncoding('utf8').on('data', chunk => { body += chunk }).on('end', () => {
        resolve({ status: response.statusCode!, headers: response.headers, body })
      })
    }).on('error', reject).end()
  })
}

const settings = async (server: TestServer, headers: Record<string, string> = {}): Promise<{ authentication_required: boolean, admin_token?: string }> =>
  JSON.parse((await get(server, '/page/settings.json', headers)).body)

test('all that the page refers to is there, under a strict policy', async t => {
  const server = await startServer(t)
  const seen = new Set<string>()
  const queue = ['/']
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    if (seen.has(path)) continue
    seen.add(path)
    const { status, headers, body } = await get(server, path)
    t.equal(status, 200, path)
    t.match(headers['content-security-policy'], /^default-src 'self';/)
    t.notMatch(body, /https?:\/\/(?!www\.w3\.org\/2000\/svg)|\son\w+=|<style|<script>|style="/, `${path}: nothing from elsewhere, nothing inline`)
    const references = path.endsWith('.js') ? body.matchAll(/from '(\.[^']+)'/g) : path === '/' ? body.matchAll(/(?:href|src)="([^"]+)"/g) : []
    for (const [, reference] of references) queue.push(new URL(reference!, `http://x${path}`).pathname)
  }
  t.ok(seen.has('/page/streams/event-source.js'))
  t.equal((await get(server, '/page/page.ts')).status, 404)
  t.equal((await get(server, '/page/..%2fpage.ts')).status, 404)
  t.equal((await fetch(server.origin, { method: 'POST' })).status, 404)
})

test("an admin token is given to this machine's own page only", async t => {
  const server = await startServer(t)
  const port = new URL(server.origin).port
  const { admin_token: token } = await settings(server)
  const asked = await fetch(`${server.origin}/v1/admin/disconnect`, {
    method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: '{"connection_id":"nobody"}'
  })
  t.equal(asked.status, 404, 'it lets its bearer ask')
  const { exp } = JSON.parse(Buffer.from(token!.split('.')[1]!, 'base64url').toString()) as { exp: number }
  t.ok(exp * 1000 - Date.now() <= 60_000, 'and is short-lived')
  for (const host of ['localhost', `localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]) {
    t.ok((await settings(server, { host })).admin_token, host)
  }
  for (const host of ['evil.example', `evil.example:${port}`, 'localhost.evil.example', '127.0.0.1.evil.example', `192.168.0.7:${port}`]) {
    t.notOk((await settings(server, { host })).admin_token, `${host}: a name that was made to point here`)
  }
  for (const name of ['Forwarded', 'Via', 'X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Real-IP']) {
    t.notOk((await settings(server, { [name]: '127.0.0.1' })).admin_token, `${name}: it came through a proxy`)
  }
  t.notOk((await settings(server, { 'sec-fetch-site': 'cross-site' })).admin_token)
  t.notOk((await settings(server, { 'sec-fetch-site': 'same-site' })).admin_token)
  t.ok((await settings(server, { 'sec-fetch-site': 'same-origin' })).admin_token)
})

test('no page of another origin may read the settings, whatever ALLOWED_ORIGINS lists', async t => {
  const server = await startServer(t, { ALLOWED_ORIGINS: '*' })
  const { headers } = await get(server, '/page/settings.json', { origin: 'https://app.example' })
  t.equal(headers['access-control-allow-origin'], undefined)
  t.equal(headers['cache-control'], 'no-store')
  t.equal(headers['cross-origin-resource-policy'], 'same-origin')
  t.equal((await get(server, '/v1/symbols', { origin: 'https://app.example' })).headers['access-control-allow-origin'], 'https://app.example', 'where the others may be read')
})

test('production gives no token, and says that one is needed', async t => {
  const server = await startServer(t, { NODE_ENV: 'production', AUTH: 'required' })
  t.same(await settings(server), { authentication_required: true })
  const open = await startServer(t, { NODE_ENV: 'production', AUTH: 'optional' })
  t.same(await settings(open), { authentication_required: false })
})

test('under a prefix: the page is at the folder, so that its relative URLs hold', async t => {
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  await app.register(tickwire, { prefix: '/some/where', routes: ['page'] })
  const moved = await app.inject('/some/where?a=1')
  t.equal(moved.statusCode, 302)
  t.equal(new URL(moved.headers.location!, 'http://localhost/some/where?a=1').href, 'http://localhost/some/where/?a=1')
  t.match((await app.inject('/some/where/')).body, /<title>/)
  t.equal((await app.inject('/some/where/page/page.js')).statusCode, 200)
  t.ok((await app.inject({ url: '/some/where/page/settings.json', headers: { host: 'localhost' } })).json().admin_token)
})
