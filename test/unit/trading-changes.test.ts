import { test } from 'tap'
import { PaperDesk, paperRules } from '../helpers/paper-desk.js'

/** Rules of the paper exchange, one by one (docs/trading.md): new terms, refusals and bounds. */

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
