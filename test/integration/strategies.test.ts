import { join } from 'node:path'
import type { StrategyRecord } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import { askJson, type JsonAnswer } from '../helpers/ask-json.js'
import { onBothLogs, type Start } from '../helpers/both-logs.js'
import { type Message, openClient, until } from '../helpers/clients.js'
import { RedisServer } from '../helpers/redis-server.js'
import { ROOT } from '../helpers/root.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'
import { startOf } from '../helpers/strategy-runs.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

/** PROTOCOL.md, Strategies: as users start them, and what they say. */

const inMemory: Start = (t, config) => startServer(t, {
  DATA_DIR: temporaryFolder(t), LOG_SHARDS: 3, STRATEGIES: join(ROOT, 'test/helpers/strategies'), STRATEGY_CALL_MS: 30_000, ...config
})

const settings = onBothLogs(inMemory)

const ask = async (
  node: TestServer, method: string, path = '', body?: unknown, claims: Record<string, unknown> = {}
): Promise<JsonAnswer> => await askJson(node, method, `/v1/strategies${path}`, body, claims)

async function started (
  node: TestServer, name: string, more: object = {}, claims: Record<string, unknown> = {}
): Promise<StrategyRecord> {
  const { status, body } = await ask(node, 'POST', '', { name, symbol: 'A', ...more }, claims)
  if (status !== 201) throw new Error(JSON.stringify(body))
  return body as unknown as StrategyRecord
}

type Said = Record<string, string | undefined>

/** Follows all strategies of a user. */
function saidTo (t: Test, node: TestServer, sub = 'alice', symbols = '*'): Array<{ readonly id: string, readonly data: Said }> {
  const found: Array<{ id: string, data: Said }> = []
  const client = openClient('ws-json', node.origin, `subscribe=strategy:${symbols}&token=${node.token({ sub })}`, undefined, {
    onMessage: (message: Message) => { if (message.type === 'strategy') found.push({ id: String(message.symbol), data: message.data as Said }) },
    onCursor: () => {}
  })
  t.teardown(() => { client.cut() })
  return found
}

const bar = (node: TestServer, number: number, close: string, symbol = 'A'): Promise<void> => publish(node.app, 'bars.1m', symbol, {
  symbol, interval: '1m', start: startOf(number), open: close, high: close, low: close, close, volume: '1', vwap: close, trades: 1, closed: true, revision: 0, through: 1
})

for (const [name, start] of settings) {
  test(`${name}: users start, pause, resume, stop and delete strategies of their own`, async t => {
    const node = await start(t)
    const registry = (await ask(node, 'GET', '/registry')).body as { strategies: Array<{ name: string }> }
    t.match(registry.strategies.find(({ name }) => name === 'breakout'), {
      title: 'Breakout',
      description: /highest high/,
      parameters: { type: 'object', properties: { lookback: { type: 'integer', minimum: 2, maximum: 400, default: 20 }, interval: { default: '1m' } } }
    })
    const [alice, bob] = [saidTo(t, node), saidTo(t, node, 'bob')]
    const one = await started(node, 'told', { quantity: '2', parameters: { reason: 'told so' } })
    t.match(one, { strategy_id: /^[0-9a-f]{20}$/, name: 'told', symbol: 'A', parameters: { reason: 'told so', interval: '1m' }, mode: 'signal', quantity: '2', status: 'running', version: 1 })
    t.match((await ask(node, 'GET')).body, { strategies: [{ strategy_id: one.strategy_id }] })
    t.same((await ask(node, 'GET', '', undefined, { sub: 'bob' })).body, { strategies: [] })
    await until('it runs', () => alice.at(-1)?.data['status'] === 'running')
    await bar(node, 1, '1')
    await until('it gives a signal', () => alice.some(({ data }) => data['signal'] === 'buy'))
    const signal = alice.find(({ data }) => data['signal'] === 'buy')!
    t.match(signal, { id: one.strategy_id, data: { strategy_id: one.strategy_id, quantity: '2', price: '1', reason: 'told so', position: '2' } })
    for (const action of ['pause', 'resume', 'stop']) {
      t.match(await ask(node, 'POST', `/${one.strategy_id}/${action}`, undefined, { sub: 'bob' }), { status: 404, body: { code: 'not_found' } })
    }
    t.match(await ask(node, 'POST', `/${one.strategy_id}/pause`), { status: 200, body: { status: 'paused', version: 2 } })
    await until('it pauses', () => alice.at(-1)?.data['status'] === 'paused')
    t.match(await ask(node, 'POST', `/${one.strategy_id}/pause`), { status: 200, body: { version: 2 } }, 'once more changes nothing')
    t.match(await ask(node, 'POST', `/${one.strategy_id}/resume`), { status: 200, body: { status: 'running', version: 3 } })
    await until('it runs again', () => alice.at(-1)?.data['status'] === 'running')
    await bar(node, 2, '0')
    await until('it sells', () => alice.some(({ data }) => data['signal'] === 'flat'))
    t.match(await ask(node, 'POST', `/${one.strategy_id}/stop`), { status: 200, body: { status: 'stopped' } })
    await until('it stops', () => alice.at(-1)?.data['status'] === 'stopped')
    t.match(await ask(node, 'POST', `/${one.strategy_id}/resume`), { status: 400, body: { code: 'invalid_message', message: /is stopped: only one that is paused or failed/ } })
    t.match(await ask(node, 'DELETE', `/${one.strategy_id}`), { status: 204 })
    t.match(await ask(node, 'DELETE', `/${one.strategy_id}`), { status: 404 })
    t.same(bob, [], 'nobody else hears of it')
    t.same((await ask(node, 'GET')).body, { strategies: [] })
  })

  test(`${name}: one that hangs and one that throws are stopped and named; others, and the stream, go on`, async t => {
    const node = await start(t, { STRATEGY_CALL_MS: 10_000 })
    const alice = saidTo(t, node)
    const last = (id: string): Said | undefined => alice.findLast(said => said.id === id)?.data
    const loops = await started(node, 'loops', { symbol: 'B' })
    const throws = await started(node, 'throws', { symbol: 'B' })
    const told = await started(node, 'told')
    const ids = [loops, throws, told].map(({ strategy_id: id }) => id)
    await until('all run', () => ids.every(id => last(id)?.['status'] === 'running'))
    const quotes: Message[] = []
    const client = openClient('ws-json', node.origin, 'subscribe=quotes:C', undefined, {
      onMessage: message => { if (message.type === 'quote') quotes.push(message) }, onCursor: () => {}
    })
    t.teardown(() => { client.cut() })
    const spread = async (count: number): Promise<void> => {
      const upTo = quotes.length + count
      for (let price = 1; price <= count; price++) await publish(node.app, 'quotes', 'C', { symbol: 'C', last: String(price) })
      await until('all quotes have come', () => quotes.length >= upTo)
    }
    await spread(1)
    await bar(node, 1, '666', 'B')
    await until('one has thrown', () => last(throws.strategy_id)?.['status'] === 'failed')
    t.match(last(throws.strategy_id), { reason: 'throws has failed: Error: as it was told' })
    // Either order is possible, because they share a worker or do not.
    await spread(200)
    await bar(node, 1, '5')
    await until('the other has hung', () => last(loops.strategy_id)?.['status'] === 'failed', 60_000)
    t.match(last(loops.strategy_id), { reason: 'loops has failed: a call has taken longer than 10000 ms' })
    await bar(node, 2, '1')
    await until('the third goes on', () => alice.some(({ data }) => data['signal'] === 'buy'), 60_000)
    t.match(last(told.strategy_id), { status: 'running' })
    const { strategies } = (await ask(node, 'GET')).body as { strategies: StrategyRecord[] }
    t.same(strategies.map(({ name, status }) => [name, status]), [['loops', 'failed'], ['throws', 'failed'], ['told', 'running']])
    t.match(strategies[0], { reason: /longer than/ })
  })

  test(`${name}: strategies outlive a restart, with what they have`, async t => {
    const folder = temporaryFolder(t)
    const isRedis = name.endsWith('Redis')
    const redis = isRedis ? await RedisServer.start() : undefined
    if (redis !== undefined) t.teardown(() => redis.close())
    const config = { DATA_DIR: folder, ...redis === undefined ? {} : { REDIS_URL: redis.url } }
    const before = await inMemory(t, config)
    const one = await started(before, 'told', { quantity: '3' })
    const seen = saidTo(t, before)
    await until('it runs', () => seen.at(-1)?.data['status'] === 'running')
    await bar(before, 1, '1')
    await until('it has bought', () => seen.at(-1)?.data['position'] === '3')
    await before.app.close()
    const after = await inMemory(t, config)
    t.match((await ask(after, 'GET')).body, { strategies: [{ strategy_id: one.strategy_id, status: 'running', results: { position: '3', cost: '3' } }] })
    const again = saidTo(t, after)
    await until('it runs again', () => again.at(-1)?.data['status'] === 'running')
    await bar(after, 2, '0')
    await until('it sells what it has', () => again.some(({ data }) => data['signal'] === 'flat' && data['quantity'] === '3'))
    t.equal(again.filter(({ data }) => data['signal'] === 'buy' && data['as_of'] !== seen.find(({ data }) => data['signal'] === 'buy')?.data['as_of']).length, 0, 'the bar of before is not answered again')
  })
}

test('asks of a strategy what a subscription to its data is asked, and no more than it may have', async t => {
  const node = await inMemory(t, { UNKNOWN_SYMBOLS: 'reject', MAX_STRATEGIES: 2, MAX_RUNNING_STRATEGIES: 3, BROKER: 'none' })
  await node.app.tickwire.declare([{ symbol: 'A' }])
  t.match(await ask(node, 'POST', '', { name: 'told', symbol: 'NONE' }), { status: 400, body: { code: 'unknown_symbol' } })
  t.match(await ask(node, 'POST', '', { name: 'tolt', symbol: 'A' }), { status: 404, body: { code: 'not_found', message: /did you mean 'told'/ } })
  t.match(await ask(node, 'POST', '', { name: 'told', symbol: 'A' }, { read: ['quotes:A', 'strategy:*'] }), { status: 403, body: { code: 'forbidden', message: /bars\.1m/ } })
  t.match(await ask(node, 'POST', '', { name: 'told', symbol: 'A', mode: 'paper' }), { status: 503, body: { code: 'disabled', message: /no broker/ } })
  for (const [body, message] of [
    [[], /the body/], [{}, /'name': must be the name of a strategy/], [{ name: 'told', symbol: '@market/X' }, /'symbol': must be a symbol/],
    [{ name: 'told', symbol: 'A', mode: 'real' }, /'mode': must be one of signal, paper/], [{ name: 'told', symbol: 'A', quantity: 1 }, /'quantity': must be a decimal string/],
    [{ name: 'told', symbol: 'A', quantity: '0' }, /'quantity': must be above 0/], [{ name: 'told', symbol: 'A', quantity: '-1' }, /'quantity': must be above 0/],
    [{ name: 'told', symbol: 'A', parameters: { reason: 5 } }, /'reason'/], [{ name: 'told', symbol: 'A', parameters: { reazon: 'x' } }, /no such parameter; there are: reason, more, interval/],
    [{ name: 'told', symbol: 'A', parameters: { reason: [] } }, /must be/], [{ name: 'told', symbol: 'A', extra: 1 }, /'extra'/]
  ] as Array<[object, RegExp]>) {
    t.match(await ask(node, 'POST', '', body), { status: 400, body: { code: 'invalid_message', message } }, JSON.stringify(body))
  }
  t.match(await ask(node, 'GET', '?x=1'), { status: 400, body: { code: 'bad_request' } })
  t.match(await ask(node, 'POST', '/none/pause'), { status: 404 })
  t.equal((await fetch(`${node.origin}/v1/strategies`)).status, 401)
  t.equal((await fetch(`${node.origin}/v1/strategies/registry`)).status, 401)
  await started(node, 'told')
  const second = await started(node, 'told')
  t.match(await ask(node, 'POST', '', { name: 'told', symbol: 'A' }), { status: 429, body: { code: 'too_many_subscriptions', message: /at most 2 strategies/ } })
  await started(node, 'told', {}, { sub: 'bob' })
  await until('the server knows of all', () => node.parts.strategyDemand()?.items === 3)
  t.match(await ask(node, 'POST', '', { name: 'told', symbol: 'A' }, { sub: 'bob' }), { status: 503, body: { code: 'overloaded', message: /at most 3 strategies/ } })
  t.match(await (await fetch(`${node.origin}/metrics`)).text(), /tickwire_strategies 3\n/)
  await ask(node, 'DELETE', `/${second.strategy_id}`)
  t.equal((await ask(node, 'POST', '', { name: 'told', symbol: 'A' })).status, 201)
})

test('lets a strategy count as a subscriber of a lazy source, and runs nothing without one', async t => {
  const node = await inMemory(t, { SOURCES: 'simulated?rate=20&hours=always&lazy=1', BARS: '1s' })
  const state = (name: string): string =>
    node.parts.sources.status().find(source => source.name === name)!.state
  const seen = saidTo(t, node)
  t.equal(state('processor:strategies'), 'waiting')
  t.equal(state('simulated'), 'waiting')
  const one = await started(node, 'breakout', { symbol: 'BTC-USD', parameters: { lookback: 2, interval: '1s' } })
  await until('the source runs', () => state('simulated') === 'running')
  await until('the strategy trades', () => seen.some(({ data }) => data['signal'] === 'buy'), 90_000)
  await ask(node, 'POST', `/${one.strategy_id}/pause`)
  await until('the source ends', () => state('simulated') === 'waiting', 60_000)
  t.equal(seen.at(-1)!.data['status'], 'paused')
  await ask(node, 'DELETE', `/${one.strategy_id}`)
  await until('nothing runs', () => state('processor:strategies') === 'waiting', 60_000)
})
