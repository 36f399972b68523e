import { test } from 'tap'
import { PaperDesk, paperRules } from '../helpers/paper-desk.js'

/** Rules of the paper exchange, one by one (docs/trading.md): what is filled, and what it costs. */

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
