import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { parse } from 'yaml'
import { CertificateFiles, makeCertificate } from './certificate.js'
import { until } from './clients.js'
import { freePort } from './free-port.js'
import { ROOT } from './root.js'

interface Services {
  readonly nginx: { readonly volumes: string[] }
  readonly redis: { readonly command: string[] }
}
const compose = (): Services => (parse(readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8'), { merge: true }) as { services: Services }).services

/** With what docker compose starts Redis. */
export function redisOptions (): string[] {
  const [program, ...options] = compose().redis.command
  if (program !== 'redis-server') throw new Error(`docker-compose.yml starts ${program} as Redis`)
  return options
}

/** Where docker compose puts the configuration that nginx reads. */
const MOUNTED_AT = ':/etc/nginx/nginx.conf:ro'

export interface Nginx {
  readonly origin: string
  /** The same over TLS, and so over HTTP/2 for those who can. */
  readonly secureOrigin: string
  /** Reads its configuration anew, as on SIGHUP; new workers take over. */
  reload (): Promise<void>
  /** Ends it at once, with all connections. */
  stop (): Promise<void>
  start (): Promise<void>
  /** All that it has written to its logs. */
  logs (): string
}

/**
 * Starts the nginx of docker-compose.yml, with its own configuration, in front of one server or two, on a
 * port of its own.
 */
export async function startNginx (
  t: Test,
  program: string,
  ...servers: [string] | [string, string]
): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'tickwire-nginx-'))
  // Its workers run as another user than root.
  chmodSync(folder, 0o755)
  const [port, securePort] = [await freePort(), await freePort()]
  const configuration = join(folder, 'nginx.conf')
  writeFileSync(configuration, localConfiguration(folder, port, securePort, new CertificateFiles(t, makeCertificate('nginx')), servers.map(server => new URL(server).host)))
  const logs = (): string => logsOf(folder)
  const counted = (line: string): number => logs().split(line).length - 1

  let running: ChildProcess | undefined
  let ended: Promise<void> = Promise.resolve()

  const start = async (): Promise<void> => {
    const before = counted('start worker processes')
    const output = openSync(join(folder, 'output.log'), 'a')
    const child = spawn(program, ['-e', 'stderr', '-c', configuration, '-g', 'daemon off;'], { stdio: ['ignore', output, output] })
    closeSync(output)
    running = child
    ended = new Promise(resolve => { child.on('close', () => { resolve() }) })
    await new Promise<void>((resolve, reject) => child.on('spawn', resolve).on('error', reject))
    await until('nginx listens', () => {
      if (child.exitCode !== null) throw new Error(`nginx ended: ${logs()}`)
      return counted('start worker processes') > before
    })
  }
  const stop = async (): Promise<void> => {
    running?.kill('SIGTERM')
    await ended
  }
  const reload = async (): Promise<void> => {
    const before = counted('gracefully shutting down')
    running?.kill('SIGHUP')
    await until('the old workers of nginx take no more', () => counted('gracefully shutting down') > before)
  }

  t.teardown(async () => {
    await stop()
    rmSync(folder, { recursive: true, force: true })
  })
  await start()
  return { origin: `http://127.0.0.1:${port}`, secureOrigin: `https://127.0.0.1:${securePort}`, reload, stop, start, logs }
}

/** The configuration as docker compose mounts it, but for addresses and for where it writes. */
function localConfiguration (
  folder: string,
  port: number,
  securePort: number,
  { cert, key }: CertificateFiles,
  [first, second]: readonly string[]
): string {
  const mounted = compose().nginx.volumes.find(volume => volume.endsWith(MOUNTED_AT))
  if (mounted === undefined) throw new Error('docker-compose.yml mounts no configuration of nginx')
  const substitutions: Array<[part: string, local: string]> = [
    ['server tickwire-1:8080 ', `server ${first} `],
    // Without a second server, its place is that of a comment.
    ['server tickwire-2:8080 ', second === undefined ? '# ' : `server ${second} `],
    ['listen 8080 ', `listen 127.0.0.1:${port} `],
    ['listen 8443 ', `listen 127.0.0.1:${securePort} `],
    ['ssl_certificate /etc/nginx/tls/cert.pem;', `ssl_certificate ${cert};`],
    ['ssl_certificate_key /etc/nginx/tls/key.pem;', `ssl_certificate_key ${key};`],
    ['pid /tmp/', `pid ${folder}/`],
    ['error_log /dev/stderr ', `error_log ${folder}/process.log `],
    ['access_log /dev/stdout ', `access_log ${folder}/access.log `],
    ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name): [string, string] => [`${name}_temp_path /tmp/`, `${name}_temp_path ${folder}/`])
  ]
  let text = readFileSync(join(ROOT, mounted.slice(0, -MOUNTED_AT.length)), 'utf8')
  for (const [part, local] of substitutions) {
    if (text.split(part).length !== 2) throw new Error(`the configuration of nginx has no single '${part}'`)
    text = text.replace(part, local)
  }
  return text
}

/**
 * Resolves when an nginx that has just been started passes requests on to a server. When the test ends, nginx
 * is ended and its folder is removed.
 * @returns its origin
 */
export async function serving (
  t: Test,
  child: ChildProcess,
  folder: string,
  origin: string
): Promise<string> {
  const ended = new Promise<void>(resolve => { child.on('close', () => { resolve() }) })
  t.teardown(async () => {
    child.kill('SIGTERM')
    await ended
    rmSync(folder, { recursive: true, force: true })
  })
  for (;;) {
    if (child.exitCode !== null) throw new Error(`nginx ended: ${logsOf(folder)}`)
    if (await fetch(`${origin}/healthz`).then(({ ok }) => ok, () => false)) return origin
    await delay(20)
  }
}

const logsOf = (folder: string): string => readdirSync(folder).filter(name => name.endsWith('.log')).map(name => readFileSync(join(folder, name), 'utf8')).join('')
