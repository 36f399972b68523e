import { test } from 'tap'
import type { Order, StrategyRecord } from '@tickwire/protocol'
import { Results } from '../../src/strategies/results.js'
import { StrategyOrders } from '../../src/strategies/strategy-orders.js'

/** What a strategy has bought and sold, and what of it is under way. */

test('counts position, cost, profit and fees exactly', async t => {
  const results = Results.of()
  results.buy('2', '185.50', '0.371')
  results.buy('3', '185.52', '0.55656')
  t.same(results.kept(), { position: '5', cost: '927.56', realized_pnl: '0', fees: '0.92756' })
  t.equal(results.pnl('186').toFixed(), '1.51244', '930 - 927.56 - 0.92756')
  t.equal(results.pnl(undefined).toFixed(), '-0.92756', 'without a price the position counts as what it cost')
  results.sell('2', '190')
  t.same(results.kept(), { position: '3', cost: '556.536', realized_pnl: '8.976', fees: '0.92756' })
  results.sell('3', '180', '0.1')
  t.same(results.kept(), { position: '0', cost: '0', realized_pnl: '-7.56', fees: '1.02756' })
})

test('rounds the cost of a partial sale half to even, and leaves the remainder with the position', async t => {
  const results = Results.of({ position: '3', cost: '100', realized_pnl: '0', fees: '0' })
  results.sell('1', '0')
  t.same(results.kept(), { position: '2', cost: '66.66666667', realized_pnl: '-33.33333333', fees: '0' })
  results.sell('1', '0')
  t.same(results.kept(), { position: '1', cost: '33.33333333', realized_pnl: '-66.66666667', fees: '0' }, 'half of …67 is …335: the even digit is 4, and …33 is left')
  results.sell('1', '0')
  t.same(results.kept(), { position: '0', cost: '0', realized_pnl: '-100', fees: '0' })
  results.sell('5', '7', '0.1')
  t.same(results.kept(), { position: '0', cost: '0', realized_pnl: '-100', fees: '0.1' }, 'nothing that it does not have is sold')
})

const TIME = '2026-01-01T00:00:00Z'
const record: StrategyRecord = {
  strategy_id: 's', name: 'told', symbol: 'A', parameters: {}, mode: 'paper', quantity: '2', status: 'running', version: 1, created_at: TIME, updated_at: TIME
}
const order = (more: Partial<Order>): Order => ({
  order_id: 'o', client_order_id: 's.1', symbol: 'A', side: 'buy', order_type: 'market', status: 'new', quantity: '2', filled_qty: '0', leaves_qty: '2', ...more
})

test('makes the order that a signal means, and never sells what is not there', async t => {
  const orders = new StrategyOrders(record, Results.of(), async () => {})
  t.same(orders.orderOf('buy', undefined, '1'), { client_order_id: 's.1', symbol: 'A', side: 'buy', order_type: 'market', time_in_force: 'day', quantity: '2' })
  t.match(orders.orderOf('buy', '0.5', '1'), { quantity: '0.5' })
  t.equal(orders.orderOf('sell', undefined, '1'), undefined)
  t.equal(orders.orderOf('flat', undefined, '1'), undefined)
  orders.results.buy('3', '10')
  t.match(orders.orderOf('sell', undefined, '1'), { side: 'sell', quantity: '2' })
  t.match(orders.orderOf('sell', '7', '1'), { side: 'sell', quantity: '3' })
  const flat = orders.orderOf('flat', '1', '1')!
  t.match(flat, { side: 'sell', quantity: '3' })
  await orders.send('u', flat)
  t.equal(orders.orderOf('flat', undefined, '2'), undefined, 'what is being sold is not sold again')
  t.equal(orders.expected().toFixed(), '0')
})

test('counts each message of its orders once, and what is under way until it ends', async t => {
  const sent: unknown[] = []
  const orders = new StrategyOrders(record, Results.of(), async (user, order) => {
    sent.push([user, order.client_order_id])
  })
  await orders.send('u', orders.orderOf('buy', undefined, '1')!)
  t.same(sent, [['u', 's.1']])
  t.equal(orders.expected().toFixed(), '2')
  t.equal(orders.results.position.toFixed(), '0')
  t.notOk(orders.take(order({ client_order_id: 'another.1' }), { epoch: 1, offset: 1 }))
  t.notOk(orders.take(order({ client_order_id: 'sx.1' }), { epoch: 1, offset: 1 }))
  const fill = order({ status: 'partially_filled', filled_qty: '0.5', leaves_qty: '1.5', exec_id: 'o.1', last_qty: '0.5', last_price: '10', fee: '0.01' })
  t.ok(orders.take(fill, { epoch: 1, offset: 5 }))
  t.notOk(orders.take(fill, { epoch: 1, offset: 5 }))
  t.equal(orders.expected().toFixed(), '2')
  t.equal(orders.results.position.toFixed(), '0.5')
  t.ok(orders.take(order({ status: 'canceled', filled_qty: '0.5', leaves_qty: '1.5' }), { epoch: 1, offset: 6 }))
  t.equal(orders.expected().toFixed(), '0.5')
  t.same(orders.kept(), { position: '0.5', cost: '5', realized_pnl: '0', fees: '0.01', epoch: 1, offset: 6 })
  const kept = { ...orders.kept(), time: 1 }
  const later = new StrategyOrders({ ...record, results: kept }, Results.of(kept), undefined)
  t.notOk(later.take(fill, { epoch: 1, offset: 5 }))
  t.ok(later.take(fill, { epoch: 2, offset: 3 }), 'another epoch gives its offsets anew')
})

test('forgets an order that is refused', async t => {
  const orders = new StrategyOrders(record, Results.of(), async () => { throw new Error('no') })
  await t.rejects(orders.send('u', orders.orderOf('buy', undefined, '1')!), /no/)
  t.equal(orders.expected().toFixed(), '0')
  const none = new StrategyOrders(record, Results.of(), undefined)
  await t.rejects(none.send('u', none.orderOf('buy', undefined, '1')!), /no broker/)
})
