import { test } from 'tap'
import { PaperDesk, paperRules } from '../helpers/paper-desk.js'

/** The rules of the paper exchange, one by one (docs/trading.md). */

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

test('fills an order from displayed levels, and says what it cost', t => {
  const desk = new PaperDesk()
  desk.show([], [['185.50', '2'], ['185.52', '10']])
  t.same(desk.submit('a1', 'buy 5 market'), [
    'a1 new 0/5',
    'a1 partially_filled 2/5 2@185.50 avg 185.50',
    'a1 filled 5/5 3@185.52 avg 185.512'
  ])
  t.equal(desk.cash('a'), '99072.44 (0)', 'less 927.56')
  t.equal(desk.held('a'), '5')
  t.end()
})

test('keeps the average of what was filled before an order is canceled', t => {
  const desk = new PaperDesk()
  desk.show([], [['185.50', '2']])
  t.same(desk.submit('a1', 'buy 5 limit 185.60 gtc'), ['a1 new 0/5', 'a1 partially_filled 2/5 2@185.50 avg 185.50'])
  t.equal(desk.cash('a'), '99629 (556.8)')
  t.same(desk.cancel('a1'), ['a1 canceled 2/5'])
  const { order } = desk.decision!.orders[0]!
  t.equal(order.avg_price, '185.50')
  t.equal(order.leaves_qty, '3', 'what will not be filled any more')
  t.equal(order.exec_id, undefined)
  t.equal(desk.cash('a'), '99629 (0)')
  t.end()
})

test('numbers the fills of an order, and says when it came and when it changed', t => {
  const desk = new PaperDesk()
  desk.submit('a1', 'buy 5 limit 10')
  desk.pass(1500)
  desk.trade('9', '1')
  desk.trade('9', '1')
  const { order } = desk.decision!.orders[0]!
  t.equal(order.exec_id, 'a1.2')
  t.equal(order.created_at, '2026-02-07T14:30:00.000Z')
  t.equal(order.updated_at, '2026-02-07T14:30:01.500Z')
  t.end()
})

test('rejects a market order that finds nothing, and cancels what one leaves over', t => {
  const desk = new PaperDesk()
  desk.show([], [['10', '2']])
  t.same(desk.submit('a1', 'buy 5 market'), [
    'a1 new 0/5', 'a1 partially_filled 2/5 2@10 avg 10', 'a1 canceled 2/5 (no liquidity)'
  ])
  t.same(desk.submit('a2', 'buy 5 market'), ['a2 rejected 0/5 (no liquidity)'])
  t.end()
})

test('cancels at once what an ioc order leaves over', t => {
  const desk = new PaperDesk()
  desk.show([], [['10', '2'], ['11', '2']])
  t.same(desk.submit('a1', 'buy 3 limit 10 ioc'), [
    'a1 new 0/3', 'a1 partially_filled 2/3 2@10 avg 10', 'a1 canceled 2/3 (no liquidity)'
  ])
  t.same(desk.submit('a2', 'buy 3 limit 10 ioc'), ['a2 new 0/3', 'a2 canceled 0/3 (no liquidity)'])
  t.equal(desk.cash('a'), '99980 (0)')
  t.end()
})

test('fills a fok order whole or not at all', t => {
  const desk = new PaperDesk()
  desk.show([], [['10', '2'], ['11', '2']])
  t.same(desk.submit('a1', 'buy 3 limit 10 fok'), ['a1 new 0/3', 'a1 canceled 0/3 (no liquidity)'])
  t.same(desk.submit('a2', 'buy 5 market fok'), ['a2 rejected 0/5 (no liquidity)'])
  t.same(desk.submit('a3', 'buy 3 limit 11 fok'), [
    'a3 new 0/3', 'a3 partially_filled 2/3 2@10 avg 10', 'a3 filled 3/3 1@11 avg 10.33333333'
  ])
  t.end()
})

test('gives a displayed size out once over all users', t => {
  const desk = new PaperDesk()
  desk.show([], [['10', '3'], ['11', '3']])
  t.same(desk.submit('a1', 'buy 2 market').at(-1), 'a1 filled 2/2 2@10 avg 10')
  t.same(desk.submit('b1', 'buy 2 market').slice(1), [
    'b1 partially_filled 1/2 1@10 avg 10', 'b1 filled 2/2 1@11 avg 10.5'
  ])
  desk.show([], [['10', '3.0'], ['11', '4']])
  t.same(desk.submit('c1', 'buy 5 market').slice(1), [
    'c1 partially_filled 4/5 4@11 avg 11', 'c1 canceled 4/5 (no liquidity)'
  ], 'the level at 10 has not changed, the level at 11 has')
  t.end()
})

test('gives a level out again after it has gone and come back', t => {
  const desk = new PaperDesk()
  const asks = [['10', '3']] as const
  desk.show([], asks)
  desk.submit('a1', 'buy 3 market')
  desk.show([], [])
  t.same(desk.state.taken, {})
  desk.show([], asks)
  t.same(desk.submit('a2', 'buy 3 market').at(-1), 'a2 filled 3/3 3@10 avg 10')
  t.end()
})

test('remembers what it gave out while a book is stale', t => {
  const desk = new PaperDesk()
  const asks = [['10', '3']] as const
  desk.show([], asks)
  desk.submit('a1', 'buy 3 market')
  desk.stale()
  t.same(desk.submit('a2', 'buy 1 market'), ['a2 rejected 0/1 (market data stale)'])
  desk.show([], asks)
  t.same(desk.submit('a3', 'buy 1 market'), ['a3 rejected 0/1 (no liquidity)'])
  t.end()
})

test('fills a resting order at its limit when the book comes to it, by price, then by time', t => {
  const desk = new PaperDesk()
  desk.show([['8', '1']], [['12', '1']])
  desk.submit('a1', 'buy 2 limit 9.50')
  desk.submit('b1', 'buy 2 limit 10')
  desk.submit('c1', 'buy 2 limit 10')
  t.same(desk.show([], [['9.4', '1'], ['9.8', '2'], ['12', '1']]), [
    'b1 partially_filled 1/2 1@10 avg 10',
    'b1 filled 2/2 1@10 avg 10',
    'c1 partially_filled 1/2 1@10 avg 10'
  ])
  t.same(desk.show([], [['9.4', '1'], ['9.8', '3'], ['12', '1']]), ['c1 filled 2/2 1@10 avg 10'])
  t.same(desk.show([], [['9.4', '4'], ['9.8', '3'], ['12', '1']]), ['a1 filled 2/2 2@9.50 avg 9.50'])
  t.end()
})

test('fills a resting order at its limit when a trade goes through it, up to the size of the trade', t => {
  const desk = new PaperDesk()
  desk.show([['9', '1']], [['12', '1']])
  desk.submit('a1', 'buy 2 limit 10.0')
  desk.submit('b1', 'buy 2 limit 11')
  t.same(desk.trade('11', '9'), [], 'at its price is not through it')
  t.same(desk.trade('9.99', '3'), ['b1 filled 2/2 2@11 avg 11', 'a1 partially_filled 1/2 1@10.0 avg 10.0'])
  desk.submit('a2', 'sell 1 limit 11')
  t.same(desk.trade('11.5', '0'), [])
  t.same(desk.trade('11.5', '1'), ['a2 filled 1/1 1@11 avg 11'])
  t.end()
})

test('triggers a stop order by the last price, and has it act as a market order', t => {
  const desk = new PaperDesk()
  desk.show([['9', '5']], [['10', '5']])
  desk.submit('a1', 'buy 2 stop 10.5')
  t.equal(desk.cash('a'), '100000 (21)')
  t.same(desk.price('10.4'), [])
  t.same(desk.trade('10.5', '1'), ['a1 new 0/2 (triggered)', 'a1 filled 2/2 2@10 avg 10'])
  t.same(desk.submit('a2', 'sell 1 stop 10.6'), [
    'a2 new 0/1', 'a2 new 0/1 (triggered)', 'a2 filled 1/1 1@9 avg 9'
  ], 'at once, if the price is there already')
  t.end()
})

test('has a stop_limit order rest at its limit once it is triggered', t => {
  const desk = new PaperDesk()
  desk.show([['9', '5']], [['12', '5']])
  desk.submit('a1', 'buy 2 stop_limit 10 11')
  t.equal(desk.cash('a'), '100000 (22)')
  t.same(desk.trade('9', '9'), [], 'it is not in the market yet')
  t.same(desk.trade('10', '1'), ['a1 new 0/2 (triggered)'])
  t.same(desk.replace('a1', { stop_price: '9' }), ['a1 new 0/2 (the stop price has been reached already)'])
  t.same(desk.trade('10', '1'), ['a1 partially_filled 1/2 1@11 avg 11'])
  t.end()
})

test('cancels a triggered stop order that nothing is displayed for, or that costs too much', t => {
  const desk = new PaperDesk(paperRules({ balances: 'USD:100' }))
  desk.show([], [])
  desk.submit('a1', 'buy 5 stop 10')
  t.same(desk.price('10'), ['a1 new 0/5 (triggered)', 'a1 canceled 0/5 (no liquidity)'])
  desk.show([], [['30', '5']])
  desk.price('9')
  desk.submit('a2', 'buy 5 stop 10')
  t.same(desk.price('30'), ['a2 new 0/5 (triggered)', 'a2 canceled 0/5 (insufficient buying power)'])
  t.equal(desk.cash('a'), '100 (0)')
  t.end()
})

test('spends no cash that is reserved, and checks the whole cost of a market order first', t => {
  const desk = new PaperDesk(paperRules({ balances: 'USD:100', fees: '0.01' }))
  desk.show([], [['10', '5'], ['20', '5']])
  t.same(desk.submit('a1', 'buy 10 market'), ['a1 rejected 0/10 (insufficient buying power)'])
  t.same(desk.submit('a2', 'buy 10 limit 9.91'), ['a2 rejected 0/10 (insufficient buying power)'], 'the fee counts')
  t.same(desk.submit('a3', 'buy 5 limit 9.90'), ['a3 new 0/5'])
  t.equal(desk.cash('a'), '100 (49.995)')
  t.same(desk.submit('a4', 'buy 5 market'), ['a4 rejected 0/5 (insufficient buying power)'])
  t.same(desk.submit('a5', 'buy 4 market'), ['a5 new 0/4', 'a5 filled 4/4 4@10 avg 10 fee 0.4'])
  t.equal(desk.cash('a'), '59.6 (49.995)')
  t.end()
})

test('sells only what is held, less what open orders are to sell', t => {
  const desk = new PaperDesk()
  t.same(desk.submit('a1', 'sell 1 limit 10'), ['a1 rejected 0/1 (insufficient position)'])
  desk.show([['9', '50']], [['10', '5']])
  desk.submit('a2', 'buy 5 market')
  desk.submit('a3', 'sell 3 limit 12')
  t.same(desk.submit('a4', 'sell 3 market'), ['a4 rejected 0/3 (insufficient position)'])
  t.same(desk.submit('a5', 'sell 2 market').at(-1), 'a5 filled 2/2 2@9 avg 9')
  desk.cancel('a3')
  t.same(desk.submit('a6', 'sell 3 market').at(-1), 'a6 filled 3/3 3@9 avg 9')
  t.same(desk.account('a').positions, [])
  t.end()
})

test('takes the share of the cost and the fees of a sale to the last digit', t => {
  const desk = new PaperDesk(paperRules({ balances: 'USD:1000', fees: '0.001' }))
  const sheet = (): string[] => {
    const { balances: [balance], positions: [position] } = desk.account('a')
    return [balance!.cash, position?.quantity ?? '0', position?.cost ?? '0', balance!.realized]
  }
  desk.show([['10.50', '9']], [['10.00', '1'], ['10.01', '2']])
  desk.submit('a1', 'buy 1 market')
  t.same(sheet(), ['989.99', '1', '10', '0'])
  desk.submit('a2', 'buy 2 market')
  t.same(sheet(), ['969.94998', '3', '30.02', '0'])
  desk.submit('a3', 'sell 1 market')
  t.same(sheet(), ['980.43948', '2', '20.01333333', '0.49333333'])
  desk.submit('a4', 'sell 2 market')
  t.same(sheet(), ['1001.41848', '0', '0', '1.48'])
  t.equal(desk.portfolio('a').fees, '0.06152')
  t.end()
})

test('frees what an order held back as soon as it ends, is filled or changes', t => {
  const desk = new PaperDesk(paperRules({ balances: 'USD:100' }))
  desk.submit('a1', 'buy 10 limit 10')
  t.same(desk.submit('a2', 'buy 1 limit 1'), ['a2 rejected 0/1 (insufficient buying power)'])
  t.same(desk.replace('a1', { quantity: '9' }), ['a1 replaced 0/9'])
  t.same(desk.submit('a3', 'buy 10 limit 1'), ['a3 new 0/10'])
  t.same(desk.cancel('a1'), ['a1 canceled 0/9'])
  t.same(desk.submit('a4', 'buy 9 limit 10'), ['a4 new 0/9'])
  t.same(desk.show([], [['8', '9']]).at(-1), 'a4 filled 9/9 9@8 avg 8', 'waiting, it arrives at a better price than it reserved')
  t.same(desk.submit('a5', 'buy 18 limit 1'), ['a5 new 0/18'])
  desk.submit('a6', 'sell 9 limit 20')
  t.same(desk.replace('a6', { limit_price: '21' }), ['a6 replaced 0/9'], 'its own hold is no obstacle')
  t.same(desk.replace('a6', { quantity: '10' }), ['a6 replaced 0/9 (insufficient position)'])
  t.same(desk.replace('a6', { quantity: '4' }), ['a6 replaced 0/4'])
  t.same(desk.submit('a7', 'sell 5 limit 20'), ['a7 new 0/5'])
  t.end()
})

test('charges the fee of the market, in the currency of the price', t => {
  const desk = new PaperDesk(paperRules({ balances: 'USD:1000,KRW:1000000', fees: '0.002,KRX:0.00015' }))
  desk.show([], [['70000', '9']])
  t.same(desk.submit('a1', 'buy 2 market', { market: 'KRX', currency: 'KRW' }).at(-1), 'a1 filled 2/2 2@70000 avg 70000 fee 21')
  desk.show([], [['100', '9']], 'B')
  t.same(desk.submit('a2', 'buy 1 market', { symbol: 'B' }).at(-1), 'a2 filled 1/1 1@100 avg 100 fee 0.2')
  t.equal(desk.cash('a', 'KRW'), '859979 (0)')
  t.equal(desk.cash('a'), '899.8 (0)')
  t.same(desk.submit('a3', 'buy 1 market', { symbol: 'B', currency: 'EUR' }), ['a3 rejected 0/1 (insufficient buying power)'])
  t.end()
})

test('has orders wait while their market is not open, and rejects those that cannot wait', t => {
  for (const [status, reason] of [
    ['closed', 'market closed'], ['halted', 'market halted'], ['pre_open', 'market not open yet'], ['stale', 'market data stale']
  ] as const) {
    const desk = new PaperDesk()
    const market = { market: 'M' }
    desk.show([['9', '9']], [['10', '9']])
    desk.market(status)
    t.same(desk.submit('a1', 'buy 1 market', market), [`a1 rejected 0/1 (${reason})`])
    t.same(desk.submit('a2', 'buy 1 limit 11 ioc', market), [`a2 rejected 0/1 (${reason})`])
    t.same(desk.submit('a3', 'buy 1 limit 11 fok', market), [`a3 rejected 0/1 (${reason})`])
    t.same(desk.submit('a4', 'buy 1 limit 11', market), ['a4 new 0/1'])
    t.same(desk.submit('a5', 'buy 1 stop 10 gtc', market), ['a5 new 0/1'])
    t.same([...desk.trade('5', '9'), ...desk.price('12')], [], 'nothing is filled or triggered')
    desk.takeOver()
    t.same(desk.show([], [['10.5', '9']]), [])
    t.same(desk.market('open'), [
      'a4 filled 1/1 1@10.5 avg 10.5', 'a5 new 0/1 (triggered)', 'a5 filled 1/1 1@10.5 avg 10.5'
    ], 'at the price of the level, because they arrive only now')
  }
  t.end()
})

test('has resting orders and those that came meanwhile meet the book by price, then by time', t => {
  const desk = new PaperDesk()
  const market = { market: 'M' }
  desk.show([], [['12', '1']])
  desk.submit('a1', 'buy 1 limit 10', market)
  desk.market('halted')
  desk.submit('b1', 'buy 1 limit 10', market)
  desk.submit('c1', 'buy 1 limit 11', market)
  desk.show([], [['9', '2'], ['9.5', '1']])
  t.same(desk.market('open'), [
    'c1 filled 1/1 1@9 avg 9', 'a1 filled 1/1 1@10 avg 10', 'b1 filled 1/1 1@9.5 avg 9.5'
  ])
  t.end()
})

test('has an order wait for its first book only, and rest from then on', t => {
  const desk = new PaperDesk()
  desk.submit('a1', 'buy 1 limit 10')
  t.equal(desk.state.orders['a1']!.waiting, true)
  desk.show([], [['12', '1']])
  t.equal(desk.state.orders['a1']!.waiting, undefined)
  t.same(desk.show([], [['9', '1']]), ['a1 filled 1/1 1@10 avg 10'])
  t.end()
})

test('triggers several stop orders, which share what the user can spend', t => {
  const desk = new PaperDesk(paperRules({ balances: 'USD:100' }))
  desk.show([], [['14', '100']])
  desk.submit('a1', 'buy 4 stop 10')
  desk.submit('a2', 'buy 4 stop 11')
  desk.submit('b1', 'buy 2 stop 10.5')
  t.same(desk.price('14'), [
    'a1 new 0/4 (triggered)',
    'a1 filled 4/4 4@14 avg 14',
    'b1 new 0/2 (triggered)',
    'b1 filled 2/2 2@14 avg 14',
    'a2 new 0/4 (triggered)',
    'a2 canceled 0/4 (insufficient buying power)'
  ], 'the first to be reached comes first; 44 are left of 100, and what a1 reserved is free')
  t.end()
})

test('fills nothing while a book is stale, not even by trades', t => {
  const desk = new PaperDesk()
  desk.show([], [['12', '1']])
  desk.submit('a1', 'buy 1 limit 10')
  desk.stale()
  t.same(desk.trade('9', '5'), [])
  t.same(desk.submit('b1', 'buy 1 limit 13'), ['b1 new 0/1'])
  t.same(desk.submit('b2', 'buy 1 stop 5'), ['b2 new 0/1', 'b2 new 0/1 (triggered)'])
  t.same(desk.show([], [['11', '5']]), ['b2 filled 1/1 1@11 avg 11', 'b1 filled 1/1 1@11 avg 11'])
  t.end()
})

test('waits five seconds for the first book of a symbol', t => {
  const desk = new PaperDesk()
  t.same(desk.submit('a1', 'buy 1 market'), ['a1 pending_new 0/1'])
  t.same(desk.submit('b1', 'buy 1 limit 9 ioc'), ['b1 pending_new 0/1'])
  t.same(desk.submit('c1', 'buy 1 market', { symbol: 'B' }), ['c1 pending_new 0/1'])
  t.same(desk.submit('d1', 'buy 1 limit 11'), ['d1 new 0/1'])
  t.same(desk.replace('a1', { quantity: '2' }), ['a1 pending_new 0/1 (the order is not accepted yet)'])
  t.equal(desk.exchange.nextDue(desk.state, desk.now), desk.now + 5000)
  t.same(desk.pass(4999), [])
  desk.takeOver()
  t.same(desk.show([], [['10', '2']]), [
    'a1 new 0/1', 'a1 filled 1/1 1@10 avg 10', 'b1 new 0/1', 'b1 canceled 0/1 (no liquidity)', 'd1 filled 1/1 1@10 avg 10'
  ])
  t.same(desk.pass(1), ['c1 rejected 0/1 (no market data)'])
  t.end()
})

test('fills an order that has met no book at the price of the trade that goes through it', t => {
  const desk = new PaperDesk()
  desk.submit('a1', 'buy 2 limit 200')
  t.same(desk.trade('185.5', '1'), ['a1 partially_filled 1/2 1@185.5 avg 185.5'])
  t.same(desk.show([], [['185.6', '1']]), ['a1 filled 2/2 1@185.6 avg 185.55'])
  t.end()
})

test('ends a day order when its market closes, but not one that came after the close', t => {
  const desk = new PaperDesk()
  const market = { market: 'M' }
  desk.market('open')
  desk.submit('a1', 'buy 1 limit 10', market)
  desk.submit('a2', 'buy 1 limit 10 gtc', market)
  desk.submit('a3', 'buy 1 limit 10')
  desk.submit('a4', 'buy 1 stop 10', market)
  t.same(desk.market('halted'), [])
  t.same(desk.market('closed'), ['a1 expired 0/1 (market closed)', 'a4 expired 0/1 (market closed)'])
  desk.submit('b1', 'buy 1 limit 10', market)
  desk.takeOver()
  t.same(desk.market('closed'), [], 'it has closed already')
  t.same(desk.pass(DAY_MS), ['a3 expired 0/1 (end of the day)'], 'its instrument has no market')
  desk.market('open')
  t.same(desk.market('closed'), ['b1 expired 0/1 (market closed)'])
  t.end()
})

test('takes a market as closed that was never said to be anything else', t => {
  const desk = new PaperDesk()
  const { exchange, state } = desk
  desk.market('closed')
  desk.submit('a1', 'buy 1 limit 10', { market: 'M' })
  t.same(desk.market('closed'), [])
  // A server that starts reads the state of the market, without a happening.
  const other = new PaperDesk()
  other.market('closed', 'N')
  other.state = exchange.apply(state, { time: 0, orders: [], open: [], accounts: [], taken: [], closed: [['N', false]], number: 1 })
  other.submit('a2', 'buy 1 limit 10', { market: 'N' })
  t.same(other.market('closed', 'N'), [])
  t.end()
})

test('ends day orders at the end of the UTC day where the market has no status', t => {
  const desk = new PaperDesk()
  desk.submit('a1', 'buy 1 limit 10', { market: 'M' })
  desk.submit('a2', 'buy 1 limit 10 gtc', { market: 'M' })
  const midnight = Date.parse('2026-02-08T00:00:00Z')
  t.equal(desk.exchange.nextDue(desk.state, desk.now), midnight)
  t.same(desk.pass(midnight - desk.now - 1), [])
  desk.takeOver()
  t.same(desk.pass(1), ['a1 expired 0/1 (end of the day)'])
  t.equal(desk.exchange.nextDue(desk.state, desk.now), undefined)
  t.end()
})

test('ends day orders whose day ended while no server ran', t => {
  const desk = new PaperDesk()
  desk.submit('a1', 'buy 1 limit 10')
  desk.submit('a2', 'buy 1 limit 10', { market: 'M' })
  desk.market('open')
  desk.now += 3 * DAY_MS
  desk.takeOver()
  t.ok(desk.exchange.nextDue(desk.state, desk.now)! <= desk.now)
  t.same(desk.pass(0), ['a1 expired 0/1 (end of the day)'])
  t.equal(desk.exchange.nextDue(desk.state, desk.now), undefined, 'the close of its market ends the other one')
  t.end()
})

test('replaces the terms of an order, which keeps its id and what is filled', t => {
  const desk = new PaperDesk()
  desk.show([], [['10', '1']])
  desk.submit('a1', 'buy 3 limit 10 gtc')
  t.same(desk.replace('a1', { quantity: '5', limit_price: '9' }), ['a1 replaced 1/5'])
  t.equal(desk.cash('a'), '99990 (36)')
  t.same(desk.show([], [['8', '1']]), ['a1 partially_filled 2/5 1@9 avg 9.5'])
  t.same(desk.replace('a1', { limit_price: '12' }), ['a1 replaced 2/5'])
  desk.show([], [['8', '1'], ['11', '9']])
  t.equal(desk.held('a'), '5')
  t.end()
})

test('has an order with a new price arrive at the book once more', t => {
  const desk = new PaperDesk()
  desk.show([], [['10', '9']])
  desk.submit('a1', 'buy 3 limit 9')
  t.same(desk.replace('a1', { limit_price: '10.5' }), ['a1 replaced 0/3', 'a1 filled 3/3 3@10 avg 10'])
  t.end()
})

test('puts an order with a new price or a larger quantity behind the others', t => {
  for (const [terms, first] of [
    [{ quantity: '3' }, 'b1'], [{ quantity: '1' }, 'a1'], [{ quantity: '2', limit_price: '10.0' }, 'a1'], [{}, 'a1']
  ] as const) {
    const desk = new PaperDesk()
    desk.show([], [['12', '1']])
    desk.submit('a1', 'buy 2 limit 10')
    desk.submit('b1', 'buy 2 limit 10')
    desk.replace('a1', terms)
    t.equal(desk.trade('9', '1')[0]?.slice(0, 2), first, JSON.stringify(terms))
  }
  const desk = new PaperDesk()
  desk.submit('a1', 'buy 2 limit 10')
  desk.submit('b1', 'buy 2 limit 10')
  desk.replace('a1', { limit_price: '11' })
  desk.replace('a1', { limit_price: '10' })
  t.equal(desk.trade('9', '1')[0]?.slice(0, 2), 'b1')
  t.end()
})

test('answers a request that cannot be done with the order as it is', t => {
  const desk = new PaperDesk(paperRules({ balances: 'USD:100' }))
  desk.show([], [['10', '2']])
  desk.submit('a1', 'buy 5 limit 10')
  t.same(desk.replace('a1', { quantity: '2' }), ['a1 partially_filled 2/5 (the new quantity must be above what is filled)'])
  t.same(desk.replace('a1', { quantity: '9', limit_price: '20' }), ['a1 partially_filled 2/5 (insufficient buying power)'])
  t.same(desk.replace('a1', { stop_price: '9' }), ['a1 partially_filled 2/5 (the order has no stop price)'])
  t.same(desk.replace('a1', { limit_price: '-9' }), ['a1 partially_filled 2/5 (limit_price must be above 0)'])
  t.equal(desk.cash('a'), '80 (30)', 'it stands as it did')
  desk.cancel('a1')
  t.same(desk.cancel('a1'), ['a1 canceled 2/5 (the order has ended)'])
  const { order } = desk.decision!.orders[0]!
  t.equal(order.avg_price, '10')
  t.same(desk.replace('a1', { quantity: '9' }), ['a1 canceled 2/5 (the order has ended)'])
  desk.submit('a2', 'buy 1 limit 9 gtc')
  desk.show([], [['8', '2']])
  t.same(desk.cancel('a2'), ['a2 filled 1/1 (the order has ended)'], 'without the fill itself')
  t.same(desk.cancel('a3'), [], 'the user has no such order')
  t.end()
})

test('lets nobody change the order of somebody else', t => {
  const desk = new PaperDesk()
  desk.submit('a1', 'buy 1 limit 10')
  t.same(desk.cancel('a1', 'b'), [])
  t.same(desk.replace('a1', { quantity: '2' }, 'b'), [])
  desk.cancel('a1')
  t.same(desk.cancel('a1', 'b'), [])
  t.end()
})

test('makes one order of one id, however often and late it comes', t => {
  const desk = new PaperDesk(paperRules({ openOrders: 3 }))
  desk.submit('a1', 'buy 1 limit 10')
  t.same(desk.submit('a1', 'buy 1 limit 10'), [])
  t.equal(desk.decision, undefined)
  desk.cancel('a1')
  for (let number = 2; number <= 1000; number++) {
    desk.submit(`a${number}`, 'buy 1 limit 10')
    desk.cancel(`a${number}`)
  }
  desk.takeOver()
  t.same(desk.submit('a1', 'buy 1 limit 10'), [])
  t.same(desk.cancel('a1'), [], 'its last message is forgotten')
  t.same(desk.cancel('a981'), ['a981 canceled 0/1 (the order has ended)'])
  t.same(desk.cancel('a980'), [])
  desk.submit('a1001', 'buy 0 limit 10')
  t.same(desk.submit('a1', 'buy 1 limit 10'), ['a1 new 0/1'], 'a thousand others have ended since')
  t.end()
})

test('bounds the open orders and the positions of a user', t => {
  const desk = new PaperDesk(paperRules({ openOrders: 2, positions: 2 }))
  desk.submit('a1', 'buy 1 limit 10')
  desk.submit('a2', 'buy 1 limit 10')
  t.same(desk.submit('a3', 'buy 1 limit 10'), ['a3 rejected 0/1 (too many open orders)'])
  t.same(desk.submit('b1', 'buy 1 limit 10'), ['b1 new 0/1'])
  desk.show([], [['1', '9']])
  desk.submit('a4', 'buy 1 limit 10', { symbol: 'B' })
  desk.show([], [['1', '9']], 'B')
  t.same(desk.submit('a5', 'buy 1 limit 10', { symbol: 'C' }), ['a5 rejected 0/1 (too many positions)'])
  t.same(desk.submit('a6', 'buy 1 limit 10', { symbol: 'B' }).at(-1), 'a6 filled 1/1 1@1 avg 1')
  t.end()
})

test('takes no order with numbers that no account could hold', t => {
  const desk = new PaperDesk()
  const table = [
    ['buy 0 limit 10', 'quantity must be above 0'],
    ['buy 0.00 market', 'quantity must be above 0'],
    [`buy ${'1'.repeat(16)} limit 10`, 'quantity must have at most 15 digits before and 12 after the point'],
    ['buy 1 limit 0.0000000000001', 'limit_price must have at most 15 digits before and 12 after the point'],
    ['buy 1 limit', 'limit_price is missing'],
    ['buy 1 market 10', 'limit_price does not belong to this type of order'],
    ['buy 1 stop_limit 10', 'limit_price is missing'],
    ['buy 1 stop 10 ioc', 'a stop order must be day or gtc']
  ] as const
  for (const [index, [text, reason]] of table.entries()) {
    t.match(desk.submit(`a${index}`, text), [`(${reason})`], text)
    t.match(desk.decision!.orders[0]!.order.status, 'rejected')
  }
  desk.command('a', { action: 'submit_order', order_id: 'ax', client_order_id: 'x', symbol: 'A', side: 'buy', order_type: 'limit', time_in_force: 'day', quantity: '-1', limit_price: '1', currency: 'USD' })
  t.match(desk.decision!.orders[0]!.order.reason, 'quantity must be above 0')
  t.end()
})

test('takes nothing from levels and trades that have no price, and no more digits than quantities have', t => {
  const desk = new PaperDesk()
  desk.show([], [['-1', '5'], ['0', '5'], ['1.0000000000001', '5'], ['2', '0.0000000000019'], ['3', '0']])
  t.same(desk.submit('a1', 'buy 1 limit 3'), ['a1 new 0/1', 'a1 partially_filled 0.000000000001/1 0.000000000001@2 avg 2'])
  t.same(desk.trade('-1', '5'), [])
  t.same(desk.trade('0', '5'), [])
  t.end()
})

test('begins an account anew, and cancels its open orders', t => {
  const desk = new PaperDesk()
  desk.show([], [['10', '9']])
  desk.submit('a1', 'buy 5 market')
  desk.submit('a2', 'sell 1 limit 12')
  desk.submit('a3', 'buy 1 limit 9 gtc')
  desk.submit('a4', 'buy 1 market', { symbol: 'B' })
  t.same(desk.reset('a'), [
    'a2 canceled 0/1 (account reset)', 'a3 canceled 0/1 (account reset)', 'a4 canceled 0/1 (account reset)'
  ])
  t.equal(desk.cash('a'), '100000 (0)')
  t.equal(desk.held('a'), '0')
  t.same(desk.submit('a1', 'buy 5 market'), [], 'it still knows its orders')
  t.same(desk.reset('b'), [])
  t.equal(desk.cash('b'), '100000 (0)', 'also for a user without one')
  t.end()
})

test('copes with users and symbols that are names of JavaScript', t => {
  const desk = new PaperDesk()
  for (const name of ['__proto__', 'constructor', 'hasOwnProperty', 'toString', '1']) {
    const command = {
      action: 'submit_order', order_id: name, client_order_id: name, symbol: name, side: 'buy', order_type: 'limit', time_in_force: 'gtc', quantity: '2', limit_price: '10', currency: 'USD'
    } as const
    const happening = { kind: 'command', user: name, time: desk.now, command } as const
    const decide = (): number => {
      const decision = desk.exchange.decide(desk.state, desk, happening)
      if (decision !== undefined) desk.state = desk.exchange.apply(desk.state, decision)
      return decision?.orders.length ?? 0
    }
    t.equal(decide(), 1, name)
    desk.takeOver()
    t.equal(decide(), 0, name)
    const order = Object.getOwnPropertyDescriptor(desk.state.orders, name)?.value as { user: string }
    t.equal(order.user, name)
  }
  t.same([...desk.exchange.symbolsInUse(desk.state)].sort(), ['1', '__proto__', 'constructor', 'hasOwnProperty', 'toString'])
  t.end()
})

test('decides nothing about symbols that nobody trades', t => {
  const desk = new PaperDesk()
  desk.submit('a1', 'buy 1 limit 10')
  t.same([desk.show([], [['9', '1']], 'B'), desk.trade('9', '1', 'B'), desk.price('9', 'B')], [[], [], []])
  t.equal(desk.decision, undefined)
  t.same([...desk.exchange.symbolsInUse(desk.state)], ['A'])
  desk.show([], [['9', '1']])
  t.same([...desk.exchange.symbolsInUse(desk.state)], ['A'], 'it is held now')
  t.same([...desk.exchange.holdersOf(desk.state, 'A')], ['a'])
  t.same([...desk.exchange.openOrdersOf(desk.state, 'a')], [])
  desk.show([['9', '1']], [])
  desk.submit('a2', 'sell 1 market')
  t.same([...desk.exchange.symbolsInUse(desk.state)], [])
  t.end()
})
