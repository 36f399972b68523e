import type { Order, StrategyResults } from '@tickwire/protocol'
import { test } from 'tap'
import { eventually } from '../helpers/eventually.js'
import { startOf, StrategyGround } from '../helpers/strategy-runs.js'

/** The running side of strategies: what they get, what they say, and what stays when a run ends. */

test('gives past bars to a strategy without their signals, and then each bar when it closes', async t => {
  const ground = await StrategyGround.make(t)
  await ground.bar(1, '1')
  await ground.bar(2, '7', { closed: false })
  await ground.bar(2, '5')
  await ground.add('told', { updated_at: new Date(Date.now() + 1000).toISOString() })
  ground.run()
  await ground.untilStatus('told', 'running')
  t.same(ground.lines, [`bar 1 ${startOf(1)} 1 0`, `bar 2 ${startOf(2)} 5 0`])
  t.same((await ground.said('told')).map(({ status }) => status), ['starting', 'running'])
  await ground.bar(3, '1', { closed: false })
  await ground.bar(3, '1')
  await ground.bar(3, '2', { revision: 1 })
  await ground.bar(2, '2')
  await ground.bar(4, '3')
  await ground.untilLine(`bar 4 ${startOf(4)} 3 1`)
  t.same(ground.lines.slice(2), [`bar 3 ${startOf(3)} 1 0`, `bar 4 ${startOf(4)} 3 1`], 'neither a bar that forms, nor a revision, nor an older bar')
  const [signal, ...others] = await ground.signals('told')
  t.same(others, [])
  t.match(signal, { strategy_id: 'told', name: 'told', status: 'running', symbol: 'A', mode: 'signal', signal: 'buy', quantity: '1', price: '1', reason: 'why', as_of: /^2.*Z$/, position: '1' })
})

test('in mode signal, a signal counts as filled, and profit follows the price', async t => {
  const ground = await StrategyGround.make(t)
  await ground.add('told', { quantity: '3' })
  const run = ground.run()
  await ground.untilStatus('told', 'running')
  await ground.bar(1, '1')
  await ground.quote('1.5')
  await ground.untilSaid('told', said => said.at(-1)?.pnl === '1.5')
  t.match((await ground.said('told')).at(-1), { position: '3', pnl: '1.5', realized_pnl: '0', fees: '0' })
  await ground.bar(2, '2')
  await ground.untilSaid('told', said => said.at(-1)?.position === '2')
  t.match((await ground.said('told')).at(-1), { pnl: '3', realized_pnl: '1' })
  await run.stop()
  t.match((await ground.record('told')).results, { position: '2', cost: '2', realized_pnl: '1', fees: '0' })
  ground.run()
  await ground.untilSaid('told', said => said.filter(({ status }) => status === 'starting').length === 2 && said.at(-1)?.status === 'running')
  t.match((await ground.said('told')).at(-1), { position: '2', pnl: '3' })
  t.equal((await ground.signals('told')).length, 2, 'bars that were answered are not answered again')
  await ground.bar(3, '0')
  await ground.untilSaid('told', said => said.at(-1)?.position === '0')
  t.match((await ground.signals('told')).at(-1), { signal: 'flat', quantity: '2', price: '0' })
  t.same(ground.submitted, [])
})

const fillOf = (order: { client_order_id: string, quantity: string, side: 'buy' | 'sell' }, price: string, more: Partial<Order> = {}): Order => ({
  order_id: `o${order.client_order_id}`,
  client_order_id: order.client_order_id,
  symbol: 'A',
  side: order.side,
  order_type: 'market',
  status: 'filled',
  quantity: order.quantity,
  filled_qty: order.quantity,
  leaves_qty: '0',
  exec_id: 'e',
  last_qty: order.quantity,
  last_price: price,
  fee: '0.1',
  ...more
})

const rejectionOf = (order: { client_order_id: string, quantity: string, side: 'buy' | 'sell' }): Order => ({
  order_id: 'o',
  client_order_id: order.client_order_id,
  symbol: 'A',
  side: order.side,
  order_type: 'market',
  status: 'rejected',
  reason: 'no cash',
  quantity: order.quantity,
  filled_qty: '0',
  leaves_qty: order.quantity
})

test('in mode paper, a signal becomes one order, also if a run takes over', async t => {
  const ground = await StrategyGround.make(t)
  await ground.add('told', { mode: 'paper', quantity: '2' })
  const first = ground.run()
  await ground.untilStatus('told', 'running')
  await ground.bar(1, '1')
  await eventually('the order is submitted', () => ground.submitted.length === 1)
  const order = ground.submitted[0]!
  t.same(order, { user: 'u', client_order_id: `told.${Date.parse(startOf(1))}`, symbol: 'A', side: 'buy', order_type: 'market', time_in_force: 'day', quantity: '2' })
  await ground.bar(2, '3')
  await ground.untilLine(`bar 2 ${startOf(2)} 3 2`)
  t.pass('what is under way counts for the strategy')
  t.equal((await ground.said('told')).at(-1)!.position, '0')
  await first.stop()
  // The order is filled while nobody follows it.
  await ground.order('u', fillOf(order, '1.1'))
  await ground.order('u', fillOf({ ...order, client_order_id: 'mine' }, '7'))
  const second = ground.run()
  await ground.untilSaid('told', said => said.at(-1)?.status === 'running' && said.at(-1)?.position === '2')
  t.match((await ground.said('told')).at(-1), { fees: '0.1' })
  await ground.bar(3, '0')
  await eventually('it sells', () => ground.submitted.some(({ side }) => side === 'sell'))
  const ids = new Set(ground.submitted.map(({ client_order_id: id }) => id))
  t.equal(ids.size, 2, 'an order that was repeated has the same id')
  const sale = ground.submitted.at(-1)!
  t.match(sale, { side: 'sell', quantity: '2', client_order_id: `told.${Date.parse(startOf(3))}` })
  await ground.order('u', fillOf(sale, '2.1'))
  await ground.untilLine('order filled 0')
  await ground.untilSaid('told', said => said.at(-1)?.position === '0')
  t.match((await ground.said('told')).at(-1), { pnl: '1.8', realized_pnl: '2', fees: '0.2' })
  await second.stop()
  t.match((await ground.record('told')).results, { position: '0', cost: '0', realized_pnl: '2', fees: '0.2', epoch: Number, offset: Number })
  const signals = await ground.signals('told')
  t.same(signals.map(({ signal }) => signal), ['buy', 'flat'], 'and so its message comes once')
})

test('says why an order was refused or rejected, and goes on', async t => {
  const ground = await StrategyGround.make(t)
  await ground.add('told', { mode: 'paper' })
  ground.run()
  await ground.untilStatus('told', 'running')
  ground.onOrder = async () => { throw new Error('closed for today') }
  await ground.bar(1, '1')
  await ground.untilSaid('told', said => said.at(-1)?.reason?.includes('closed for today') === true)
  ground.onOrder = async (user, order) => { await ground.order(user, rejectionOf(order)) }
  await ground.bar(2, '1')
  await ground.untilSaid('told', said => said.at(-1)?.reason?.includes('rejected: no cash') === true)
  await ground.bar(3, '5')
  await ground.untilLine(`bar 3 ${startOf(3)} 5 0`)
  t.equal((await ground.said('told')).at(-1)!.status, 'running')
})

test('gives quotes to a strategy that wants them, the newest first of all', async t => {
  const ground = await StrategyGround.make(t)
  await ground.add('quoted', { parameters: {} })
  ground.run()
  await ground.untilStatus('quoted', 'running')
  for (let price = 1; price <= 50; price++) await ground.quote(String(price))
  await eventually('the last has come', () => ground.lines.at(-1)?.startsWith('quote 50') === true)
  t.ok(ground.lines.length <= 50)
  t.equal((await ground.signals('quoted')).length, 1)
})

test('follows what users ask: paused, resumed, stopped, deleted', async t => {
  const ground = await StrategyGround.make(t)
  await ground.add('told')
  ground.run()
  await ground.untilStatus('told', 'running')
  await ground.bar(1, '1')
  await ground.untilLine(`bar 1 ${startOf(1)} 1 0`)
  await ground.records.ask('u', 'told', 'paused', Date.now())
  t.match(await ground.untilStatus('told', 'paused'), { position: '1' })
  await ground.bar(2, '1')
  await ground.records.ask('u', 'told', 'running', Date.now())
  await ground.untilStatus('told', 'running')
  await ground.bar(3, '5')
  await ground.untilLine(`bar 3 ${startOf(3)} 5 1`)
  t.equal((await ground.signals('told')).length, 1, 'the bar of the pause has no signal')
  await ground.records.ask('u', 'told', 'stopped', Date.now())
  await ground.untilStatus('told', 'stopped')
  await ground.add('told', { strategy_id: 'second' })
  await ground.untilStatus('second', 'running')
  await ground.records.remove('u', 'second')
  t.match(await ground.untilStatus('second', 'stopped'), { reason: 'its user has deleted it' })
})

test('one that fails is named and noted, and the others of its worker go on', async t => {
  const ground = await StrategyGround.make(t, { callMs: 3000 })
  for (const name of ['loops', 'throws', 'falls_at_start']) await ground.add(name, { symbol: 'B' })
  await ground.add('told', { strategy_id: 'other' }, 'v')
  ground.run()
  for (const name of ['loops', 'throws']) await ground.untilStatus(name, 'running')
  t.match(await ground.untilStatus('falls_at_start', 'failed'), { reason: 'falls_at_start has failed: Error: no start' })
  await ground.untilStatus('other', 'running', 'v')
  await ground.bar(1, '5')
  await ground.untilLine(`bar 1 ${startOf(1)} 5 0`)
  await ground.bar(1, '666', { symbol: 'B' })
  t.match(await ground.untilStatus('throws', 'failed'), { reason: 'throws has failed: Error: as it was told' })
  t.match(await ground.untilStatus('loops', 'failed'), { reason: 'loops has failed: a call has taken longer than 3000 ms' })
  await ground.bar(2, '1')
  await ground.untilLine(`bar 2 ${startOf(2)} 1 0`)
  t.ok(ground.lines.filter(line => line.startsWith('bar 1')).length >= 2, 'it has started again, with the bars of before')
  await ground.untilSaid('other', said => said.some(({ signal }) => signal === 'buy'), 'v')
  t.notOk((await ground.said('other', 'v')).some(({ status }) => status === 'failed'))
  for (const [name, reason] of [['loops', /longer than/], ['throws', /as it was told/], ['falls_at_start', /no start/]] as const) {
    t.match(await ground.record(name), { status: 'failed', reason, version: 2 })
  }
  const before = (await ground.said('throws')).length
  await ground.records.ask('u', 'throws', 'running', Date.now())
  await ground.untilSaid('throws', said => said.slice(before).some(({ status }) => status === 'failed'))
  t.match(await ground.record('throws'), { status: 'failed', version: 4 }, 'the same bar, in its past, ends it again')
})

test('one that uses too much CPU fails, and so does one too many', async t => {
  const ground = await StrategyGround.make(t, { most: 2 })
  await ground.add('wastes')
  await ground.add('told')
  ground.run()
  await ground.untilStatus('wastes', 'running')
  await ground.untilStatus('told', 'running')
  await ground.add('quoted', { parameters: {} })
  t.match(await ground.untilStatus('quoted', 'failed'), { reason: /runs at most 2 strategies/ })
  t.match(await ground.record('quoted'), { status: 'failed', reason: /at most 2/ })
  for (let number = 1; number <= 12; number++) await ground.bar(number, '5')
  t.match(await ground.untilStatus('wastes', 'failed'), { reason: /wastes has failed: it uses too much CPU: more than 20 % of 10 s/ })
  await ground.untilLine(`bar 12 ${startOf(12)} 5 0`)
  await ground.records.ask('u', 'wastes', 'running', Date.now())
  t.equal((await ground.untilStatus('wastes', 'running')).reason, undefined, 'its user may resume it, and its past costs nothing')
  await ground.records.remove('u', 'wastes')
  await ground.untilStatus('wastes', 'stopped')
  await ground.add('nowhere')
  t.match(await ground.untilStatus('nowhere', 'failed'), { reason: /has no such strategy/ })
})

test('a run that begins says what an earlier one had no time to say', async t => {
  const ground = await StrategyGround.make(t)
  await ground.add('told')
  const run = ground.run()
  await ground.untilStatus('told', 'running')
  await run.stop()
  await ground.records.ask('u', 'told', 'paused', Date.now())
  t.equal((await ground.said('told')).at(-1)!.status, 'running')
  ground.run()
  await ground.untilStatus('told', 'paused')
})

test('says what becomes of a strategy that does not run, and of it no signal of before', async t => {
  const ground = await StrategyGround.make(t)
  await ground.add('told')
  await ground.add('told', { strategy_id: 'runs' })
  ground.run()
  await ground.untilStatus('told', 'running')
  await ground.bar(1, '1')
  await ground.untilSaid('told', said => said.at(-1)?.signal === 'buy')
  await ground.records.ask('u', 'told', 'paused', Date.now())
  await ground.untilStatus('told', 'paused')
  await ground.records.ask('u', 'told', 'stopped', Date.now())
  const said = await ground.untilStatus('told', 'stopped')
  t.match(said, { position: '1', signal: undefined, as_of: undefined })
  t.same((await ground.said('told')).map(({ status }) => status).slice(-2), ['paused', 'stopped'])
})

test('keeps no results that are older than those that are kept', async t => {
  const ground = await StrategyGround.make(t)
  await ground.add('told')
  const results = (position: string, time: number, offset: number): Map<string, StrategyResults> =>
    new Map([['told', { position, cost: '0', realized_pnl: '0', fees: '0', time, epoch: 1, offset }]])
  await ground.records.keep('u', results('2', 5, 7))
  for (const [time, offset] of [[4, 7], [5, 6]] as const) await ground.records.keep('u', results('1', time, offset))
  t.equal((await ground.record('told')).results?.position, '2')
  await ground.records.keep('u', results('3', 5, 8))
  t.equal((await ground.record('told')).results?.position, '3')
  await ground.records.fail('u', { ...await ground.record('told'), version: 9 }, 'late', 0)
  t.equal((await ground.record('told')).status, 'running', 'a failure of a version that is gone changes nothing')
})

test('goes on when the log begins an epoch', async t => {
  const ground = await StrategyGround.make(t)
  await ground.add('told')
  ground.run()
  await ground.untilStatus('told', 'running')
  await ground.bar(1, '1')
  await ground.untilSaid('told', said => said.at(-1)?.position === '1')
  await eventually('what it has is kept', async () => (await ground.record('told')).results?.position === '1')
  const heads = await ground.log.head()
  ground.log.restart(heads.map(({ offset }) => offset))
  await ground.untilSaid('told', said => said.filter(({ status }) => status === 'starting').length === 2 && said.at(-1)?.status === 'running')
  await ground.bar(2, '0')
  await ground.untilSaid('told', said => said.at(-1)?.position === '0')
  t.same((await ground.signals('told')).map(({ signal, quantity }) => [signal, quantity]), [['buy', '1'], ['flat', '1']])
})
