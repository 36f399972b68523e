import type { ChildProcess } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import {
  type Client,
  type Message,
  openClient,
  RuleFollower,
  type TransportName,
  transportNames,
  until
} from '../helpers/clients.js'
import { startCommand } from '../helpers/command.js'
import { freePort } from '../helpers/free-port.js'
import { redisOptions, startNginx } from '../helpers/nginx.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'
import { get, needsNginx, program } from './through-nginx.js'

const quote = (server: TestServer, bid: number): Promise<void> =>
  publish(server.app, 'quotes', 'A', { symbol: 'A', bid: String(bid) })

/** A client that follows the rule of PROTOCOL.md, and comes back with its last cursor after every cut. */
class Returning {
  readonly follower = new RuleFollower()
  connections = 0
  /** Messages that one connection got twice. After a cut, everything since the last cursor comes again. */
  repeated = 0
  private cursor: string | undefined
  private client: Client | undefined
  private closed = false

  constructor (private readonly transport: TransportName, private readonly origin: string) {
    this.open()
  }

  get following (): boolean {
    return this.cursor !== undefined
  }

  get bids (): unknown[] {
    return this.follower.accepted.map(({ data }) => (data as { bid: string }).bid)
  }

  cut (): void {
    this.client?.cut()
  }

  close (): void {
    this.closed = true
    this.cut()
  }

  private open (): void {
    if (this.closed) return
    this.connections++
    const sent = new Set<number>()
    const client = openClient(this.transport, this.origin, 'subscribe=quotes:A', this.cursor, {
      onMessage: message => {
        if (message.sequence !== undefined && sent.size === sent.add(message.sequence).size) this.repeated++
        this.follower.take(message)
      },
      onCursor: cursor => { this.cursor = cursor }
    })
    this.client = client
    const again = (): void => { setTimeout(() => { this.open() }, 20) }
    client.ended.then(again, again)
  }
}

test('streams through nginx over all transports, in order and without a gap, whatever is cut', needsNginx, async t => {
  const server = await startServer(t, { TRUST_PROXY: true })
  const nginx = await startNginx(t, program!, server.origin)
  const clients = new Map(
    transportNames.map(transport => [transport, new Returning(transport, nginx.origin)])
  )
  const all = [...clients.values()]
  let published = 0
  const publishSome = async (): Promise<void> => {
    for (let i = 0; i < 10; i++) {
      await quote(server, ++published)
      await delay(5)
    }
  }
  const allHaveAll = (): Promise<void> =>
    until(`all have ${published}`, () => all.every(({ bids }) => bids.length >= published))

  await until('all have a cursor', () => all.every(({ following }) => following))
  await publishSome()
  await allHaveAll()

  for (const client of all) client.cut()
  await publishSome()
  await allHaveAll()

  // The old workers continue their streams; the new ones take the streams that come back.
  await nginx.reload()
  await publishSome()
  await allHaveAll()
  for (const client of all) client.cut()
  await publishSome()
  await allHaveAll()

  const before = new Map(all.map(client => [client, client.connections]))
  await Promise.all([nginx.stop(), publishSome()])
  await publishSome()
  await nginx.start()
  await until('all have come back', () => all.every(client => client.connections > before.get(client)!))
  await publishSome()
  await allHaveAll()

  const expected = Array.from({ length: published }, (_, index) => String(index + 1))
  for (const [transport, { follower, bids }] of clients) {
    t.same(bids, expected, `${transport}: every quote once, in order`)
    t.same(follower.gaps, [], `${transport}: no gap`)
    t.same(follower.resets, [], `${transport}: no reset`)
  }
  for (const client of all) client.close()
})

test('moves a client that loses its server to the other one, on each transport, without gap or duplicate', {
  ...needsNginx, skip: needsNginx.skip !== false ? needsNginx.skip : redisProgram === undefined ? 'there is no Redis' : false
}, async t => {
  const redis = await RedisServer.start(redisOptions())
  t.teardown(() => redis.close())
  const secret = 'the secret of both'
  const port = await freePort()
  const one = (): Promise<TestServer> => startServer(t, {
    TRUST_PROXY: true, JWT_SECRET: secret, REDIS_URL: redis.url, PORT: port
  })
  // The other server is a process, which can be killed.
  const otherPort = await freePort()
  const other = async (): Promise<ChildProcess> => {
    const { child, lines } = startCommand(['start'], {
      PORT: String(otherPort),
      REDIS_URL: redis.url,
      JWT_SECRET: secret,
      SOURCES: 'none',
      UNKNOWN_SYMBOLS: 'accept',
      TRUST_PROXY: 'true',
      LOG_LEVEL: 'error'
    })
    t.teardown(() => { child.kill('SIGKILL') })
    await until('the other listens', () => lines.some(line => line.includes('listens on')))
    return child
  }
  let [first, second] = [await one(), await other()]
  const nginx = await startNginx(t, program!, first.origin, `http://127.0.0.1:${otherPort}`)

  const authorization = `Bearer ${first.token()}`
  let published = 0
  /** Publishes through nginx under a key, again and again until it is taken, so that the log has it once. */
  const publishSome = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) {
      const bid = String(++published)
      const body = JSON.stringify({
        channel: 'quotes',
        symbol: 'A',
        data: { symbol: 'A', bid },
        idempotency_key: bid
      })
      for (let taken = false; !taken;) {
        const response = await fetch(`${nginx.origin}/v1/publish`, {
          method: 'POST',
          headers: { authorization, 'content-type': 'application/json' },
          body
        })
        taken = response.status === 200
        if (!taken) t.equal(response.status, 503)
        await response.text()
        await delay(5)
      }
    }
  }
  const returning = transportNames.map(name => [name, new Returning(name, nginx.origin)] as const)
  const clients = new Map(returning)
  const all = [...clients.values()]
  const allHaveAll = (): Promise<void> => until(`all have ${published}`, () => all.every(({ bids }) => bids.length >= published))
  const ofFirst = (): number => first.parts.connections.active

  await until('all have a cursor', () => all.every(({ following }) => following))
  await until('each server has some', () => ofFirst() > 0 && ofFirst() < all.length)
  await publishSome()
  await allHaveAll()

  const killed = new Promise(resolve => { second.once('exit', resolve) })
  second.kill('SIGKILL')
  await Promise.all([killed, publishSome()])
  await until('all are with the remaining server', () => ofFirst() === all.length)
  await publishSome()
  await allHaveAll()
  const failed = nginx.logs().split('\n').filter(line => /"GET \/v1\/stream .*" (?!200|101|499)\d/.test(line))
  t.same(failed, [], 'no client was told that there is no server')

  second = await other()
  all[0]!.cut()
  all[1]!.cut()
  await until('the other has some again', () => ofFirst() < all.length)
  await Promise.all([first.app.close(), publishSome()])
  await allHaveAll()
  first = await one()
  await Promise.all([new Promise(resolve => { second.once('exit', resolve).kill('SIGTERM') }), publishSome()])
  await until('all are back with the first', () => ofFirst() === all.length)
  await publishSome()
  await allHaveAll()

  const before = all.map(({ connections }) => connections)
  await redis.kill()
  await Promise.all([redis.start(), publishSome()])
  await allHaveAll()
  t.same(
    all.slice(0, 3).map(({ connections }) => connections),
    before.slice(0, 3),
    'streams stay open while Redis is away'
  )

  const expected = Array.from({ length: published }, (_, index) => String(index + 1))
  for (const [transport, { follower, bids, repeated }] of clients) {
    t.same(bids, expected, `${transport}: every quote once, in order`)
    t.same(follower.gaps, [], `${transport}: no gap`)
    t.same(follower.resets, [], `${transport}: no reset`)
    t.equal(repeated, 0, `${transport}: nothing twice within a connection`)
  }
  for (const client of all) client.close()
})

test('passes what one server did not answer to the other, but sends no POST a second time', needsNginx, async t => {
  const asked: string[] = []
  const answering = createServer((request, response) => {
    asked.push(request.method!)
    request.resume().on('end', () => { response.end('{}') })
  })
  const failing = createServer(request => {
    asked.push(request.method!)
    request.resume().on('end', () => { request.socket.destroy() })
  })
  const [broken, whole] = await Promise.all([failing, answering].map(async server => {
    await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
    t.teardown(() => {
      server.close()
      server.closeAllConnections()
    })
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }))
  const nginx = await startNginx(t, program!, broken!, whole!)
  const status = async (method: string): Promise<number> =>
    (await fetch(`${nginx.origin}/v1/stream`, { method, ...(method === 'POST' ? { body: '{}' } : {}) }))
      .status
  t.equal(await status('GET'), 200)
  t.same(asked, ['GET', 'GET'], 'the failing server was asked first')
  // nginx leaves the failing server out for a second, and counts whole seconds.
  await delay(2100)
  asked.length = 0
  const statuses: number[] = []
  while (statuses.length < 10 && !statuses.includes(503)) statuses.push(await status('POST'))
  t.equal(statuses.at(-1), 503, 'the failing server was asked')
  t.equal(asked.length, statuses.length, 'nobody else was asked')
})

test('holds nothing of a stream back', needsNginx, async t => {
  // Without heartbeats: one would push along what a buffer holds.
  const server = await startServer(t, {
    TRUST_PROXY: true,
    HEARTBEAT_MS: 3_600_000,
    IDLE_TIMEOUT_MS: 3_600_000
  })
  const nginx = await startNginx(t, program!, server.origin)
  for (const transport of ['ws-json', 'ws-batch', 'sse'] as const) {
    const messages: Message[] = []
    const client = openClient(transport, nginx.origin, 'subscribe=quotes:A&snapshot=false', undefined, {
      onMessage: message => {
        messages.push(message)
      },
      onCursor: () => {}
    })
    const quotes = (): unknown[] => messages.filter(({ type }) => type === 'quote')
    await until(`${transport}: welcome`, () => messages[0]?.type === 'welcome')
    await until(`${transport}: subscribed`, () => messages.some(({ type }) => type === 'subscribed'))
    for (const count of [1, 2, 3]) {
      await quote(server, count)
      await until(`${transport}: quote ${count} alone`, () => quotes().length === count)
    }
    t.pass(`${transport}: each message came before the next was published`)
    client.cut()
  }
  const stream = await get(t, `${nginx.origin}/v1/stream?subscribe=quotes:A`, {
    headers: { accept: 'text/event-stream', 'accept-encoding': 'gzip' }
  })
  t.equal(stream.headers['content-encoding'], 'gzip', 'nginx passes on what the server compresses')
  stream.destroy()
})

test('takes no more of a stream than its client does, so that the server notices one that does not read', needsNginx, async t => {
  const server = await startServer(t, { TRUST_PROXY: true, COMPRESSION: 'off' })
  const nginx = await startNginx(t, program!, server.origin)
  const counters = server.parts.counters.transport('sse')
  // Ten times what the system can hold between the three; nginx would write a gigabyte to its disk.
  const mostBytes = 256 * 1024 * 1024
  const bids = Array.from({ length: 2400 }, (_, index) => [String(100_000 - index), '1.00000000'])
  const message = { symbol: 'A', bids, asks: [] }
  const stream = await get(t, `${nginx.origin}/v1/stream?subscribe=book:A`, {
    headers: { accept: 'text/event-stream', 'accept-encoding': 'gzip' }
  })
  stream.on('error', () => {})
  t.equal(stream.headers['content-encoding'], undefined, 'nginx compresses nothing')
  let written = 0
  for (; written < mostBytes && counters.lagging === 0; written += JSON.stringify(message).length) {
    await publish(server.app, 'book', 'A', message, { snapshot: true })
    await delay(1)
  }
  t.comment(`${(written / 1024 / 1024).toFixed(1)} MiB until the client lagged`)
  t.equal(counters.lagging, 1, 'it lags')
})

test('holds a poll, and answers it when something comes', needsNginx, async t => {
  const server = await startServer(t, { TRUST_PROXY: true })
  const nginx = await startNginx(t, program!, server.origin)
  const poll = async (query: string): Promise<{ cursor: string, messages: Message[] }> => {
    const response = await fetch(`${nginx.origin}/v1/stream?subscribe=quotes:A${query}`)
    t.equal(response.status, 200)
    return await response.json() as { cursor: string, messages: Message[] }
  }
  const { cursor } = await poll('')
  const started = performance.now()
  const empty = await poll(`&wait=2&after=${cursor}`)
  t.same(empty.messages, [])
  t.ok(performance.now() - started > 1900, 'held for its two seconds')
  const held = poll(`&wait=30&after=${empty.cursor}`)
  await until('it is held', () => server.parts.connections.active === 1)
  await quote(server, 1)
  t.match((await held).messages, [{ type: 'quote', sequence: 1 }])
})
