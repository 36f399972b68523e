import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import { type Test, test } from 'tap'
import { type Config } from '../../src/config.js'
import { tickwire } from '../../src/tickwire.js'
import { until } from '../helpers/clients.js'
import { type Running, startCommand } from '../helpers/command.js'
import { freePort } from '../helpers/free-port.js'
import { serving } from '../helpers/nginx.js'
import { keyPair } from '../helpers/jwt.js'
import { SECRET, startServer, type TestServer } from '../helpers/server.js'

const program = process.env['TEST_NGINX']
const needsNginx = { skip: program === undefined ? 'there is no nginx' : false } as const

/** Starts an nginx with one line, `proxy_pass`, and no header. */
async function startBareProxy (t: Test, upstream: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'tickwire-bare-'))
  chmodSync(folder, 0o755)
  const port = await freePort()
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map(name => `${name}_temp_path ${folder}/${name};`)
    .join(' ')
  writeFileSync(
    join(folder, 'nginx.conf'),
    `
    pid ${folder}/pid;
    events {}
    http { access_log off; ${temp} server { listen 127.0.0.1:${port}; location / { proxy_pass ${upstream}; } } }
  `
  )
  const child: ChildProcess = spawn(
    program!,
    ['-e', 'stderr', '-c', join(folder, 'nginx.conf'), '-g', 'daemon off;'],
    { stdio: 'ignore' }
  )
  return await serving(t, child, folder, `http://127.0.0.1:${port}`)
}

/** Starts a server, and collects the links that it shows its operator. */
async function startWithLinks (
  t: Test,
  overrides: Partial<Config> = {}
): Promise<{ server: TestServer, links: string[] }> {
  const links: string[] = []
  const server = await startServer(t, overrides, {
    adminLink: path => {
      links.push(path)
    }
  })
  return { server, links }
}

const codeOf = (link: string): string => /#code=([\w-]+)$/.exec(link)![1]!

interface Given {
  readonly status: number
  readonly headers: Headers
  readonly answer: {
    readonly admin_token: string
    readonly expires_in: number
    readonly code?: string
    readonly retry_after_ms?: number
  }
}

async function post (
  origin: string,
  path: string,
  { body, headers = {} }: { body?: unknown, headers?: Record<string, string> } = {}
): Promise<Given> {
  const response = await fetch(`${origin}${path}`, {
    method: 'POST',
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, answer: text === '' ? {} : JSON.parse(text) }
}

const exchange = (origin: string, code: string): Promise<Given> =>
  post(origin, '/page/admin-token', { body: { code } })
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

/** Tries what only an operator may do. 404 is the answer to an operator. */
const asOperator = async (origin: string, token: string): Promise<number> =>
  (await post(origin, '/v1/admin/disconnect', { headers: bearer(token), body: { connection_id: 'nobody' } }))
    .status

const claimsOf = (token: string): { sub: string, exp: number, iat: number } =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())

test('gives no token to a stranger behind a bare proxy_pass, nor to a browser on this machine', needsNginx, async t => {
  const { server, links } = await startWithLinks(t)
  for (const origin of [await startBareProxy(t, server.origin), server.origin]) {
    for (const path of ['/', '/page/settings.json', '/page/page.js']) {
      const secret = new RegExp(`eyJ|${codeOf(links[0]!)}`)
      t.notMatch(await (await fetch(origin + path)).text(), secret, `${origin}${path}`)
    }
    t.equal((await post(origin, '/page/admin-token', { body: { code: '' } })).status, 401)
    t.equal((await post(origin, '/page/admin-token/renew')).status, 401)
  }
})

test("exchanges a link's code once, for a token that makes an operator and ends soon", async t => {
  const { server: { origin }, links } = await startWithLinks(t)
  t.equal(links.length, 1, 'a link is shown once the server listens')
  t.match(links[0], /^\/#code=[\w-]{43}$/, '256 bits, in the fragment, which no browser sends anywhere')
  const given = await exchange(origin, codeOf(links[0]!))
  t.match(given, { status: 200, answer: { expires_in: 600 } })
  t.equal(given.headers.get('cache-control'), 'no-store')
  t.equal(await asOperator(origin, given.answer.admin_token), 404)
  const { sub, exp, iat } = claimsOf(given.answer.admin_token)
  t.match(sub, /^page-[0-9a-f]{16}$/, 'the audit can tell one browser from another')
  t.equal(exp - iat, 600)

  t.match(
    await exchange(origin, codeOf(links[0]!)),
    { status: 401, answer: { code: 'unauthorized' } },
    'the code is spent'
  )
})

test('gives one of many who bring a code at once a token', async t => {
  const { server: { origin }, links } = await startWithLinks(t)
  const answers = await Promise.all(
    Array.from({ length: 10 }, async () => await exchange(origin, codeOf(links[0]!)))
  )
  t.same(answers.map(({ status }) => status).sort(), [200, ...Array<number>(9).fill(401)])
})

test("renews the page's own token, and prolongs no other", async t => {
  const { server, links } = await startWithLinks(t)
  const { origin } = server
  const renew = async (token: string): Promise<Given> =>
    await post(origin, '/page/admin-token/renew', { headers: bearer(token) })
  const first = (await exchange(origin, codeOf(links[0]!))).answer.admin_token
  const { status, answer } = await renew(first)
  t.equal(status, 200)
  t.equal(claimsOf(answer.admin_token).sub, claimsOf(first).sub)
  t.equal(await asOperator(origin, answer.admin_token), 404)
  t.equal(
    (await renew(server.token({ sub: 'operator', admin: true }))).status,
    403,
    "an operator's own token"
  )
  t.equal(
    (await renew(server.token({ sub: claimsOf(first).sub }))).status,
    403,
    'the token of a user who took that name'
  )
})

test('lets the page make the terminal show a link, at most one in ten seconds for everybody', async t => {
  const { server: { origin }, links } = await startWithLinks(t)
  const { status, answer } = await post(origin, '/page/admin-link')
  t.equal(status, 429)
  t.match(answer, { code: 'rate_limited' })
  t.ok(answer.retry_after_ms! > 0 && answer.retry_after_ms! <= 10_000)
  t.equal(links.length, 1)
})

test('lets pages of other origins ask for nothing, and read nothing', async t => {
  const { server: { origin }, links } = await startWithLinks(t)
  for (const path of ['/page/admin-token', '/page/admin-token/renew', '/page/admin-link']) {
    t.equal(
      (await post(origin, path, { headers: { origin: 'https://evil.example' }, body: {} })).status,
      403,
      path
    )
  }
  const { server: open, links: shown } = await startWithLinks(t, { ALLOWED_ORIGINS: '*' })
  const read = await post(open.origin, '/page/admin-token', {
    headers: { origin: 'https://app.example' },
    body: { code: codeOf(shown[0]!) }
  })
  t.equal(read.status, 200)
  t.equal(read.headers.get('access-control-allow-origin'), null, 'whatever is listed')
  t.equal((await exchange(origin, codeOf(links[0]!))).status, 200)
})

test('refuses a malformed code as the protocol says', async t => {
  const { server: { origin } } = await startWithLinks(t)
  for (const body of [{}, { code: 7 }, { code: null }, [], { code: 'x'.repeat(129) }, { code: 'x', more: 1 }]) {
    t.match(
      await post(origin, '/page/admin-token', { body }),
      { status: 400, answer: { code: 'invalid_message' } },
      JSON.stringify(body).slice(0, 40)
    )
  }
  t.match(await post(origin, '/page/admin-token', { body: { code: 'x'.repeat(2000) } }), {
    status: 413,
    answer: { code: 'message_too_big' }
  })
})

test('takes a code at the server that showed it only', async t => {
  const [one, other] = [await startWithLinks(t), await startWithLinks(t)]
  t.equal((await exchange(other.server.origin, codeOf(one.links[0]!))).status, 401)
  t.equal((await exchange(one.server.origin, codeOf(one.links[0]!))).status, 200)
})

test('shows no link in production, nor if it cannot sign', async t => {
  for (const overrides of [{ NODE_ENV: 'production' }, { JWT_PUBLIC_KEY: keyPair('ES256').pem }] as const) {
    const { server: { origin }, links } = await startWithLinks(t, overrides)
    t.same(links, [])
    t.equal((await post(origin, '/page/admin-token', { body: { code: '' } })).status, 404)
    t.equal((await post(origin, '/page/admin-link')).status, 404)
  }
})

test('has no links as a plugin unless asked for them', async t => {
  const silent = Fastify()
  t.teardown(async () => { await silent.close() })
  await silent.register(tickwire, { prefix: '/live', routes: ['page'], settings: { JWT_SECRET: SECRET } })
  t.equal((await silent.inject({ method: 'POST', url: '/live/page/admin-link' })).statusCode, 404)

  const links: string[] = []
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  await app.register(tickwire, {
    prefix: '/live',
    routes: ['page', 'admin'],
    settings: { JWT_SECRET: SECRET },
    adminLink: path => {
      links.push(path)
    }
  })
  const origin = await app.listen()
  t.match(links[0], /^\/live\/#code=/)
  const { answer } = await post(origin, '/live/page/admin-token', { body: { code: codeOf(links[0]!) } })
  t.equal(await asOperator(`${origin}/live`, answer.admin_token), 404)
})

test("shows a link in the command's terminal, apart from its log, and none in production", async t => {
  const started = (env: Record<string, string>): Running =>
    startCommand(['start', '--port', '0', '--sources', 'none'], env)
  const server = started({ LOG_LEVEL: 'trace' })
  t.teardown(() => { server.child.kill('SIGKILL') })
  await until('it shows a link', () => server.errors.some(line => line.includes('#code=')))
  const link = server.errors.map(line => line.trim()).find(line => line.includes('#code='))!
  const { origin } = new URL(link)
  t.ok(
    server.lines.some(line => line.includes(`listens on ${origin}`)),
    'it leads to where the server listens'
  )
  t.equal((await exchange(origin, codeOf(link))).status, 200)
  server.child.kill('SIGTERM')
  const { out, err } = await server.finished
  t.notMatch(out, codeOf(link))
  t.match(
    out,
    /"event":"admin".*"user":"page-[0-9a-f]{16}".*"route":"\/page\/admin-token"/,
    'the audit says that somebody took it'
  )
  t.equal(err.split(codeOf(link)).length, 2, 'it is shown once')

  const production = started({ NODE_ENV: 'production', JWT_SECRET: 'x'.repeat(32) })
  t.teardown(() => { production.child.kill('SIGKILL') })
  await until('the server listens', () => production.lines.some(line => line.includes('listens on')))
  production.child.kill('SIGTERM')
  t.notMatch((await production.finished).err, 'code')
})
