import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { type Message, openClient, openWebSocket, transportNames, until } from '../helpers/clients.js'
import { runCommand } from '../helpers/command.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { publish, startServer, subscribers, type TestServer } from '../helpers/server.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

/**
 * Instruments as operators and clients have them: `GET /v1/symbols`, `PUT` and `DELETE /v1/admin/symbols`,
 * `INSTRUMENTS`.
 */

type Answer = Record<string, unknown>
interface Listed { readonly symbol: string, readonly [field: string]: unknown }

async function ask (server: TestServer, method: 'PUT' | 'DELETE', query: string, body?: unknown, claims: Record<string, unknown> = { admin: true }): Promise<[number, Answer]> {
  const response = await fetch(`${server.origin}/v1/admin/symbols${query}`, {
    method,
    headers: { authorization: `Bearer ${server.token(claims)}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) })
  })
  return [response.status, await response.json() as Answer]
}
const put = (server: TestServer, body: unknown): Promise<[number, Answer]> => ask(server, 'PUT', '', body)
const symbols = async ({ origin }: TestServer, query = ''): Promise<Listed[]> =>
  ((await (await fetch(`${origin}/v1/symbols${query}`)).json()) as { symbols: Listed[] }).symbols
const names = async (server: TestServer, query = ''): Promise<string[]> => (await symbols(server, query)).map(({ symbol }) => symbol).sort()

const FULL = { symbol: 'BTC-KRW', name: '비트코인', market: 'UPBIT', sector: 'layer-1', sector_name: 'Layer 1', currency: 'KRW', tick_size: '1000', lot_size: '0.00000001', venue_symbol: 'KRW-BTC' }

const redisSkip = redisProgram === undefined ? 'there is no Redis' : false

for (const log of ['memory', 'redis'] as const) {
  const options = { skip: log === 'redis' ? redisSkip : false } as const

  test(`operators declare, change and remove instruments, on the log ${log}`, options, async t => {
    const redis = log === 'redis' ? await RedisServer.start() : undefined
    if (redis !== undefined) t.teardown(() => redis.close())
    const settings = {
      UNKNOWN_SYMBOLS: 'reject', DATA_DIR: temporaryFolder(t), ...(redis === undefined ? {} : { REDIS_URL: redis.url, LOG_SHARDS: 3 })
    } as const
    const server = await startServer(t, settings)
    t.same(await put(server, [FULL, { symbol: 'AAPL', market: 'NASDAQ' }]), [200, { accepted: 2, rejected: [] }])
    t.same(await symbols(server, '?market=UPBIT'), [FULL], 'read after write, with every field')
    const wrong = [{ symbol: 'MSFT', market: 'NASDAQ' }, { symbol: 'X', lot_size: '0,5' }, { symbol: 'X', ticks: 1 }, 7, { name: 'x' }, { symbol: 'X', market: 'a b' }]
    t.match(await put(server, wrong), [200, {
      accepted: 1,
      rejected: [
        { index: 1, field: 'lot_size', code: 'invalid_message', message: "lot_size must be a decimal above 0, not '0,5'" },
        { index: 2, field: 'ticks', message: /^there is no field 'ticks'; there are: symbol, / },
        { index: 3, message: /^an instrument is an object/ },
        { index: 4, field: 'symbol', message: 'symbol is needed' },
        { index: 5, field: 'market', message: "market must be a symbol, not 'a b'" }
      ]
    }])
    t.match(await put(server, '[{"symbol":"Y","tick_size":12345678901234567890},{"symbol":"Z"}]'), [200, { accepted: 1, rejected: [{ index: 0, code: 'invalid_message' }] }])
    t.same(await names(server), ['AAPL', 'BTC-KRW', 'MSFT', 'Z'])
    t.same(await put(server, { symbol: 'AAPL', market: 'LSE' }), [200, { accepted: 1, rejected: [] }], 'one object is a list of one')
    t.same(await names(server, '?market=NASDAQ'), ['MSFT'])

    t.same(await ask(server, 'DELETE', '?symbols=MSFT,nobody'), [200, { removed: ['MSFT'], rejected: [{ symbol: 'nobody', code: 'not_found', message: 'there is no such instrument' }] }])
    t.match(await ask(server, 'DELETE', '', ['Z', 'Z', 'MSFT']), [200, { removed: ['Z'], rejected: [{ symbol: 'MSFT', code: 'not_found' }] }])
    t.same(await names(server), ['AAPL', 'BTC-KRW'])
    const refused = await fetch(`${server.origin}/v1/stream?subscribe=quotes:MSFT`)
    t.match([refused.status, await refused.json()], [400, { code: 'unknown_symbol' }])
    t.match(await (await fetch(`${server.origin}/v1/stream?subscribe=quotes:@market/NASDAQ`)).json(), { code: 'unknown_symbol' }, 'nobody is in the set')

    for (const [method, query, body, status, code] of [
      ['DELETE', '', undefined, 400, 'bad_request'], ['DELETE', '?symbols=A', ['A'], 400, 'bad_request'], ['DELETE', '', [7], 400, 'invalid_message'],
      ['DELETE', '?symbol=A', undefined, 400, 'bad_request'], ['PUT', '?symbols=A', [], 400, 'bad_request'], ['PUT', '', '[', 400, 'invalid_json'],
      ['PUT', '', Array.from({ length: 10_001 }, () => 1), 413, 'message_too_big']
    ] as const) t.match(await ask(server, method, query, body), [status, { code }], `${method} ${query}`)
    for (const method of ['PUT', 'DELETE'] as const) {
      t.match(await ask(server, method, '', [], {}), [403, { code: 'forbidden' }])
      t.equal((await fetch(`${server.origin}/v1/admin/symbols`, { method })).status, 401)
    }
    await server.app.close()
    const again = await startServer(t, settings)
    t.same(await names(again), ['AAPL', 'BTC-KRW'], 'a restart forgets nothing')
  })

  test(`what an operator removes stays removed on every node, whatever the sources say, on the log ${log}`, options, async t => {
    const redis = log === 'redis' ? await RedisServer.start() : undefined
    if (redis !== undefined) t.teardown(() => redis.close())
    const settings = {
      SOURCES: 'simulated?rate=5',
      UNKNOWN_SYMBOLS: 'reject',
      DATA_DIR: temporaryFolder(t),
      ...(redis === undefined ? {} : { REDIS_URL: redis.url, LOG_SHARDS: 2 })
    } as const
    const nodes = [await startServer(t, settings)]
    if (redis !== undefined) nodes.push(await startServer(t, settings))
    const [first, last] = [nodes[0]!, nodes.at(-1)!]
    t.match((await symbols(last)).find(({ symbol }) => symbol === '005930'), { currency: 'KRW', tick_size: '1', lot_size: '1' })
    t.match((await symbols(last)).find(({ symbol }) => symbol === 'BTC-USD'), { currency: 'USD', tick_size: '0.01', lot_size: '0.000001' })
    t.match(await ask(first, 'DELETE', '?symbols=AAPL'), [200, { removed: ['AAPL'] }])
    t.match(await put(first, [{ symbol: 'MSFT', market: 'LSE', name: 'by an operator' }]), [200, { accepted: 1 }])
    const isSo = async (server: TestServer): Promise<boolean> =>
      !(await names(server)).includes('AAPL') && (await symbols(server, '?market=LSE'))[0]?.['name'] === 'by an operator'
    let heard = false
    for (const deadline = Date.now() + 20_000; !heard && Date.now() < deadline;) heard = await isSo(last)
    t.ok(heard, 'every node knows')
    await operateSource(first, 'stop')
    await operateSource(first, 'start')
    t.ok(await isSo(first), 'a source that starts anew changes nothing')
    for (const node of nodes) await node.app.close()
    const again = await startServer(t, settings)
    t.ok(await isSo(again), 'and no restart does')
    t.match(await put(again, [{ symbol: 'AAPL', market: 'NASDAQ' }]), [200, { accepted: 1 }])
    t.ok((await names(again)).includes('AAPL'), 'an operator brings it back')
  })
}

const operateSource = async (server: TestServer, what: string): Promise<void> => {
  await fetch(`${server.origin}/v1/admin/sources/simulated/${what}`, { method: 'POST', headers: { authorization: `Bearer ${server.token({ admin: true })}` } })
}

test('clients of a set are sent what enters it, and nothing more of what leaves it, on every transport', async t => {
  const server = await startServer(t, { DATA_DIR: temporaryFolder(t) })
  await put(server, [{ symbol: 'A', market: 'X' }, { symbol: 'B', market: 'X' }])
  const quote = (symbol: string, bid: string): Promise<void> => publish(server.app, 'quotes', symbol, { symbol, bid })
  for (const symbol of ['A', 'B', 'C']) await quote(symbol, '1')
  const heard = new Map<string, string[]>()
  for (const transport of transportNames) {
    for (const selector of ['@market/X', 'A']) {
      const lines: string[] = []
      heard.set(`${transport} ${selector}`, lines)
      const client = openClient(transport, server.origin, `subscribe=quotes:${selector}`, undefined, {
        onMessage: ({ type, symbol, snapshot, data }: Message) => {
          if (type === 'reset') lines.push(`reset ${symbol}`)
          if (type === 'quote') lines.push(`${snapshot === true ? 'state' : 'quote'} ${symbol} ${(data as { bid: string }).bid}`)
        },
        onCursor: () => {}
      })
      t.teardown(() => { client.cut() })
    }
  }
  const count = transportNames.length
  await until('all are there', () => subscribers(server, 'quotes:A') === 2 * count && subscribers(server, 'quotes:B') === count)
  t.match(await ask(server, 'DELETE', '', ['A']), [200, { removed: ['A'] }])
  await until('it has left', () => subscribers(server, 'quotes:A') === count)
  await quote('A', '2')
  await put(server, [{ symbol: 'C', market: 'X' }])
  await until('another has entered', () => subscribers(server, 'quotes:C') === count)
  await quote('C', '3')
  for (const transport of transportNames) {
    await until(`${transport} has the last`, () => heard.get(`${transport} @market/X`)!.includes('quote C 3') && heard.get(`${transport} A`)!.includes('quote A 2'))
    const ofSet = heard.get(`${transport} @market/X`)!
    t.same(ofSet.filter(line => line.includes(' A')), ['state A 1'], transport)
    t.same(ofSet.filter(line => line.includes(' C')), ['reset C', 'state C 1', 'quote C 3'], transport)
    t.same(heard.get(`${transport} A`), ['state A 1', 'quote A 2'], transport)
  }
})

test('a set is subscribed to as soon as an instrument names it', async t => {
  const server = await startServer(t, { UNKNOWN_SYMBOLS: 'reject', DATA_DIR: temporaryFolder(t) })
  const messages: Message[] = []
  const client = openWebSocket(server.origin, '', 'tickwire.v1.json', { onMessage: message => { messages.push(message) }, onCursor: () => {} })
  t.teardown(() => { client.cut() })
  await until('welcome', () => messages.length > 0)
  const subscribe = async (id: number): Promise<Message> => {
    client.send({ action: 'subscribe', id, channel: 'quotes', symbols: ['@sector/fresh', 'NEW'] })
    await until('an answer', () => messages.some(message => message['id'] === id))
    return messages.find(message => message['id'] === id)!
  }
  t.match(await subscribe(1), { symbols: [], rejected: [{ symbol: '@sector/fresh', code: 'unknown_symbol' }, { symbol: 'NEW', code: 'unknown_symbol' }] })
  await put(server, [{ symbol: 'NEW', sector: 'fresh' }])
  t.match(await subscribe(2), { symbols: ['@sector/fresh', 'NEW'], rejected: [] })
  await publish(server.app, 'quotes', 'NEW', { symbol: 'NEW', bid: '1' })
  await until('the first message', () => messages.some(({ symbol, sequence }) => symbol === 'NEW' && sequence === 1))
})

test('a server makes no file until an operator changes something', async t => {
  const folder = join(temporaryFolder(t), 'data')
  const server = await startServer(t, { SOURCES: 'simulated?rate=5', DATA_DIR: folder })
  await server.app.tickwire.declare([{ symbol: 'OWN', market: 'X' }])
  await server.app.tickwire.undeclare(['OWN', 'nobody', 'AAPL'])
  t.notOk((await names(server)).some(symbol => ['OWN', 'AAPL'].includes(symbol)))
  await server.app.close()
  t.notOk(existsSync(folder))
})

test('INSTRUMENTS are declared at the start, stand above what sources say, and below operators', async t => {
  const folder = temporaryFolder(t)
  const file = join(folder, 'mine.csv')
  writeFileSync(file, 'symbol,market,name,tick_size\nAAPL,XNAS,by the file,0.05\nOWN,X,,\nGONE,X,,\n')
  const settings = { SOURCES: 'simulated?rate=5', INSTRUMENTS: file, DATA_DIR: join(folder, 'data') }
  const server = await startServer(t, settings)
  t.same(await symbols(server, '?market=XNAS'), [{ symbol: 'AAPL', market: 'XNAS', name: 'by the file', tick_size: '0.05' }])
  t.same(await names(server, '?market=X'), ['GONE', 'OWN'])
  t.equal((await names(server)).length, 65)
  await operateSource(server, 'stop')
  await operateSource(server, 'start')
  t.same(await names(server, '?market=XNAS'), ['AAPL'])
  t.match(await ask(server, 'DELETE', '?symbols=GONE'), [200, { removed: ['GONE'] }])
  await server.app.close()
  const again = await startServer(t, settings)
  t.same(await names(again, '?market=X'), ['OWN'])
})

test('a malformed file of instruments stops the start and check-config, and both say where', async t => {
  const file = join(temporaryFolder(t), 'instruments.csv')
  writeFileSync(file, "symbol,market,tick_size\nA,X,0.5\nB,MARKET,'0.5'\n".replaceAll("'", '"').replace('0.5"', '0,5"'))
  const message = `tickwire: ${file}:3:10: tick_size must be a decimal above 0, not '0,5'\n`
  for (const command of ['start', 'check-config']) {
    const { code, err } = await runCommand([command], { INSTRUMENTS: file, PORT: '0' })
    t.equal(code, 1, command)
    t.equal(err, message, command)
  }
  writeFileSync(file, 'symbol\nA\n')
  const good = await runCommand(['check-config'], { INSTRUMENTS: file })
  t.equal(good.code, 0, good.err)
  t.match(good.out, /^INSTRUMENTS +.*instruments\.csv +environment$/m)
})
