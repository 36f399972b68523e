import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { StrategyRecord } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import type { Config } from '../../src/config.js'
import { type Message, openClient, until } from '../helpers/clients.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { ROOT } from '../helpers/root.js'
import { publish, startServer, type TestServer } from '../helpers/server.js'
import { startOf } from '../helpers/strategy-runs.js'
import { temporaryFolder } from '../helpers/temporary-folder.js'

/** PROTOCOL.md, Strategies: signals that become orders on the paper exchange, and what comes of them. */

type Said = Record<string, string | undefined>

const bar = (node: TestServer, number: number, close: string): Promise<void> => publish(node.app, 'bars.1m', 'A', {
  symbol: 'A', interval: '1m', start: startOf(number), open: close, high: close, low: close, close, volume: '1', vwap: close, trades: 1, closed: true, revision: 0, through: 1
})

const book = (node: TestServer, bid: string, ask: string): Promise<void> =>
  publish(node.app, 'book', 'A', { symbol: 'A', bids: [[bid, '100']], asks: [[ask, '100']] }, { snapshot: true })

/** Follows a private channel of alice. */
function follow (t: Test, node: TestServer, selector: string): Said[] {
  const found: Said[] = []
  const client = openClient('ws-json', node.origin, `subscribe=${selector}&token=${node.token({ trade: true })}`, undefined, {
    onMessage: (message: Message) => { if (message.type === 'strategy' || message.type === 'order') found.push(message.data as Said) },
    onCursor: () => {}
  })
  t.teardown(() => { client.cut() })
  return found
}

async function started (
  node: TestServer, more: object = {}, claims: Record<string, unknown> = { trade: true }
): Promise<{ status: number, body: StrategyRecord & { code?: string } }> {
  const response = await fetch(`${node.origin}/v1/strategies`, {
    method: 'POST',
    body: JSON.stringify({ name: 'told', symbol: 'A', mode: 'paper', quantity: '2', ...more }),
    headers: { authorization: `Bearer ${node.token(claims)}`, 'content-type': 'application/json' }
  })
  return { status: response.status, body: await response.json() as StrategyRecord }
}

const config = (t: Test): Partial<Config> => ({
  DATA_DIR: temporaryFolder(t), LOG_SHARDS: 3, STRATEGIES: join(ROOT, 'test/helpers/strategies'), STRATEGY_CALL_MS: 30_000
})

test('a strategy buys and sells on the paper exchange, and counts its own fills alone', async t => {
  const node = await startServer(t, config(t))
  t.match(await started(node, {}, {}), { status: 403, body: { code: 'forbidden' } })
  t.match(await started(node, {}, { trade: ['B'] }), { status: 403, body: { code: 'forbidden' } })
  const said = follow(t, node, 'strategy:*')
  const orders = follow(t, node, 'orders')
  await book(node, '185.40', '185.50')
  const { status, body: { strategy_id: id } } = await started(node)
  t.equal(status, 201)
  await until('it runs', () => said.at(-1)?.['status'] === 'running')
  await bar(node, 1, '1')
  await until('it has bought', () => said.at(-1)?.['position'] === '2', 60_000)
  await until('its order has come', () => orders.some(({ status }) => status === 'filled'), 60_000)
  const own = orders.find(({ status }) => status === 'filled')!
  t.match(own, { client_order_id: `${id}.${Date.parse(startOf(1))}`, side: 'buy', order_type: 'market', filled_qty: '2', avg_price: '185.50' })
  // Its user buys the same symbol; the strategy neither counts nor sells that.
  await fetch(`${node.origin}/v1/orders`, {
    method: 'POST',
    body: JSON.stringify({ client_order_id: 'mine', symbol: 'A', side: 'buy', order_type: 'market', quantity: '5' }),
    headers: { authorization: `Bearer ${node.token({ trade: true })}`, 'content-type': 'application/json' }
  })
  await until('the user has bought', () => orders.some(order => order['client_order_id'] === 'mine' && order['status'] === 'filled'), 60_000)
  await book(node, '186.40', '186.50')
  await bar(node, 2, '0')
  await until('it has sold', () => said.at(-1)?.['position'] === '0', 60_000)
  // The two channels may be in different shards, whose order nobody knows.
  await until('its sale has come', () => orders.some(order => order['side'] === 'sell' && order['status'] === 'filled'), 60_000)
  t.match(orders.filter(order => order['side'] === 'sell').at(-1), { quantity: '2', avg_price: '186.40' })
  t.match(said.at(-1), { pnl: '1.8', realized_pnl: '1.8' })
})

if (redisProgram !== undefined) {
  test('a strategy goes on on another server, and no signal becomes two orders', async t => {
    const redis = await RedisServer.start()
    t.teardown(() => redis.close())
    const shared = { ...config(t), REDIS_URL: redis.url }
    const [first, second] = [await startServer(t, shared), await startServer(t, shared)]
    const said = follow(t, second, 'strategy:*')
    const orders = follow(t, second, 'orders')
    await book(second, '185.40', '185.50')
    const { body: { strategy_id: id } } = await started(second)
    await until('it runs', () => said.at(-1)?.['status'] === 'running', 60_000)
    await bar(second, 1, '1')
    await until('it has bought', () => said.at(-1)?.['position'] === '2', 60_000)
    const runsOn = (node: TestServer): boolean => node.parts.sources.status().some(({ name, state }) => name === 'processor:strategies' && state === 'running')
    const [leaving, staying] = runsOn(first) ? [first, second] : [second, first]
    const [saidThere, ordersThere] = staying === second ? [said, orders] : [follow(t, staying, 'strategy:*'), follow(t, staying, 'orders')]
    await leaving.app.close()
    await until('the other runs it', () => runsOn(staying), 60_000)
    await until('it runs again', () => saidThere.at(-1)?.['status'] === 'running' && saidThere.at(-1)?.['position'] === '2', 60_000)
    await bar(staying, 2, '0')
    await until('it has sold', () => saidThere.at(-1)?.['position'] === '0', 60_000)
    await until('both orders have come', () => ordersThere.filter(({ status }) => status === 'filled').length >= 2, 60_000)
    // What is repeated would come by now.
    await delay(1000)
    const ids = ordersThere.filter(({ status }) => status === 'filled').map(order => order['client_order_id'])
    t.same([...new Set(ids)].sort(), [`${id}.${Date.parse(startOf(1))}`, `${id}.${Date.parse(startOf(2))}`])
  })
}
