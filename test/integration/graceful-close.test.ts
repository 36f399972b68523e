import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { type Client, type Message, openClient, RuleFollower, until } from '../helpers/clients.js'
import { startCommand } from '../helpers/command.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { signedToken } from '../helpers/tokens.js'

/**
 * How many clients a node has when it closes; `CLOSE_CLIENTS=2000 npm test --
 * test/integration/graceful-close.test.ts` is the full run.
 */
const CLIENTS = Number(process.env['CLOSE_CLIENTS'] ?? 300)
const TOPICS = 20
const PUBLISH_EVERY_MS = 100

interface RunningNode {
  readonly origin: string
  /** Tells whether it has logged or printed some words. */
  says (words: string): boolean
  signal (name: NodeJS.Signals): void
  /** Its exit code. */
  readonly ended: Promise<number | null>
}

async function startNode (t: Test, env: Record<string, string> = {}): Promise<RunningNode> {
  const { child, lines, finished } = startCommand(['start'], {
    PORT: '0',
    SOURCES: 'none',
    UNKNOWN_SYMBOLS: 'accept',
    JWT_SECRET: 'a secret for tests only, long enough',
    MAX_CONNECTIONS_PER_IP: '10000',
    MAX_CONNECTIONS_PER_USER: '10000',
    RATE_LIMIT_REQUESTS: '1000000',
    ...env
  })
  t.teardown(() => { child.kill('SIGKILL') })
  const address = (): string | undefined => lines.find(line => line.startsWith('tickwire listens on '))
  await until('the node listens', () => address() !== undefined || child.exitCode !== null)
  return {
    origin: address()!.slice('tickwire listens on '.length),
    says: words => lines.some(line => line.includes(words)),
    signal: name => { child.kill(name) },
    ended: finished.then(({ code }) => code)
  }
}

/** A client that reads a topic on one node, and continues on the other one when it is told to go. */
class Reader {
  readonly follower = new RuleFollower()
  readonly closings: Message[] = []
  cursor: string | undefined
  resumed = false
  private client: Client | undefined

  constructor (private readonly transport: 'ws-batch' | 'sse', private readonly topic: string) {}

  open (origin: string): void {
    this.client = openClient(this.transport, origin, `subscribe=trades:${this.topic}`, this.cursor, {
      onMessage: message => {
        if (message.type === 'closing') this.closings.push(message)
        this.follower.take(message)
      },
      onCursor: cursor => { this.cursor = cursor }
    }, 1, false)
  }

  async moveTo (origin: string): Promise<void> {
    await this.client!.ended
    await delay(Number(this.closings[0]?.['retry_after_ms'] ?? 0))
    this.resumed = true
    this.open(origin)
  }

  close (): void {
    this.client?.cut()
  }
}

const title = `SIGTERM with ${CLIENTS} clients: tells all, and all resume on the other node without a gap`
test(title, {
  skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 200_000
}, async t => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const shared = { REDIS_URL: redis.url, SHUTDOWN_GRACE_MS: '10000' }
  const [first, second] = await Promise.all([startNode(t, shared), startNode(t, shared)])
  const token = signedToken({ sub: 'feed', publish: ['*'] })

  let published = 0
  const market = { open: true }
  const publishing = (async () => {
    for (; market.open; await delay(PUBLISH_EVERY_MS)) {
      const price = String(++published)
      const batch = Array.from({ length: TOPICS }, (_, index) => ({
        channel: 'trades',
        symbol: `T${index}`,
        data: { symbol: `T${index}`, price, size: '1', timestamp: '2026-01-01T00:00:00Z' }
      }))
      const response = await fetch(`${second.origin}/v1/publish`, {
        method: 'POST',
        body: JSON.stringify(batch),
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      })
      if (!response.ok) t.fail(await response.text())
    }
  })()

  const readers = Array.from(
    { length: CLIENTS },
    (_, index) => new Reader(index % 2 === 0 ? 'ws-batch' : 'sse', `T${index % TOPICS}`)
  )
  t.teardown(() => { for (const reader of readers) reader.close() })
  for (let at = 0; at < CLIENTS; at += 100) {
    const some = readers.slice(at, at + 100)
    for (const reader of some) reader.open(first.origin)
    await until('they read', () =>
      some.every(({ cursor, follower }) => cursor !== undefined && follower.accepted.length > 0)
    )
  }

  const began = Date.now()
  const moving = readers.map(reader => reader.moveTo(second.origin))
  first.signal('SIGTERM')
  t.equal(await first.ended, 0, 'it drained within its grace and ended with 0')
  t.comment(`ended after ${Date.now() - began} ms`)
  await Promise.all(moving)
  t.comment(`all moved after ${Date.now() - began} ms`)
  market.open = false
  await publishing
  const lastPrice = ({ follower }: Reader): number =>
    Number((follower.accepted.at(-1)?.data as { price: string } | undefined)?.price)
  await until('all have the last message', () => readers.every(reader => lastPrice(reader) === published))

  const retries = readers.map(({ closings }) => Number(closings[0]?.['retry_after_ms']))
  t.ok(
    readers.every(
      ({ closings, resumed }) => closings.length === 1 && closings[0]!['code'] === 'going_away' && resumed
    ),
    'each was told once'
  )
  t.ok(Math.max(...retries) - Math.min(...retries) > 1000, 'they do not all come back at once')
  t.same(readers.flatMap(({ follower }) => follower.gaps), [])
  t.same(readers.flatMap(({ follower }) => follower.resets), [])
  const whole = ({ follower: { accepted } }: Reader): boolean => {
    return accepted.every(({ sequence }, index) => sequence === accepted[0]!.sequence! + index)
  }
  t.ok(readers.every(whole), 'each sequence once, in order')
})

const PUBLISHER = signedToken({ sub: 'alice', publish: ['*'] })

/** Keeps a server from closing: the rest of the body never comes. */
async function halfPublish (t: Test, origin: string): Promise<void> {
  const { hostname, port } = new URL(origin)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  t.teardown(() => { socket.destroy() })
  await new Promise<void>(resolve => {
    socket.write(
      [
        'POST /v1/publish HTTP/1.1',
        'Host: x',
        `Authorization: Bearer ${PUBLISHER}`,
        'Content-Type: application/json',
        'Content-Length: 100',
        'Expect: 100-continue',
        '',
        ''
      ].join('\r\n')
    )
    socket.once('data', () => { socket.write('[{', () => { resolve() }) })
  })
}

test('cuts clients within the grace that do not read their end or never end a request, and ends with 0', async t => {
  const node = await startNode(t, { SHUTDOWN_GRACE_MS: '3000', LOG_LEVEL: 'debug' })
  await halfPublish(t, node.origin)
  const { hostname, port } = new URL(node.origin)
  const stalled = connect(Number(port), hostname)
  stalled.on('error', () => {})
  stalled.pause()
  t.teardown(() => { stalled.destroy() })
  stalled.write('GET /v1/stream?subscribe=news HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n')
  await until('the client is there', () => node.says('"event":"connect"'))
  node.signal('SIGTERM')
  t.equal(await node.ended, 0)
})

test('ends at once at a second signal, with the code of that signal', async t => {
  await Promise.all(([['SIGTERM', 143], ['SIGINT', 130]] as const).map(async ([second, code]) => {
    const node = await startNode(t, { SHUTDOWN_GRACE_MS: '60000' })
    await halfPublish(t, node.origin)
    node.signal('SIGTERM')
    await until('it closes', () => node.says('"msg":"closing"'))
    node.signal(second)
    t.equal(await node.ended, code, second)
  }))
})
