import { test } from 'tap'
import type { Order } from '@tickwire/protocol'
import { eventually } from '../helpers/eventually.js'
import { OrderClient } from '../helpers/order-client.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { brokerBackends } from './brokers.js'

/** docs/trading.md over everything that fills orders, as users see it. */

const ASKS: Array<[string, string]> = [['185.50', '2'], ['185.52', '10']]
/** Until the broker has answered, an order is `pending_new`, and one that it must cancel `pending_cancel`. */
const decided = (messages: readonly Order[]): string[] =>
  messages.map(({ status }) => status).filter(status => status !== 'pending_new' && status !== 'pending_cancel')

for (const { name, isRemote, open } of brokerBackends) {
  void test(name, async suite => {
    const place = await open(suite)
    const server = await place.start(suite)

    await suite.test('fills an order from several levels, and the account follows', async t => {
      const client = new OrderClient(server, 'ann', 'ANN')
      await place.show(server, 'ANN', [], ASKS)
      const id = await client.submit('o', 'buy 5 market')
      await client.reaches(id, 'filled')
      const messages = await client.messages(id)
      t.same(decided(messages), ['new', 'partially_filled', 'filled'])
      t.match(messages.slice(-2), [
        { filled_qty: '2', leaves_qty: '3', avg_price: '185.50', last_qty: '2', last_price: '185.50', exec_id: `${id}.1` },
        { filled_qty: '5', leaves_qty: '0', avg_price: '185.512', last_qty: '3', last_price: '185.52', exec_id: `${id}.2` }
      ])
      await eventually('the account is published', async () => (await client.account()).positions.length > 0)
      t.match(await client.account(), {
        balances: [{ currency: 'USD', cash: '99072.44', reserved: '0', available: '99072.44' }], positions: [{ symbol: 'ANN', quantity: '5', cost: '927.56' }]
      })
      await client.judge(t)
    })

    await suite.test('cancels what is left of an order', async t => {
      const client = new OrderClient(server, 'bob', 'BOB')
      await place.show(server, 'BOB', [], [['185.50', '2']])
      const id = await client.submit('o', 'buy 5 limit 185.50')
      await client.reaches(id, 'partially_filled', { filled_qty: '2' })
      await eventually('what is left is reserved', async () => (await client.account()).balances[0]?.reserved === '556.5')
      await client.cancel(id)
      t.match(await client.reaches(id, 'canceled'), { filled_qty: '2', leaves_qty: '3', avg_price: '185.50' })
      await eventually('nothing is reserved', async () => (await client.account()).balances[0]?.reserved === '0')
      await client.cancel(id)
      t.match(await client.reaches(id, 'canceled', { reason: 'the order has ended' }), { filled_qty: '2' })
      await client.judge(t)
    })

    await suite.test('gives an order new terms, and it keeps its id and what is filled', async t => {
      const client = new OrderClient(server, 'cid', 'CID')
      await place.show(server, 'CID', [], [['185.50', '1'], ['185.52', '10']])
      const id = await client.submit('o', 'buy 5 limit 185.50')
      await client.reaches(id, 'partially_filled', { filled_qty: '1' })
      await client.replace(id, { quantity: '1' })
      await client.reaches(id, 'partially_filled', { reason: 'the new quantity must be above what is filled' })
      await client.replace(id, { quantity: '4', limit_price: '185.52' })
      t.match(await client.reaches(id, 'filled'), { quantity: '4', filled_qty: '4', avg_price: '185.515', limit_price: '185.52' })
      t.ok(decided(await client.messages(id)).includes('replaced'))
      await client.judge(t)
    })

    await suite.test('rejects what cannot be filled or paid, and says why', async t => {
      const client = new OrderClient(server, 'dan', 'DAN')
      await place.show(server, 'EMPTY', [], [])
      for (const [text, reason, symbol] of [
        ['buy 1 market', 'no liquidity', 'EMPTY'], ['sell 1 limit 1', 'insufficient position', 'DAN'], ['buy 1 limit 100000.01', 'insufficient buying power', 'DAN']
      ] as const) {
        const id = await client.submit(text, text, symbol)
        t.match(await client.reaches(id, 'rejected'), { reason, filled_qty: '0' })
      }
      await client.judge(t)
    })

    await suite.test('takes an order once that comes many times', async t => {
      const client = new OrderClient(server, 'eve', 'EVE')
      await place.show(server, 'EVE', [], ASKS)
      const ids = await Promise.all(Array.from({ length: 8 }, () => client.submit('o', 'buy 3 limit 185.52')))
      t.equal(new Set(ids).size, 1)
      await client.reaches(ids[0]!, 'filled')
      await client.submit('o', 'buy 3 limit 185.52')
      const other = await client.submit('p', 'buy 1 limit 185.52')
      await client.reaches(other, 'filled')
      t.equal(await client.fills(ids[0]!), 2)
      await client.judge(t)
    })

    await suite.test('buys and sells again, and the position is gone', async t => {
      const client = new OrderClient(server, 'fay', 'FAY')
      await place.show(server, 'FAY', [['185.40', '50']], [['185.50', '50']])
      await client.reaches(await client.submit('o', 'buy 4 limit 185.50'), 'filled')
      await client.reaches(await client.submit('p', 'sell 1 market'), 'filled')
      await client.reaches(await client.submit('q', 'sell 3 limit 185.40'), 'filled')
      await client.judge(t)
      t.match(await client.account(), { balances: [{ cash: '99999.6', realized: '-0.4' }], positions: [] })
    })

    await suite.test('goes on with another server after the first has closed', {
      skip: redisProgram === undefined ? 'there is no Redis' : false
    }, async t => {
      const redis = await RedisServer.start()
      t.teardown(() => redis.close())
      const settings = { REDIS_URL: redis.url, LOG_SHARDS: 3 }
      const own = await open(t)
      const [first, second] = [await own.start(t, settings), await own.start(t, settings)]
      const client = new OrderClient(first, 'gil')
      await own.show(first, 'A', [], [['185.50', '1']])
      const id = await client.submit('o', 'buy 5 limit 185.50')
      await client.reaches(id, 'partially_filled')
      await first.app.close()
      client.server = second
      await client.submit('o', 'buy 5 limit 185.50')
      // Its market may still be unknown to the paper exchange, which then sees the last book alone.
      await own.show(second, 'A', [], [['185.50', '9']])
      t.match(await client.reaches(id, 'filled'), { filled_qty: '5' })
      await client.judge(t)
      t.equal(isRemote, (await client.messages(id))[0]!.status === 'pending_new')
    })
  })
}
