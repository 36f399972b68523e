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

/** Sends a request with any header; fetch would set Host itself. */
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

const settings = async (server: TestServer): Promise<unknown> =>
  JSON.parse((await get(server, '/page/settings.json')).body)

test('serves all that the pages refer to, under a strict policy', async t => {
  const server = await startServer(t)
  const seen = new Set<string>()
  const queue = ['/', '/monitor', '/console', '/compare']
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    if (seen.has(path)) continue
    seen.add(path)
    const { status, headers, body } = await get(server, path)
    t.equal(status, 200, path)
    t.match(headers['content-security-policy'], /^default-src 'self';/)
    const isOwnCode = !path.startsWith('/assets/')
    const external = /https?:\/\/(?!www\.w3\.org\/2000\/svg|stream\.example)|\son\w+=|<style|<script>|style="/
    if (isOwnCode) t.notMatch(body, external, `${path}: nothing from elsewhere, nothing inline`)
    const pattern = path.endsWith('.js')
      ? /(?:from ?|import ?)["'](\.[^"']+)["']/g
      : headers['content-type']?.includes('html') === true ? /(?:href|src)="([^"]+)"/g : undefined
    for (const [, reference] of pattern === undefined ? [] : body.matchAll(pattern)) {
      const { pathname } = new URL(reference!, `http://x${path}`)
      if (!pathname.startsWith('/docs/')) queue.push(pathname)
    }
  }
  t.ok(seen.has('/page/client.js'))
  t.ok([...seen].filter(path => path.startsWith('/assets/')).length > 3)
  t.equal((await get(server, '/page/page.ts')).status, 404)
  t.equal((await get(server, '/page/..%2fpage.ts')).status, 404)
  t.equal((await get(server, '/assets/..%2findex.html')).status, 404)
  t.equal((await fetch(server.origin, { method: 'POST' })).status, 404)
})

test('serves parts of pages compressed, for good, and under names that change with them', async t => {
  const server = await startServer(t)
  const [, script] = /src="\.(\/assets\/[^"]+)"/.exec((await get(server, '/')).body)!
  const shared = /from ?["'](\.\/[^"']+\.js)["']/.exec((await get(server, script!)).body)![1]!
  for (const coding of ['br', 'gzip']) {
    const { headers } = await get(server, new URL(shared, `http://x${script!}`).pathname, { 'accept-encoding': coding })
    t.equal(headers['content-encoding'], coding)
    t.equal(headers['cache-control'], 'public, max-age=31536000, immutable')
    t.match(headers['vary'], /accept-encoding/i)
  }
  t.equal((await get(server, '/')).headers['cache-control'], 'no-cache')
})

test('says in the settings whether a token is needed, and lets no cache keep them', async t => {
  t.same(await settings(await startServer(t, { AUTH: 'required' })), {
    authentication_required: true,
    admin_links: false,
    reference: true
  })
  const open = await startServer(t)
  t.same(await settings(open), { authentication_required: false, admin_links: false, reference: true })
  t.equal((await get(open, '/page/settings.json')).headers['cache-control'], 'no-store')
})

test('serves the page at the folder of a prefix, so that its relative URLs hold', async t => {
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  await app.register(tickwire, { prefix: '/some/where', routes: ['page'] })
  const moved = await app.inject('/some/where?a=1')
  t.equal(moved.statusCode, 302)
  t.equal(
    new URL(moved.headers.location!, 'http://localhost/some/where?a=1').href,
    'http://localhost/some/where/?a=1'
  )
  t.match((await app.inject('/some/where/')).body, /<title>/)
  t.equal((await app.inject('/some/where/page/page.js')).statusCode, 200)
  t.equal((await app.inject('/some/where/monitor')).statusCode, 200)
  t.same((await app.inject('/some/where/page/settings.json')).json(), {
    authentication_required: false,
    admin_links: false,
    reference: false
  })
})
