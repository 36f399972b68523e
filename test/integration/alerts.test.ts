import { setTimeout as delay } from 'node:timers/promises'
import type { AlertRule } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import { keptRules } from '../helpers/alert-journal.js'
import { askJson, type JsonAnswer } from '../helpers/ask-json.js'
import { onBothLogs, type Start } from '../helpers/both-logs.js'
import { type Message, openClient, until } from '../helpers/clients.js'
import { RedisServer } from '../helpers/redis-server.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

/** PROTOCOL.md, Alert rules: as users make them, and what comes of them. */

const inMemory: Start = (t, config) =>
  startServer(t, { DATA_DIR: temporaryFolder(t), LOG_SHARDS: 3, ...config })

const settings = onBothLogs(inMemory)

const ask = async (
  node: TestServer, method: string, path = '', body?: unknown, claims: Record<string, unknown> = {}
): Promise<JsonAnswer> => await askJson(node, method, `/v1/alerts${path}`, body, claims)

const rule = (more: object = {}): object => ({ type: 'price', symbol: 'A', above: '10', ...more })

async function made (
  node: TestServer, more: object = {}, claims: Record<string, unknown> = {}
): Promise<AlertRule> {
  const { status, body } = await ask(node, 'POST', '', rule(more), claims)
  if (status !== 201) throw new Error(JSON.stringify(body))
  return body as unknown as AlertRule
}

/** Follows the alerts of a user. */
function alertsOf (t: Test, node: TestServer, sub = 'alice'): Message[] {
  const found: Message[] = []
  const query = `subscribe=alerts&token=${node.token({ sub })}`
  const client = openClient('ws-json', node.origin, query, undefined, {
    onMessage: message => { if (message.type === 'alert') found.push(message) },
    onCursor: () => {}
  })
  t.teardown(() => { client.cut() })
  return found
}

const quote = (node: TestServer, last: string, symbol = 'A'): Promise<void> =>
  publish(node.app, 'quotes', symbol, { symbol, last })

/** Waits until no rule rests any more that has alerted by now. */
const rested = (): Promise<unknown> => delay(1100)

/** Waits until the processor has seen a value for each rule: from then on it knows what a crossing is. */
async function begun (
  node: TestServer, rules: readonly AlertRule[], say: () => Promise<void>
): Promise<void> {
  for (let tries = 0; ; tries++) {
    await say()
    const known = await keptRules(node.parts.log)
    if (rules.every(({ rule_id: id, version }) => known[id]?.[0] === version)) return
    if (tries > 400) throw new Error(`the rules have not begun: ${JSON.stringify(known)}`)
    await delay(50)
  }
}

const short = (alerts: readonly Message[]): unknown[] => alerts.map(({ data }) => {
  const { rule_id: id, value } = data as { rule_id: string, value: string }
  return [id, value]
})

for (const [name, start] of settings) {
  test(`${name}: users make, change and remove rules of their own`, async t => {
    const node = await start(t)
    const first = await made(node)
    t.match(first, { rule_id: /^[\w-]{16}$/, type: 'price', symbol: 'A', above: '10', version: 1, created_at: /^2.*Z$/ })
    const second = await made(node, { note: 'second', cooldown_seconds: 60 })
    t.same((await ask(node, 'GET')).body, { rules: [first, second] })
    t.same((await ask(node, 'GET', `/${second.rule_id}`)).body, second)
    const updated = await ask(node, 'PATCH', `/${second.rule_id}`, { above: null, below: '5', note: null })
    t.match(updated, { status: 200, body: { rule_id: second.rule_id, below: '5', version: 2, created_at: second.created_at, cooldown_seconds: 60 } })
    t.notOk('above' in updated.body || 'note' in updated.body)
    t.same((await ask(node, 'GET')).body, { rules: [first, updated.body] })
    t.match(await ask(node, 'PATCH', `/${second.rule_id}`, { above: '7' }), { status: 400, body: { code: 'invalid_message', message: /either/ } })
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const body = method === 'PATCH' ? { above: '7' } : undefined
      t.match(await ask(node, method, `/${first.rule_id}`, body, { sub: 'bob' }), { status: 404, body: { code: 'not_found' } }, `${method} by another user`)
    }
    t.same((await ask(node, 'GET', '', undefined, { sub: 'bob' })).body, { rules: [] })
    t.same(await ask(node, 'DELETE', `/${first.rule_id}`), { status: 204, body: {} })
    t.match(await ask(node, 'DELETE', `/${first.rule_id}`), { status: 404 })
    t.same((await ask(node, 'GET')).body, { rules: [updated.body] })
    t.equal((await fetch(`${node.origin}/v1/alerts`)).status, 401)
    const metrics = await (await fetch(`${node.origin}/metrics`)).text()
    t.match(metrics, /tickwire_alert_rules 1\n/)
  })

  test(`${name}: changes that come at once are all kept, and no user has more rules than allowed`, async t => {
    const node = await start(t, { MAX_ALERT_RULES: 6 })
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(node, 'POST', '', rule())))
    const made = answers.flatMap(({ status, body }) => status === 201 ? [String(body['rule_id'])] : [])
    // A busy machine may not answer in time, so a rule may be there whose maker does not know it.
    while (answers.at(-1)!.status !== 429) answers.push(await ask(node, 'POST', '', rule()))
    const full = { code: 'too_many_subscriptions', message: /at most 6 alert rules/ }
    t.match(answers.find(({ status }) => status === 429)!.body, full)
    const { rules } = (await ask(node, 'GET')).body as { rules: AlertRule[] }
    const ids = new Set(rules.map(({ rule_id: id }) => id))
    t.equal(rules.length, 6)
    t.equal(ids.size, 6)
    for (const id of made) t.ok(ids.has(id), 'none that was made is lost')
    t.equal((await ask(node, 'POST', '', rule(), { sub: 'bob' })).status, 201)
  })

  test(`${name}: alerts once for each crossing, and tells its user alone`, async t => {
    const node = await start(t)
    const [alice, bob] = [alertsOf(t, node), alertsOf(t, node, 'bob')]
    const above = await made(node)
    const below = await made(node, { above: undefined, below: '5', note: 'low' })
    const trade = await made(node, { of: 'trade', symbol: 'B' })
    const hers = await made(node, { above: '20' }, { sub: 'bob' })
    const tradeAt = (price: string): Promise<void> =>
      publish(node.app, 'trades', 'B', { symbol: 'B', price, size: '1', timestamp: '2026-01-01T00:00:00Z' })
    await begun(node, [above, below, trade, hers], async () => {
      await quote(node, '9')
      await tradeAt('9')
    })
    for (const some of [['10', '11'], ['9', '12'], ['4', '21']]) {
      for (const last of some) await quote(node, last)
      await rested()
    }
    await tradeAt('10.5')
    await until('all alerts have come', () => alice.length >= 5 && bob.length >= 1)
    t.same(short(alice).sort(), [[above.rule_id, '10'], [above.rule_id, '12'], [above.rule_id, '21'], [below.rule_id, '4'], [trade.rule_id, '10.5']].sort())
    t.same(short(bob), [[hers.rule_id, '21']])
    const low = alice.find(({ data }) => (data as { rule_id: string }).rule_id === below.rule_id)!
    t.match(low.data, { alert_id: new RegExp(`^${below.rule_id}\\.1\\.[0-9a-z]+$`), type: 'price', symbol: 'A', message: 'low (A: last 4, at or below 5)', triggered_at: /^2.*Z$/ })
    await ask(node, 'DELETE', `/${above.rule_id}`)
    const changed = (await ask(node, 'PATCH', `/${below.rule_id}`, { below: '3' })).body as unknown as AlertRule
    await begun(node, [changed], () => quote(node, '9'))
    for (const last of ['11', '4', '9', '3']) await quote(node, last)
    await until('the changed rule alerts', () => alice.length >= 6)
    t.same(short(alice).slice(5), [[below.rule_id, '3']])
  })

  test(`${name}: rules outlive a restart, and alert no second time`, async t => {
    const folder = temporaryFolder(t)
    const isRedis = name.endsWith('Redis')
    const redis = isRedis ? await RedisServer.start() : undefined
    if (redis !== undefined) t.teardown(() => redis.close())
    const config = { DATA_DIR: folder, ...redis === undefined ? {} : { REDIS_URL: redis.url } }
    const before = await startServer(t, config)
    const one = await made(before)
    const seen = alertsOf(t, before)
    await begun(before, [one], () => quote(before, '9'))
    await quote(before, '10')
    await until('it has alerted', () => seen.length > 0)
    await before.app.close()
    const after = await startServer(t, config)
    t.same((await ask(after, 'GET')).body, { rules: [one] })
    const again = alertsOf(t, after)
    await begun(after, [one], () => quote(after, '11'))
    await rested()
    await quote(after, '9')
    await quote(after, '12')
    await until('it alerts again', () => again.some(({ data }) => (data as { value: string }).value === '12'))
    // The alert of before is not acknowledged; a log in memory has lost it.
    t.same(short(again), [...isRedis ? [[one.rule_id, '10']] : [], [one.rule_id, '12']])
  })
}

test('asks of a rule what a subscription to its data is asked', async t => {
  const node = await inMemory(t, { UNKNOWN_SYMBOLS: 'reject' })
  await node.app.tickwire.declare([{ symbol: 'A' }])
  t.match(await ask(node, 'POST', '', rule({ symbol: 'NONE' })), { status: 400, body: { code: 'unknown_symbol' } })
  const claims = { read: ['quotes:A', 'alerts'] }
  t.equal((await ask(node, 'POST', '', rule(), claims)).status, 201)
  t.match(await ask(node, 'POST', '', rule({ of: 'trade' }), claims), { status: 403, body: { code: 'forbidden', message: /trades/ } })
  const { rule_id: id } = await made(node)
  t.match(await ask(node, 'PATCH', `/${id}`, { of: 'trade' }, claims), { status: 403 })
  for (const [body, message] of [
    [[], /the body/], [{}, /must be/], [rule({ above: 10 }), /'above': must be a decimal string/], [rule({ above: '1e3' }), /'above'/],
    [rule({ type: 'moon' }), /'type': must be one of price/], [rule({ symbol: '@market/X' }), /'symbol': must be a symbol/],
    [rule({ cooldown_seconds: -1 }), /'cooldown_seconds'/], [rule({ expires_at: '2026-02-30T00:00:00Z' }), /'expires_at'/],
    [rule({ extra: 1 }), /'extra'/], [rule({ below: '1' }), /either 'above' or 'below'/], [rule({ note: 'x'.repeat(257) }), /'note'/]
  ] as Array<[object, RegExp]>) {
    t.match(await ask(node, 'POST', '', body), { status: 400, body: { code: 'invalid_message', message } }, JSON.stringify(body).slice(0, 80))
  }
  t.match(await ask(node, 'PATCH', `/${id}`, { type: 'volume' }), { status: 400, body: { code: 'invalid_message', message: /'type'/ } })
  t.match(await ask(node, 'PATCH', `/${id}`, {}), { status: 400, body: { code: 'invalid_message' } })
  t.match(await ask(node, 'GET', '?x=1'), { status: 400, body: { code: 'bad_request' } })
})

test('alerts at the close of a bar', async t => {
  const node = await inMemory(t)
  const bar = (close: string, closed: boolean): Promise<void> => publish(node.app, 'bars.1m', 'A', {
    symbol: 'A', interval: '1m', start: '2026-01-01T00:00:00Z', open: close, high: close, low: close, close, volume: '1', vwap: close, trades: 1, closed, through: 1
  })
  const seen = alertsOf(t, node)
  const close = await made(node, { type: 'close', interval: '1m' })
  await begun(node, [close], () => bar('9', true))
  await bar('11', false)
  await bar('12', true)
  await until('it alerts', () => seen.length > 0)
  t.same(short(seen), [[close.rule_id, '12']])
})

test('lets a rule count as a subscriber of a lazy source, and leaves it alone without', async t => {
  const node = await inMemory(t, { SOURCES: 'simulated?rate=5&hours=always&lazy=1' })
  const state = (name: string): string =>
    node.parts.sources.status().find(source => source.name === name)!.state
  const seen = alertsOf(t, node)
  t.equal(state('processor:alerts'), 'waiting')
  await made(node, { symbol: 'ELSEWHERE' })
  await until('the processor of alerts runs', () => state('processor:alerts') === 'running')
  t.equal(state('simulated'), 'waiting', 'neither a subscriber of alerts nor a rule about another symbol wants it')
  const one = await made(node, { symbol: 'AAPL', type: 'percent', within: '1m', above: '0.0001' })
  await until('the source runs', () => state('simulated') === 'running')
  await until('it brings an alert', () => seen.length > 0)
  await ask(node, 'DELETE', `/${one.rule_id}`)
  await until('the source ends', () => state('simulated') === 'waiting')
})
