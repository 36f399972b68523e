import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { COMMAND } from '../helpers/command.js'
import { blocksOf } from '../helpers/docs.js'
import { freePort } from '../helpers/free-port.js'
import { serving } from '../helpers/nginx.js'
import { ROOT } from '../helpers/root.js'
import { startServer } from '../helpers/server.js'

const program = process.env['TEST_NGINX']
const needsNginx = { skip: program === undefined ? 'there is no nginx' : false, timeout: 200_000 } as const

/** The lines of docs/deployment for the servers, the configuration and nginx. */
const lines = blocksOf('docs/deployment/several-nodes.md', 'nginx without Docker', 'sh')
  .join('\n')
  .split('\n')
const lineOf = (words: string): string =>
  lines.find(line => line.includes(words)) ?? `echo the page has no line with ${words}; exit 1`

/**
 * Follows the page, except for ports and for where nginx writes. @param limit on open files, as a shell has
 * it: many have 1024
 */
async function followPage (t: Test, servers: readonly [string, string], limit: number): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'tickwire-local-'))
  chmodSync(folder, 0o755)
  const file = join(folder, 'nginx.conf')
  const local = (line: string): string => line
    .replaceAll('/tmp/tickwire-nginx.conf', file)
    .replaceAll('/tmp/tickwire-tls', join(folder, 'tls'))
    .replace('npx tickwire', `${process.execPath} ${COMMAND}`)
    .replace('127.0.0.1:8081', new URL(servers[0]).host)
    .replace('127.0.0.1:8082', new URL(servers[1]).host)
  execFileSync(
    'bash',
    ['-euc', [lineOf('tickwire certificate'), lineOf('deploy/nginx.conf')].map(local).join('\n')],
    { cwd: ROOT }
  )
  const [port, securePort] = [await freePort(), await freePort()]
  // Not every machine allows as many files. It matters only that nginx asks for more than the shell has.
  const settings = readFileSync(file, 'utf8')
    .replace('worker_rlimit_nofile 65536;', 'worker_rlimit_nofile 4096;')
    .replace('listen 8080 ', `listen 127.0.0.1:${port} `)
    .replace('listen 8443 ', `listen 127.0.0.1:${securePort} `)
    .replaceAll(/ \/tmp\/(?!tickwire-local-)/g, ` ${folder}/`)
    .replace('/dev/stdout', join(folder, 'access.log'))
    .replace('/dev/stderr', join(folder, 'process.log'))
  writeFileSync(file, settings)
  const command = local(lineOf('nginx -')).replace(/^nginx/, program!)
  const child = spawn('bash', ['-euc', `ulimit -Sn ${limit}; exec ${command}`], { stdio: 'ignore' })
  return await serving(t, child, folder, `http://127.0.0.1:${port}`)
}

test('the lines for nginx without Docker balance two servers, with as many streams as they take', needsNginx, async t => {
  const servers = [
    await startServer(t, { TRUST_PROXY: 'loopback' }),
    await startServer(t, { TRUST_PROXY: 'loopback' })
  ] as const
  const limit = 128
  const origin = await followPage(t, [servers[0].origin, servers[1].origin], limit)
  const statuses = await Promise.all(Array.from({ length: 2 * limit }, async () => {
    const sent = request(`${origin}/v1/stream?subscribe=quotes:A`, {
      agent: false,
      headers: { accept: 'text/event-stream' }
    })
    t.teardown(() => { sent.destroy() })
    return await new Promise<number | string>(resolve => {
      sent
        .on('response', ({ statusCode }: IncomingMessage) => {
          resolve(statusCode!)
        })
        .on('error', error => {
          resolve(error.message)
        })
        .end()
    })
  }))
  t.same([...new Set(statuses)], [200], 'more than the limit of a shell allows')
  for (const { parts } of servers) {
    t.ok(parts.connections.active > 0, `${parts.connections.active} are on one of them`)
  }
})

test('the servers of these lines trust nginx', async t => {
  t.match(lines.join('\n'), /TRUST_PROXY=loopback/)
  for (const port of ['8081', '8082']) {
    t.match(lines.join('\n'), new RegExp(`npx tickwire start --port ${port} &`))
  }
})
