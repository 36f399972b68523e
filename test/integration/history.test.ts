import { test } from 'tap'
import { eventually } from '../helpers/eventually.js'
import { postgresProgram, PostgresServer } from '../helpers/postgres.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

interface Message {
  readonly type: string
  readonly sequence?: number
  readonly reason?: string
  readonly data?: { readonly trade_id?: string }
}
interface Answer {
  readonly messages: readonly Message[]
  readonly next: string | null
  readonly more: boolean
}

const trade = (id: number, symbol = 'A'): object => (
  { symbol, price: '1.50', size: '2', timestamp: '2026-01-01T00:00:00Z', trade_id: String(id) })

async function trades ({ app }: Pick<TestServer, 'app'>, first: number, last: number): Promise<void> {
  const ids = Array.from({ length: last - first + 1 }, (_, index) => first + index)
  const results = await app.tickwire.publishAll(ids.map(id => ({ channel: 'trades', symbol: 'A', data: trade(id) })))
  for (const result of results) if ('code' in result) throw new Error(result.message)
}

const get = async ({ origin }: Pick<TestServer, 'origin'>, query: string, headers: Record<string, string> = {}): Promise<Response> =>
  await fetch(`${origin}/v1/history?${query}`, { headers })
const read = async (server: Pick<TestServer, 'origin'>, query: string): Promise<Answer> =>
  await (await get(server, query)).json() as Answer
const shown = (messages: readonly Message[]): Array<string | undefined> =>
  messages.map(({ reason, data }) => reason ?? data?.trade_id)
const ids = (first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, index) => String(first + index))

async function isRecorded (server: Pick<TestServer, 'origin'>, channel: string, count: number): Promise<boolean> {
  const text = await (await fetch(`${server.origin}/metrics`)).text()
  return text.includes(`tickwire_source_events_total{source="recorder",part="${channel}",event="recorded"} ${count}\n`)
}

test('goes on behind the retention, and behind a restart that loses the log', async t => {
  const settings = { RECORD: 'trades', DATA_DIR: temporaryFolder(t), RETENTION_MESSAGES: 10 }
  const first = await startServer(t, settings)
  await trades(first, 1, 8)
  await eventually('eight are recorded', () => isRecorded(first, 'trades', 8))
  await trades(first, 9, 15)
  t.strictSame(shown((await read(first, 'channel=trades&symbol=A')).messages), ids(1, 15))
  // The server records the rest as it closes.
  await first.app.close()
  const second = await startServer(t, settings)
  await trades(second, 16, 18)
  const { messages, next, more } = await read(second, 'channel=trades&symbol=A')
  t.strictSame(shown(messages), [...ids(1, 15), 'epoch_changed', ...ids(16, 18)])
  t.match(messages[0], { type: 'trade', channel: 'trades', symbol: 'A', sequence: 1, data: trade(1) })
  t.equal(more, false)
  await trades(second, 19, 20)
  t.strictSame(shown((await read(second, `channel=trades&symbol=A&after=${next}`)).messages), ids(19, 20))
})

test('records nothing more, as it closes, once an operator has stopped the recorder', async t => {
  const settings = { RECORD: 'trades', DATA_DIR: temporaryFolder(t) }
  const first = await startServer(t, settings)
  await trades(first, 1, 3)
  await eventually('three are recorded', () => isRecorded(first, 'trades', 3))
  const headers = { authorization: `Bearer ${first.token({ admin: true })}` }
  t.equal((await fetch(`${first.origin}/v1/admin/sources/recorder/stop`, { method: 'POST', headers })).status, 204)
  await trades(first, 4, 6)
  await first.app.close()
  const second = await startServer(t, settings)
  t.strictSame(shown((await read(second, 'channel=trades&symbol=A')).messages), ids(1, 3))
})

test('a chart begins with recorded bars, and what is retained of a bar stands', async t => {
  const settings = { RECORD: 'bars', DATA_DIR: temporaryFolder(t) }
  const bar = (minute: number, close: string): object => ({
    symbol: 'A',
    interval: '1m',
    start: `2026-01-01T00:0${minute}:00Z`,
    open: '1',
    high: '9',
    low: '1',
    close,
    volume: '1',
    vwap: '1',
    trades: 1,
    closed: true,
    revision: 0,
    through: 1
  })
  const add = async ({ app }: TestServer, ...bars: object[]): Promise<void> => {
    const results = await app.tickwire.publishAll(bars.map(data => ({ channel: 'bars.1m', symbol: 'A', data })))
    for (const result of results) if ('code' in result) throw new Error(result.message)
  }
  const closes = async ({ origin }: TestServer, query = ''): Promise<[sequence: number, closes: string[]]> => {
    const { sequence, bars } = await (await fetch(`${origin}/v1/bars?symbol=A&interval=1m${query}`)).json() as {
      sequence: number
      bars: Array<{ close: string }>
    }
    return [sequence, bars.map(({ close }) => close)]
  }
  const first = await startServer(t, settings)
  await add(first, bar(0, '2'), bar(1, '3'), bar(2, '4'), bar(0, '5'))
  await first.app.close()
  const second = await startServer(t, settings)
  await add(second, bar(2, '6'), bar(3, '7'))
  t.strictSame(await closes(second), [2, ['5', '3', '6', '7']])
  t.strictSame(await closes(second, '&limit=3'), [2, ['3', '6', '7']])
  t.strictSame(await closes(second, '&from=2026-01-01T00:01:00Z&to=2026-01-01T00:03:00Z'), [2, ['3', '6']])
})

test('pages, and streams lines and tables', async t => {
  const server = await startServer(t, { RECORD: 'trades,news', DATA_DIR: temporaryFolder(t) })
  await trades(server, 1, 2500)
  const pages: string[] = []
  for (let after: string | null = null, more = true; more;) {
    const page: Answer = await read(server, `channel=trades&symbol=A&limit=700${after === null ? '' : `&after=${after}`}`)
    t.ok(page.messages.length <= 700)
    pages.push(...shown(page.messages) as string[])
    after = page.next
    more = page.more
  }
  t.strictSame(pages, ids(1, 2500))
  const lines = (await (await get(server, 'channel=trades&symbol=A', { accept: 'application/x-ndjson' })).text()).trimEnd().split('\n')
  const parsed = lines.map(line => JSON.parse(line) as Message & { next?: string })
  const end = parsed.pop()!
  t.match(end, { type: 'end', more: false })
  t.strictSame(shown(parsed), ids(1, 2500))
  const head = await fetch(`${server.origin}/v1/history?channel=trades&symbol=A&format=csv`, { method: 'HEAD' })
  t.match(head.headers.get('content-type'), 'text/csv')
  const some = (await (await get(server, 'channel=trades&symbol=A&format=ndjson&limit=3')).text()).trimEnd().split('\n')
  t.match(JSON.parse(some.at(-1)!), { type: 'end', more: true })
  t.equal(some.length, 4)
  const table = await get(server, 'channel=trades&symbol=A&limit=2', { accept: 'text/html, text/csv;q=0.9' })
  t.match(table.headers.get('content-type'), 'text/csv')
  t.equal((await table.text()).replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, 'NOW'), 'sequence,log_timestamp,symbol,price,size,timestamp,exchange,side,trade_id,corrects,received_at\r\n' +
    `1,NOW,A,1.50,2,2026-01-01T00:00:00Z,,,1,,\r\n2,${/^2,([^,]*)/m.exec(await (await get(server, 'channel=trades&symbol=A&limit=2&format=csv')).text())![1]},A,1.50,2,2026-01-01T00:00:00Z,,,2,,\r\n`)
  const headline = 'He said "no", then left\nfor 1,5'
  await server.app.tickwire.publishAll([{ channel: 'news', data: { headline, source: ' wire', symbols: ['A', 'B'], timestamp: '2026-01-01T00:00:00Z' } }])
  const news = await (await get(server, 'channel=news&format=csv')).text()
  t.match(news, '"He said ""no"", then left\nfor 1,5"," wire","[""A"",""B""]",,2026-01-01T00:00:00Z,,\r\n')
  t.match(await (await get(server, 'channel=trades&symbol=NONE&format=csv')).text(), /^sequence,[^\n]*\r\n$/)
})

test('reads a range of time', async t => {
  const server = await startServer(t, { RECORD: 'trades', DATA_DIR: temporaryFolder(t) })
  await trades(server, 1, 3)
  await new Promise(resolve => { setTimeout(resolve, 5) })
  const between = new Date().toISOString()
  await new Promise(resolve => { setTimeout(resolve, 5) })
  await trades(server, 4, 6)
  t.strictSame(shown((await read(server, `channel=trades&symbol=A&to=${between}`)).messages), ids(1, 3))
  t.strictSame(shown((await read(server, `channel=trades&symbol=A&from=${between}`)).messages), ids(4, 6))
  await eventually('all are recorded', () => isRecorded(server, 'trades', 6))
  t.strictSame(shown((await read(server, `channel=trades&symbol=A&to=${between}`)).messages), ids(1, 3))
  t.strictSame(shown((await read(server, `channel=trades&symbol=A&from=${between}`)).messages), ids(4, 6))
})

test('serves what is retained of a channel that is not recorded, with the rights of a subscriber', async t => {
  const server = await startServer(t)
  await trades(server, 1, 5)
  t.strictSame(shown((await read(server, 'channel=trades&symbol=A')).messages), ids(1, 5))
  const narrow = { authorization: `Bearer ${server.token({ read: ['quotes:*'] })}` }
  const refused: ReadonlyArray<readonly [query: string, code: string, headers?: Record<string, string>]> = [
    ['', 'bad_request'],
    ['channel=trades', 'bad_request'],
    ['channel=news&symbol=A', 'bad_request'],
    ['channel=nothing&symbol=A', 'unknown_channel'],
    ['channel=instruments&symbol=A', 'unknown_channel'],
    ['channel=orders', 'unauthorized'],
    ['channel=trades&symbol=A', 'forbidden', narrow],
    ['channel=trades&symbol=A&epoch=x', 'bad_request'],
    ['topic=trades:A&format=csv', 'bad_request'],
    ['channel=trades&symbol=A&after=7', 'bad_request'],
    ['channel=trades&symbol=A&from=yesterday', 'bad_request'],
    ['channel=trades&symbol=A&from=2026-02-30T00:00:00Z', 'bad_request'],
    ['channel=trades&symbol=A&from=2026-02-02T00:00:00Z&to=2026-02-01T00:00:00Z', 'bad_request'],
    ['channel=trades&symbol=A&limit=10001', 'bad_request'],
    ['channel=trades&symbol=A&format=xml', 'bad_request']
  ]
  for (const [query, code, headers] of refused) {
    t.match(await (await get(server, query, headers)).json(), { type: 'error', code }, query)
  }
  t.match(await read(server, 'topic=trades:A&limit=2'), { messages: [{ sequence: 4 }, { sequence: 5 }] }, 'as before')
})

test('streams few histories at a time for one user or address, so that others get theirs', async t => {
  const server = await startServer(t)
  const ends: Array<() => void> = []
  // Histories that end when the test says so.
  Object.assign(server.parts.histories, {
    async * read () {
      await new Promise<void>(resolve => { ends.push(resolve) })
      yield []
    }
  })
  const ask = async (headers?: Record<string, string>): Promise<Response> => await get(server, 'channel=trades&symbol=A&format=csv', headers)
  const bearer = (sub: string): Record<string, string> => ({ authorization: `Bearer ${server.token({ sub })}` })
  const streamed: Array<Promise<string>> = []
  for (const headers of [undefined, bearer('alice'), bearer('bob')]) {
    for (let count = 1; count <= 4; count++) streamed.push(ask(headers).then(response => response.text()))
    await eventually('four more are streamed', () => ends.length === streamed.length)
    const refused = await ask(headers)
    t.equal(refused.status, 503)
    t.match(await refused.json(), { code: 'overloaded', message: /at most 4 histories for a user/ })
  }
  for (const end of ends.splice(0)) end()
  for (const text of await Promise.all(streamed)) t.match(text, /^sequence,/)
  const again = ask()
  await eventually('it is streamed', () => ends.length === 1)
  ends[0]!()
  t.match(await (await again).text(), /^sequence,/)
})

test('refuses to start with what cannot be recorded', async t => {
  await t.rejects(startServer(t, { RECORD: 'trades,orders' }), { message: /RECORD: 'orders' is no channel that can be recorded; these can: .*trades/ })
  await t.rejects(startServer(t, { RECORD: 'candles' }), { message: /'candles' is no channel/ })
})

test('streams on while the store is away, and records what it missed when it is back', { skip: postgresProgram === undefined ? 'no PostgreSQL that a test may stop' : false }, async t => {
  const postgres = await PostgresServer.start({ isDurable: true })
  t.teardown(() => postgres.close())
  const server = await startServer(t, { RECORD: 'trades', DATABASE_URL: postgres.url(await postgres.createDatabase()) })
  await trades(server, 1, 10)
  await eventually('ten are recorded', () => isRecorded(server, 'trades', 10))
  await postgres.kill()
  await trades(server, 11, 30)
  const failed = async (): Promise<boolean> => /source="recorder",part="",event="failed"\} \d/.test(await (await fetch(`${server.origin}/metrics`)).text())
  await eventually('the recorder has failed', failed)
  t.match(await (await get(server, 'channel=trades&symbol=A&limit=5')).json(), { type: 'error', code: 'log_unavailable' })
  t.strictSame(shown((await read(server, 'topic=trades:A')).messages), ids(1, 30), 'the stream goes on')
  await postgres.start()
  await eventually('all are recorded', () => isRecorded(server, 'trades', 30))
  t.strictSame(shown((await read(server, 'channel=trades&symbol=A')).messages), ids(1, 30))
})

test('of several servers on one log, one records; another goes on where it was', { skip: postgresProgram === undefined || redisProgram === undefined ? 'no PostgreSQL or Redis' : false }, async t => {
  const [postgres, redis] = await Promise.all([PostgresServer.start(), RedisServer.start()])
  t.teardown(async () => {
    await postgres.close()
    await redis.close()
  })
  await t.rejects(startServer(t, { RECORD: 'trades', REDIS_URL: redis.url, DATA_DIR: temporaryFolder(t) }), { message: /DATABASE_URL is needed/ })
  const settings = { RECORD: 'trades', REDIS_URL: redis.url, DATABASE_URL: postgres.url(await postgres.createDatabase()) }
  const first = await startServer(t, settings)
  const second = await startServer(t, settings)
  await trades(first, 1, 20)
  await trades(second, 21, 40)
  await eventually('all are recorded', () => isRecorded(first, 'trades', 40))
  await first.app.close()
  await trades(second, 41, 60)
  await eventually('the other one records', () => isRecorded(second, 'trades', 20))
  t.strictSame(shown((await read(second, 'channel=trades&symbol=A')).messages), ids(1, 60))
})
