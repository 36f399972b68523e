import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { WebSocket } from 'ws'
import { type Message, openClient, openWebSocket, RuleFollower, transportNames, until } from '../helpers/clients.js'
import { runOnFile } from '../helpers/duckdb-file.js'
import { eventually } from '../helpers/eventually.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

/** docs/heatmaps.md, read over the wire. */

type Levels = ReadonlyArray<readonly [price: string, a: string, b: string]>
interface Data { readonly kind: string, readonly levels: Levels, readonly current_price: string }

const SIMULATED = { SOURCES: 'simulated?rate=20', UNKNOWN_SYMBOLS: 'reject', HEATMAP_INTERVAL_MS: 200 } as const

const isSound = ({ kind, levels, current_price: price }: Data): boolean =>
  levels.length > 0 && levels.every(([at, a, b], index) =>
    Number(at) > Number(levels[index - 1]?.[0] ?? 0) && Number(a) >= 0 && Number(b) >= 0 &&
    (kind === 'book' || ((Number(a) === 0 || Number(at) < Number(price)) && (Number(b) === 0 || Number(at) > Number(price)))))

/** Subscribes as a WebSocket client, and keeps what it is sent. */
function follow (t: Test, server: TestServer, query = ''): { messages: Message[], send: (message: object) => void } {
  const messages: Message[] = []
  const client = openWebSocket(server.origin, query, 'tickwire.v1.json', { onMessage: message => { messages.push(message) }, onCursor: () => {} })
  t.teardown(() => { client.cut() })
  return { messages, send: message => { client.socket.once('open', () => { client.send(message) }); if (client.socket.readyState === WebSocket.OPEN) client.send(message) } }
}

const ofType = (messages: readonly Message[], type: string): Message[] =>
  messages.filter(message => message.type === type)

test('sends heatmaps of both kinds on every transport, by either spelling of a pair', async t => {
  const server = await startServer(t, SIMULATED)
  for (const transport of transportNames) {
    const follower = new RuleFollower()
    const client = openClient(
      transport, server.origin, 'subscribe=heatmap:BTCUSDT,ETH-USDT;throttle_ms=10&subscribe=heatmap.book:BTC-USDT', undefined,
      { onMessage: message => { follower.take(message) }, onCursor: () => {} }
    )
    const topics = (): string[] => follower.accepted.map(({ channel, symbol }) => `${channel}:${symbol}`)
    await until(`${transport} has all`, () => new Set(topics()).size === 3 && follower.accepted.length > 8)
    client.cut()
    t.same([...new Set(topics())].sort(), ['heatmap.book:BTC-USDT', 'heatmap:BTC-USDT', 'heatmap:ETH-USDT'])
    t.same(follower.gaps, [])
    type Accepted = Message & { data: Data & { symbol: string } }
    for (const { channel, symbol, data } of follower.accepted as Accepted[]) {
      const kind = channel === 'heatmap' ? 'liquidation' : 'book'
      if (data.kind !== kind || data.symbol !== symbol || !isSound(data)) t.fail(JSON.stringify(data))
    }
  }
  const { queries, sent, unchanged } = server.parts.heatmaps
  t.ok(queries > 0 && queries >= sent + unchanged)
})

test('names the same topic by either spelling in actions and requests, and refuses what it cannot know', async t => {
  const server = await startServer(t, SIMULATED)
  const { messages, send } = follow(t, server)
  send({ action: 'subscribe', id: 1, channel: 'heatmap', symbols: ['BTCUSDT', 'BTC-USDT', 'XYZUSDT', 'BTC'] })
  await until('it is confirmed', () => ofType(messages, 'subscribed').length === 1)
  t.match(ofType(messages, 'subscribed')[0], {
    symbols: ['BTC-USDT'],
    rejected: [{ symbol: 'XYZUSDT', code: 'unknown_symbol' }, { symbol: 'BTC', code: 'unknown_symbol' }]
  })
  await until('one came', () => ofType(messages, 'heatmap').length > 0)
  t.equal(ofType(messages, 'heatmap')[0]!.symbol, 'BTC-USDT')
  for (const symbol of ['BTCUSDT', 'BTC-USDT']) {
    t.match(await (await fetch(`${server.origin}/v1/snapshot?topic=heatmap:${symbol}`)).json(), { symbol: 'BTC-USDT', snapshot: true })
    t.match(await (await fetch(`${server.origin}/v1/history?topic=heatmap:${symbol}`)).json(), { messages: [{ symbol: 'BTC-USDT' }] })
  }
  send({ action: 'unsubscribe', id: 2, channel: 'heatmap', symbols: ['BTCUSDT'] })
  await until('it is confirmed', () => ofType(messages, 'unsubscribed').length === 1)
  t.match(ofType(messages, 'unsubscribed')[0], { symbols: ['BTCUSDT'] })
  await until('nobody wants it', () => server.parts.sources.wanted().length === 1)

  t.equal((await fetch(`${server.origin}/v1/snapshot?topic=quotes:BTCUSDT`)).status, 404, 'other channels know one spelling')
  t.equal((await fetch(`${server.origin}/v1/stream?subscribe=quotes:BTCUSDT`)).status, 400)
  await server.app.tickwire.declare([{ symbol: 'AB-CD' }, { symbol: 'ABC-D' }])
  t.equal((await fetch(`${server.origin}/v1/stream?subscribe=heatmap:ABCD`)).status, 400, 'it could be two')
})

test('resumes after a sequence by either spelling', async t => {
  const server = await startServer(t, { UNKNOWN_SYMBOLS: 'reject' })
  const { tickwire } = server.app
  await tickwire.declare([{ symbol: 'BTC-USDT' }])
  const levels = (size: string): object => (
    { symbol: 'BTC-USDT', kind: 'book', levels: [['9', size, '0']], price_step: '1', current_price: '10', as_of: '2026-02-07T14:30:00Z' })
  for (const size of ['1', '2', '3']) {
    await tickwire.publishAll([{ channel: 'heatmap.book', symbol: 'BTC-USDT', data: levels(size) }])
  }
  const first = follow(t, server)
  first.send({ action: 'subscribe', channel: 'heatmap.book', symbols: ['BTCUSDT'] })
  await until('it has the state', () => ofType(first.messages, 'heatmap').length === 1)
  t.match(ofType(first.messages, 'heatmap'), [{ sequence: 3, snapshot: true }])
  const { epoch } = ofType(first.messages, 'subscribed')[0] as Message & { epoch: string }
  const cases: ReadonlyArray<readonly [object, number[]]> = [
    [{ 'BTC-USDT': 3 }, []], [{ BTCUSDT: 3 }, []], [{ BTCUSDT: 2 }, [3]], [{ BTCUSDT: 2, 'BTC-USDT': 3 }, [3]]
  ]
  for (const [after, expected] of cases) {
    for (const symbol of ['BTCUSDT', 'BTC-USDT']) {
      const { messages, send } = follow(t, server)
      send({ action: 'subscribe', channel: 'heatmap.book', symbols: [symbol], after, epoch })
      send({ action: 'snapshot', id: 'last', channel: 'heatmap.book', symbols: ['BTC-USDT'] })
      await until('the snapshot is done', () => messages.some(({ id, type }) => id === 'last' && type === 'done'))
      t.match(ofType(messages, 'subscribed'), [{ recovered: true }])
      const sequences = ofType(messages, 'heatmap').map(({ sequence }) => sequence)
      t.same(sequences.slice(0, -1), expected, `${symbol} ${JSON.stringify(after)}`)
    }
  }
})

test('WS_ENABLED=false: refuses heatmaps over WebSocket alone', async t => {
  const server = await startServer(t, { ...SIMULATED, WS_ENABLED: false })
  const url = `${server.origin.replace('http', 'ws')}/v1/stream?subscribe=heatmap:BTC-USDT`
  const status = await new Promise<number | undefined>(resolve => {
    const socket = new WebSocket(url)
    socket.on('unexpected-response', (_request, response) => {
      resolve(response.statusCode)
      response.destroy()
    })
    socket.on('open', () => { resolve(101) })
    socket.on('error', () => {})
  })
  t.equal(status, 503)
  const { messages, send } = follow(t, server)
  send({ action: 'subscribe', id: 1, channel: 'heatmap.book', symbols: ['BTCUSDT'] })
  await until('it is answered', () => ofType(messages, 'subscribed').length === 1)
  t.match(ofType(messages, 'subscribed')[0], { symbols: [], rejected: [{ symbol: 'BTCUSDT', code: 'disabled' }] })
  send({ action: 'snapshot', id: 2, channel: 'heatmap', symbols: ['BTC-USDT'] })
  await until('it is answered', () => ofType(messages, 'error').length === 1)
  t.match(ofType(messages, 'error')[0], { id: 2, code: 'disabled' })
  send({ action: 'subscribe', id: 3, channel: 'quotes', symbols: ['BTC-USDT'] })
  await until('the rest goes on', () => ofType(messages, 'quote').length > 0)
  for (const transport of ['sse', 'poll'] as const) {
    let came = 0
    const client = openClient(transport, server.origin, 'subscribe=heatmap:BTC-USDT', undefined, {
      onMessage: ({ type }) => { if (type === 'heatmap') came++ }, onCursor: () => {}
    })
    await until(`${transport} serves them`, () => came > 0)
    client.cut()
  }
})

test('makes a heatmap for polls that come now and then, and are answered at once', async t => {
  const server = await startServer(t, SIMULATED)
  const poll = async (): Promise<Message[]> => {
    const answer = await fetch(`${server.origin}/v1/stream?subscribe=heatmap.book:BTCUSDT`)
    return (await answer.json() as { messages: Message[] }).messages
  }
  let found: Message[] = []
  await eventually('a poll has it', async () => {
    found = await poll()
    await delay(100)
    return found.length > 0
  })
  t.match(found, [{ channel: 'heatmap.book', symbol: 'BTC-USDT', snapshot: true }])
})

test("makes heatmaps of a user's table; a file that is missing or wrong stops nothing", async t => {
  const path = join(temporaryFolder(t), 'own.duckdb')
  const server = await startServer(t, {
    ...SIMULATED,
    DUCKDB_PATH: path,
    HEATMAP_QUERY: 'select level as price, long as a, short as b, 10 as current_price from mine where name = $symbol'
  })
  const { messages, send } = follow(t, server)
  send({ action: 'subscribe', channel: 'heatmap', symbols: ['BTCUSDT'] })
  const { failures } = server.parts.heatmaps
  await until('the file is missing', () => failures.query > 1)
  /** The server may have the file open just then. */
  const writeAtLast = async (...statements: string[]): Promise<void> => {
    for (let tries = 0; ; tries++) {
      try {
        await runOnFile(path, ...statements)
        return
      } catch (error) {
        if (tries > 500) throw error
        await delay(7)
      }
    }
  }
  await writeAtLast('create table mine (name varchar, level double, long double, short double)', "insert into mine values ('BTC-USDT', 9, -1, 0)")
  await until('it is nonsense', () => failures.nonsense > 1)
  t.equal(ofType(messages, 'heatmap').length, 0)
  await writeAtLast("update mine set long = 2.5 where name = 'BTC-USDT'")
  await until('it is sent', () => ofType(messages, 'heatmap').length > 0)
  t.match(ofType(messages, 'heatmap')[0], {
    symbol: 'BTC-USDT', data: { kind: 'liquidation', levels: [['9', '2.5', '0']], current_price: '10' }
  })
  const before = server.parts.heatmaps.unchanged
  await until('it was asked again and again', () => server.parts.heatmaps.unchanged > before + 3)
  t.equal(ofType(messages, 'heatmap').length, 1, 'nothing has changed')
  const metrics = await (await fetch(`${server.origin}/metrics`)).text()
  for (const name of ['heatmap_queries_total', 'heatmap_failures_total{reason="nonsense"}', 'heatmaps_total{result="unchanged"}', 'heatmap_query_seconds_count']) {
    const line = metrics.split('\n').find(line => line.startsWith(`tickwire_${name} `))
    t.ok(Number(line?.split(' ').at(-1)) > 0, line ?? name)
  }
})

test('wakes the lazy source of what it is made of', async t => {
  const server = await startServer(t, { ...SIMULATED, SOURCES: 'simulated?rate=20&lazy=true' })
  const { messages, send } = follow(t, server)
  send({ action: 'subscribe', channel: 'heatmap', symbols: ['@market/CRYPTO'] })
  await until('it runs', () => new Set(ofType(messages, 'heatmap').map(({ symbol }) => symbol)).size > 5)
  t.pass('heatmaps of a set came')
})

const options = { skip: redisProgram === undefined ? 'there is no Redis' : false } as const

test('makes on one server what clients of another subscribe to', options, async t => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const settings = { ...SIMULATED, REDIS_URL: redis.url, LOG_SHARDS: 2 }
  const [one, other] = [await startServer(t, settings), await startServer(t, settings)]
  const first = follow(t, one)
  first.send({ action: 'subscribe', channel: 'heatmap', symbols: ['BTC-USDT'] })
  await until('one makes them', () => ofType(first.messages, 'heatmap').length > 1)
  const second = follow(t, other)
  second.send({ action: 'subscribe', channel: 'heatmap', symbols: ['ETHUSDT'] })
  await until('they come at the other', () => ofType(second.messages, 'heatmap').length > 2)
  t.ok(one.parts.heatmaps.queries > 0)
  t.equal(other.parts.heatmaps.queries, 0)
  t.ok(ofType(first.messages, 'heatmap').every(({ symbol }) => symbol === 'BTC-USDT'))
  t.ok(ofType(second.messages, 'heatmap').every(({ symbol }) => symbol === 'ETH-USDT'))
})
