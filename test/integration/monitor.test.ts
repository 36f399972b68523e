import type { Socket } from 'node:net'
import type { MonitorFigures } from '@tickwire/protocol'
import { test, type Test } from 'tap'
import { askJson } from '../helpers/ask-json.js'
import { type Message, openClient, openWebSocket, RuleFollower, until, type WebSocketClient } from '../helpers/clients.js'
import { publish, startServer, subscribers, type TestServer } from '../helpers/server.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

/** The monitor of one server: what it says of connections must be what clients themselves have counted. */
const MESSAGES = 4000
/** So that a client that does not read has more unread than the system keeps for it. */
const SUMMARY = 'x'.repeat(1000)
const NEWS = {
  headline: SUMMARY, source: 's', symbols: [], timestamp: '2026-01-01T00:00:00Z', url: `https://x/${SUMMARY}${SUMMARY}`, summary: SUMMARY
}

interface Operator {
  readonly figures: MonitorFigures[]
  cut (): void
}

function watchMonitor (t: Test, server: TestServer): Operator {
  const figures: MonitorFigures[] = []
  const token = server.token({ sub: 'root', admin: true })
  const client = openClient('sse', server.origin, `subscribe=monitor&token=${token}`, undefined, {
    onMessage: message => { if (message.type === 'monitor') figures.push(message.data as MonitorFigures) },
    onCursor: () => {}
  }, 1, false)
  t.teardown(() => { client.cut() })
  return { figures, cut: () => { client.cut() } }
}

/** A client of WebSocket that counts what comes. */
class Counting {
  readonly follower = new RuleFollower()
  /** Data messages and resets, of all its connections. */
  messages = 0
  id = ''
  private cursor: string | undefined
  private bytesBefore = 0
  private client: WebSocketClient | undefined

  constructor (private readonly server: TestServer, private readonly token: string) {}

  open (): void {
    const after = this.cursor === undefined ? '' : `&after=${encodeURIComponent(this.cursor)}`
    const query = `subscribe=news&token=${this.token}${after}`
    this.client = openWebSocket(this.server.origin, query, 'tickwire.v1.json', {
      onMessage: message => { this.take(message) },
      onCursor: cursor => { this.cursor = cursor }
    }, false)
  }

  get socket (): WebSocketClient['socket'] {
    return this.client!.socket
  }

  /** What came over the sockets, with the heads of the upgrades. */
  get bytes (): number {
    return this.bytesBefore + this.raw.bytesRead
  }

  cut (): void {
    this.bytesBefore = this.bytes
    this.client!.cut()
  }

  private get raw (): Socket {
    return (this.socket as unknown as { readonly _socket: Socket })._socket
  }

  private take (message: Message): void {
    if (message.type === 'welcome') this.id = message['connection_id'] as string
    if (message.type === 'reset' || message.sequence !== undefined) this.messages++
    this.follower.take(message)
  }
}

async function publishNews (server: TestServer, from: number, to: number): Promise<void> {
  for (let next = from; next < to; next += 100) {
    await server.parts.publisher.publish(Array.from({ length: 100 }, () => ({
      channel: 'news',
      data: NEWS
    })), { publisher: 'test' })
    await server.parts.hub.advanced()
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const within = (t: Test, value: number, expected: number, what: string): void => {
  const off = Math.abs(value - expected) / expected
  t.ok(off <= 0.01, `${what}: ${value} where clients counted ${expected}, ${(100 * off).toFixed(3)} % off`)
}

test('its figures are what clients count, while one reads too slowly and one is cut and resumes', async t => {
  const settings = {
    MAX_BUFFERED_BYTES: 16_384,
    RETENTION_MESSAGES: 2 * MESSAGES,
    FLUSH_MS: 5,
    MONITOR_DAYS: 1,
    DATA_DIR: temporaryFolder(t)
  } as const
  const server = await startServer(t, settings)
  const { monitoring, connections } = server.parts
  const operator = watchMonitor(t, server)
  const names = ['alice', 'bob', 'carol', 'slow', 'cut']
  const clients = names.map(sub => new Counting(server, server.token({ sub })))
  const [slow, cut] = clients.slice(-2) as [Counting, Counting]
  for (const client of clients) client.open()
  await until('all are subscribed', () => subscribers(server, 'news') === clients.length)
  t.teardown(() => { for (const client of clients) client.cut() })
  await until('the first figures have come', () => operator.figures.length > 0)

  slow.socket.pause()
  await publishNews(server, 0, 1000)
  await until('it has most', () => cut.messages > 900)
  cut.cut()
  const first = cut.id
  await publishNews(server, 1000, 3000)
  await until('one lags', () => server.parts.counters.transport('websocket').lagging === 1)
  await until('it is seen', () => operator.figures.at(-1)!.lagging === 1 && operator.figures.at(-1)!.unsent_bytes > 0)
  cut.open()
  await publishNews(server, 3000, MESSAGES)
  const lagging = await askJson(server, 'GET', '/v1/admin/connections?sort=-unsent_bytes&limit=1', undefined, { admin: true })
  t.match(lagging.body, { total: clients.length + 1, complete: true, missing: [], connections: [{ user_id: 'slow', state: 'lagging', lagging: true }] })
  slow.socket.resume()
  await until('all have everything', () => clients.every(({ follower }) => follower.accepted.length === MESSAGES))
  t.same(clients.map(({ follower }) => follower.gaps), clients.map(() => []))

  const counted = sum(clients.map(({ messages }) => messages))
  const bytes = sum(clients.map(client => client.bytes))
  const total = (): number => operator.figures.at(-1)!.transports.find(({ transport }) => transport === 'websocket')!.messages_total
  await until('the figures have settled', () => total() >= counted && operator.figures.at(-1)!.lagging === 0)
  const ofSockets = operator.figures.flatMap(({ transports, interval_ms: ms }) => (
    transports.filter(({ transport }) => transport === 'websocket').map(figures => ({ ...figures, seconds: ms / 1000 }))))
  const last = ofSockets.at(-1)!
  within(t, last.messages_total, counted, 'messages')
  within(t, last.bytes_total, bytes, 'bytes')
  within(t, sum(ofSockets.map(({ messages_per_second: rate, seconds }) => rate * seconds)), counted, 'messages by the second')
  within(t, sum(ofSockets.map(({ bytes_per_second: rate, seconds }) => rate * seconds)), bytes, 'bytes by the second')
  const channel = operator.figures.at(-1)!.channels.find(({ channel }) => channel === 'news')!
  within(t, channel.messages_total, counted, 'messages of the channel')
  within(t, channel.bytes_total, bytes, 'bytes of the channel')
  t.equal(last.connections, clients.length)
  t.match(operator.figures.at(-1), { name: /./, users: names.length + 1, subscriptions: clients.length + 1, log: { kind: 'memory', available: true }, store: { state: 'available', complete: true } })
  const latencies = operator.figures.map(({ latency }) => latency).filter(({ count }) => count > 0)
  t.ok(latencies.length > 0)
  t.ok(latencies.every(({ p50_ms: p50, p95_ms: p95, p99_ms: p99 }) => p50! <= p95! && p95! <= p99!))

  const details = async (id: string): Promise<Record<string, unknown>> => (await askJson(server, 'GET', `/v1/admin/connections/${id}`, undefined, { admin: true })).body
  const ofSlow = await details(slow.id)
  t.match(ofSlow, { user_id: 'slow', state: 'live', messages_sent: slow.messages, subscriptions: [{ subscription_id: 's1', channel: 'news' }], omitted_events: 0 })
  const events = (ofSlow['events'] as Array<{ readonly event: string }>).map(({ event }) => event)
  t.strictSame(events.slice(0, 4), ['connect', 'authenticate', 'subscribe', 'lag'])
  t.equal(events.at(-1), 'catch_up_end')
  const ofCut = await details(first)
  t.match(ofCut, { user_id: 'cut', state: 'ended', disconnect_code: 1006, disconnect_reason: null })
  t.match((ofCut['events'] as object[]).at(-1), { event: 'close', code: 1006, reason: null })
  t.notMatch(JSON.stringify([ofSlow, ofCut]), SUMMARY.slice(0, 20), 'nothing of what was sent')

  const ended = await askJson(server, 'GET', '/v1/admin/connections?ended=true&user=cut', undefined, { admin: true })
  t.match(ended.body, { total: 1, complete: true, connections: [{ connection_id: first, state: 'ended' }] })
  t.equal([...connections.ledger.open].length, clients.length + 1)
  t.ok(monitoring)

  const before = server.parts.hub.directory.last('monitor')!.sequence
  operator.cut()
  await until('nobody wants figures any more', () => subscribers(server, 'monitor') === 0)
  await publish(server.app, 'news', undefined, NEWS)
  t.ok(server.parts.hub.directory.last('monitor')!.sequence <= before + 4)
})

test('refuses questions that it cannot answer, and whoever is no operator', async t => {
  const server = await startServer(t)
  const ask = async (path: string, claims: Record<string, unknown> = { admin: true }): Promise<string> => {
    const { status, body } = await askJson(server, 'GET', path, undefined, claims)
    return `${status} ${body['code'] as string} ${body['message'] as string}`
  }
  for (const path of ['/v1/admin/connections', '/v1/admin/connections/x', '/v1/admin/metrics', '/v1/stream?subscribe=monitor', '/v1/history?topic=monitor']) {
    t.match(await ask(path, { read: ['*'], publish: ['*'] }), /^403 forbidden/, path)
    t.equal((await fetch(server.origin + path)).status, 401, path)
  }
  t.match(await ask('/v1/admin/connections?sort=name'), /^400 bad_request 'sort' is one of connected_at/)
  t.match(await ask('/v1/admin/connections?sort=unsent_bytes&ended=true'), /^400 bad_request 'sort' is one of/)
  t.match(await ask('/v1/admin/connections?ended=yes'), /^400 bad_request 'ended' is one of true, false/)
  t.match(await ask('/v1/admin/connections?limit=1001'), /^400 bad_request/)
  t.match(await ask('/v1/admin/connections?transport=ws'), /^400 bad_request 'transport' is one of websocket, sse, poll/)
  t.match(await ask('/v1/admin/connections?user='), /^400 bad_request 'user' has 1 to 256 characters/)
  t.match(await ask('/v1/admin/connections?colour=red'), /^400 bad_request/)
  t.match(await ask('/v1/admin/connections/none'), /^404 not_found no server has or had such a connection/)
  t.match(await ask('/v1/admin/metrics?from=yesterday'), /^400 bad_request 'from' must be/)
  t.match(await ask('/v1/admin/metrics?channel=A%20B'), /^400 bad_request 'channel' is one channel/)
  t.match(await ask('/v1/admin/metrics'), /^404 not_found this server keeps no figures: set MONITOR_DAYS or DATABASE_URL/)
  const published = await askJson(server, 'POST', '/v1/publish', { channel: 'monitor', data: {} })
  t.match(published, { status: 403, body: { code: 'forbidden' } }, 'nobody may say what a server does')
})

test('lists polls while they are answered', async t => {
  const server = await startServer(t)
  const held = fetch(`${server.origin}/v1/stream?subscribe=news&wait=20`, { headers: { 'x-request-id': 'p1' } })
  const list = async (): Promise<object> => (await askJson(server, 'GET', '/v1/admin/connections?transport=poll', undefined, { admin: true })).body
  await until('it is held', () => server.parts.connections.ledger.open.size === 1)
  t.match(await list(), { total: 1, connections: [{ connection_id: 'p1', user_id: null, state: 'polling', selectors: 1 }] })
  await until('it waits', () => subscribers(server, 'news') === 1)
  await publish(server.app, 'news', undefined, NEWS)
  await held
  t.match(await list(), { total: 0, connections: [] })
  t.match((await askJson(server, 'GET', '/v1/admin/connections?ended=true', undefined, { admin: true })).body, { total: 0 })
})
