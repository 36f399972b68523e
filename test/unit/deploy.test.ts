import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'tap'
import { parse } from 'yaml'
import { type Config, loadConfig } from '../../src/config.js'
import { ROOT } from '../helpers/root.js'

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')

interface Service {
  readonly [setting: string]: unknown
  readonly environment?: Record<string, string>
  readonly healthcheck: { readonly test: string[] }
  readonly depends_on?: Record<string, { readonly condition: string, readonly restart?: boolean }>
  readonly networks: string[]
  readonly command?: string[]
  readonly mem_limit: string
  readonly ports?: string[]
  readonly expose?: string[]
  readonly stop_grace_period?: string
}
const { services, networks, volumes } = parse(read('docker-compose.yml'), { merge: true }) as {
  services: { 'tickwire-1': Service, 'tickwire-2': Service, redis: Service, certificate: Service, nginx: Service }
  networks: Record<string, { internal?: boolean } | null>
  volumes: Record<string, unknown>
}
const servers = ['tickwire-1', 'tickwire-2'] as const

/** Returns the configuration that Docker gives a server if nothing is set outside but what must be. */
function configOf ({ environment }: Service): Config {
  const given = Object.fromEntries(
    Object.entries(environment!).map(([name, value]) => [name, value.replace(/^\$\{\w+:[-?](.*)\}$/, '$1')])
  )
  return loadConfig({ ...imageEnvironment, ...given })
}

/** The settings that Redis is started with, by name. */
const redisSettings = new Map<string, string>()
for (let at = 1; at < services.redis.command!.length; at += 2) {
  redisSettings.set(services.redis.command![at]!, services.redis.command![at + 1]!)
}

function bytes (text: string): number {
  const [, count = '', unit = ''] = /^(\d+)([mg])b?$/.exec(text) ?? []
  return Number(count) * (unit === 'g' ? 1024 ** 3 : 1024 ** 2)
}

/** The instructions of the Dockerfile, by stage. */
const stages: Array<Array<[instruction: string, rest: string]>> = []
for (const line of read('Dockerfile').replace(/\\\n\s*/g, ' ').split('\n')) {
  const [, instruction = '', rest = ''] = /^([A-Z]+) +(.*)$/.exec(line) ?? []
  if (instruction === 'FROM') stages.push([])
  if (instruction !== '') stages.at(-1)?.push([instruction, rest])
}
const final = (wanted: string): string | undefined =>
  stages.at(-1)?.findLast(([instruction]) => instruction === wanted)?.[1]
const imageEnvironment = Object.fromEntries(
  final('ENV')!
    .split(' ')
    .map(pair => pair.split('=') as [string, string])
)
const nginxSetting = (name: string): string | undefined =>
  new RegExp(`^ *${name} ([^;]+);`, 'm').exec(read('deploy/nginx.conf'))?.[1]

/** Runs a health check as Docker does, with the server's port in place of 8080. */
async function isHealthy ([, ...args]: string[], port: number): Promise<boolean> {
  return await new Promise(resolve => {
    execFile(
      process.execPath,
      args.map(arg => arg.replace(':8080/', `:${port}/`)),
      { env: { PORT: String(port) } },
      error => {
        resolve(error === null)
      }
    )
  })
}

test('the image installs all packages before it builds, and starts the server without a shell', async t => {
  t.equal(stages.length, 2)
  const [build] = stages as [Array<[string, string]>]
  const installs = build.findIndex(([, rest]) => rest.startsWith('npm ci'))
  const copied = build
    .slice(0, installs)
    .flatMap(([instruction, rest]) => instruction === 'COPY' ? rest.split(' ').slice(0, -1) : [])
  const manifests = readdirSync(join(ROOT, 'packages'))
    .map(name => `packages/${name}/package.json`)
    .filter(file => existsSync(join(ROOT, file)))
  for (const file of ['package.json', 'package-lock.json', '.npmrc', ...manifests]) {
    t.ok(copied.includes(file), `${file} is copied before the packages are installed`)
  }

  const [, version = ''] = /^ARG NODE_IMAGE=node:(\d+\.\d+)\.\d+-/m.exec(read('Dockerfile')) ?? []
  const [, least = ''] =
    /^>=(\d+\.\d+)$/.exec((JSON.parse(read('package.json')) as { engines: { node: string } }).engines.node) ??
    []
  t.ok(
    version !== '' && version.localeCompare(least, 'en', { numeric: true }) >= 0,
    `Node ${version} is pinned, and at least ${least}`
  )

  const [program, ...rest] = JSON.parse(final('CMD')!) as string[]
  const script = rest.find(argument => !argument.startsWith('-'))
  t.equal(program, 'node', 'no shell and no npm stand between a signal and the server')
  t.match(read('scripts/start.js'), `../${script}`, 'it starts what npm start starts')
  t.notMatch(final('USER'), /^(ROOT|0)\b/)
  t.match(imageEnvironment, { NODE_ENV: 'production', HOST: '0.0.0.0' })
  t.equal(final('EXPOSE'), imageEnvironment['PORT'])

  const ignored = read('.dockerignore').split('\n')
  for (const pattern of ['**/node_modules', '**/dist', '.git', '.env']) {
    t.ok(ignored.includes(pattern), `${pattern} stays outside`)
  }
})

test('the health checks tell alive from ready', async t => {
  const status = { '/healthz': 200, '/readyz': 200 } as Record<string, number>
  const server = createServer((request, response) => {
    response.writeHead(status[request.url!] ?? 404).end()
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => { server.close() })
  const { port } = server.address() as AddressInfo
  const ofImage = JSON.parse(final('HEALTHCHECK')!.replace(/^.*?CMD /, '')) as string[]
  const [, ...ofService] = services['tickwire-1'].healthcheck.test
  t.equal(await isHealthy(ofImage, port), true)
  t.equal(await isHealthy(ofService, port), true)
  status['/readyz'] = 503
  t.equal(await isHealthy(ofImage, port), true, 'it is alive')
  t.equal(await isHealthy(ofService, port), false, 'it is not ready')
  status['/healthz'] = 503
  t.equal(await isHealthy(ofImage, port), false)
  server.close()
  server.closeAllConnections()
  t.equal(await isHealthy(ofImage, port), false, 'nobody listens')
})

test('docker compose: only nginx reaches the servers, and they trust it', async t => {
  const { nginx } = services
  for (const name of servers) {
    const service = services[name]
    t.match(
      service.environment!['JWT_SECRET'],
      /^\$\{JWT_SECRET:\?.+\}$/,
      `${name} does not start without a secret`
    )
    const config = configOf(service)
    t.match(config, { AUTH: 'required', TRUST_PROXY: true })
    t.equal(service.ports, undefined, `${name} publishes no port`)
    t.same(service.expose, [String(config.PORT)])
    t.match(
      read('deploy/nginx.conf'),
      new RegExp(`^    server ${name}:${config.PORT} `, 'm'),
      `nginx knows ${name}`
    )
    t.match(nginx.depends_on![name], { condition: 'service_healthy', restart: true })

    t.match(service.stop_grace_period, /^\d+s$/)
    t.ok(
      Number.parseInt(service.stop_grace_period!) * 1000 > config.SHUTDOWN_GRACE_MS,
      'docker waits until the server has told its clients'
    )
    for (const name of ['proxy_read_timeout', 'proxy_send_timeout']) {
      t.match(nginxSetting(name), /^\d+s$/)
      t.ok(
        Number.parseInt(nginxSetting(name)!) * 1000 > 2 * config.HEARTBEAT_MS,
        `${name}: two heartbeats may be late`
      )
    }
  }
  t.equal(
    read('deploy/nginx.conf').match(/^ *server [\w-]+:\d+/gm)?.length,
    servers.length,
    'nginx knows no other server'
  )
  const files = Number(nginxSetting('worker_rlimit_nofile'))
  t.ok(files >= 2 * Number(nginxSetting('worker_connections')), 'each connection may open two files')
  t.same(nginx['ulimits'], { nofile: files }, 'docker gives it as many')
  t.same(
    [...read('deploy/nginx.conf').matchAll(/^ *listen (\d+) ?(ssl http2)?/gm)].map(([, ...found]) => found),
    [
      ['8080', undefined],
      ['8443', 'ssl http2']
    ]
  )
  t.same(nginx.ports, ['8080:8080', '8443:8443'])
})

test('docker compose: only nginx can read its certificate, which is made before nginx starts', async t => {
  const { certificate, nginx } = services
  t.match(nginx.depends_on!['certificate'], { condition: 'service_completed_successfully' })
  t.equal(certificate['user'], nginx['user'], 'it is written as the user of nginx')
  const [, folder] = (certificate['volumes'] as string[])[0]!.split(':')
  t.ok(certificate.command!.join(' ').endsWith(`tickwire.js certificate --out ${folder} --keep`))
  t.match(final('RUN'), new RegExp(`-o 101 -g 101 -m 700 ${folder}$`), 'that user owns the volume')
  t.same(
    [nginxSetting('ssl_certificate'), nginxSetting('ssl_certificate_key')],
    ['/etc/nginx/tls/cert.pem', '/etc/nginx/tls/key.pem']
  )
  t.ok((nginx['volumes'] as string[]).includes('tls:/etc/nginx/tls:ro'))
})

test('docker compose: two servers share one log and the same sources', async t => {
  const [first, second] = servers.map(name => configOf(services[name])) as [Config, Config]
  t.same({ ...second, NODE_NAME: first.NODE_NAME }, first, 'they differ in their names only')
  t.same([first.NODE_NAME, second.NODE_NAME], servers, 'which are the names of their services')
  t.equal(first.SOURCES, 'simulated', 'either of them may run it')
  const { hostname, port } = new URL(first.REDIS_URL!)
  t.ok(hostname in services, `${hostname} is a service`)
  t.same(services.redis.expose, [port])
  for (const name of servers) {
    t.match(services[name].depends_on, { [hostname]: { condition: 'service_healthy' } })
  }

  t.equal(services.redis.ports, undefined, 'Redis publishes no port')
  t.same(services.redis.networks, ['log'])
  t.match(networks['log'], { internal: true })
  t.same(servers.map(name => services[name].networks), [['edge', 'log'], ['edge', 'log']])
  t.same(services.nginx.networks, ['edge'], 'nginx cannot reach Redis')
})

test('docker compose: Redis persists the log and evicts nothing', async t => {
  const { redis } = services
  const { RETENTION_BYTES, LOG_SHARDS } = configOf(services['tickwire-1'])
  t.match(redis.image, /^redis:(?:[7-9]|\d\d)\.\d+-/, 'it is version 7 or newer, and pinned')
  t.equal(redisSettings.get('--maxmemory-policy'), 'noeviction')
  t.match(Object.fromEntries(redisSettings), {
    '--appendonly': 'yes',
    '--appendfsync': /^(?:everysec|always)$/
  })
  const memory = bytes(redisSettings.get('--maxmemory')!)
  t.ok(memory >= 3 * RETENTION_BYTES * LOG_SHARDS, 'it has room for what the log retains')
  t.ok(bytes(redis.mem_limit) >= 2 * memory, 'it has room for a second copy while it rewrites its file')
  const [volume = '', folder] = (redis['volumes'] as string[])[0]!.split(':')
  t.ok(volume in volumes, 'a volume outlives the container')
  t.equal(folder, '/data', 'the image has its files there')
  t.match(redis['user'], /^[1-9]\d*:[1-9]\d*$/, 'it does not run as root')
  t.match(redis.stop_grace_period, /^\d+s$/)
  t.same(redis.healthcheck.test, ['CMD', 'redis-cli', '-e', 'ping'])
})

test('docker compose: no service has more rights than it needs', async t => {
  for (const [name, service] of Object.entries(services)) {
    t.match(
      service,
      {
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        mem_limit: /^\d+[mg]$/
      },
      name
    )
    // All but the service that ends when it has done its work.
    if (name !== 'certificate') {
      t.match(service, { restart: 'unless-stopped', healthcheck: { test: ['CMD'] } }, name)
    }
  }
})
