import { test } from 'tap'
import { eventOf, positionOf } from '../../src/brokers/heard.js'
import { BrokerDesk } from '../helpers/broker-desk.js'

/** What requests and events mean for an order that a broker fills, one by one (docs/trading.md). */

test('a market order that is replaced goes on to reserve cash for what is left of it', t => {
  const desk = new BrokerDesk()
  desk.price('100')
  desk.submit('o', 'buy 2 market')
  desk.hear({ type: 'accepted', order_id: 'o' })
  t.same(desk.replace('o', { quantity: '1000000' }), ['o new 0/2 (insufficient buying power)'])
  t.equal(desk.order('o').reserved, '200')
  desk.replace('o', { quantity: '10' })
  t.equal(desk.order('o').reserved, '1000', 'while the broker is asked')
  desk.hear({ type: 'refused', order_id: 'o', request_id: 'r2' })
  t.equal(desk.order('o').reserved, '200')
  desk.price('120')
  desk.replace('o', { quantity: '10' })
  t.equal(desk.order('o').reserved, '1200', 'the last price counts for all of it')
  desk.fill('o', 'x1', '1', '90')
  t.equal(desk.order('o').reserved, '1080', 'the larger one is asked for still')
  desk.hear({ type: 'replaced', order_id: 'o', request_id: 'r3', quantity: '9' })
  t.equal(desk.order('o').reserved, '960')
  desk.replace('o', { quantity: '8' })
  t.equal(desk.order('o').reserved, '960')
  desk.hear({ type: 'replaced', order_id: 'o', request_id: 'r4' })
  t.equal(desk.order('o').reserved, '840')
  desk.hear({ type: 'replaced', order_id: 'o', quantity: '4' })
  t.equal(desk.order('o').reserved, '360', 'the broker may do it by itself')
  t.end()
})

test('an order in a currency that the account has not got is rejected, and one that is filled in it is paid', t => {
  const desk = new BrokerDesk()
  t.same(desk.submit('o', 'buy 1 market', { currency: 'EUR' }), ['o rejected 0/1 (the account has no EUR; it has USD)'])
  desk.submit('p', 'buy 1 market')
  // Such an order is of a server that took any currency.
  desk.state.orders['p'] = { ...desk.order('p'), currency: 'EUR' }
  desk.fill('p', 'x1', '1', '90')
  t.match(desk.account.balances, [{ currency: 'USD', cash: '100000' }, { currency: 'EUR', cash: '-90' }])
  t.end()
})

test('a replacement that the broker made by itself undoes no later one when both come again', t => {
  const desk = new BrokerDesk()
  desk.submit('o', 'buy 5 limit 10')
  desk.hear({ type: 'accepted', order_id: 'o', position: '4' })
  desk.replace('o', { quantity: '12' })
  const both = [
    { type: 'replaced', order_id: 'o', quantity: '8', position: '5' },
    { type: 'replaced', order_id: 'o', quantity: '12', request_id: 'r1', position: '6' }
  ] as const
  t.same(desk.hear(...both), ['o replaced 0/8', 'o replaced 0/12'])
  t.same(desk.hear(...both), [])
  t.equal(desk.order('o').quantity, '12')
  t.same(desk.hear({ type: 'replaced', order_id: 'o', quantity: '8', position: '7' }), ['o replaced 0/8'])
  t.end()
})

test('what the broker says of an order counts after what it said before the server knew the order', t => {
  const desk = new BrokerDesk()
  desk.hear({ type: 'replaced', order_id: 'o', quantity: '9', position: '1' })
  desk.submit('o', 'buy 5 limit 10')
  t.same(desk.fill('o', 'x1', '8', '10'), [])
  t.same(desk.meet(), ['o new 0/5', 'o replaced 0/9'])
  t.same(desk.meet(), ['o partially_filled 8/9'])
  t.same([desk.state.strangers, desk.decision!.fault], [{}, undefined])
  t.end()
})

test('an order has at most a thousand fills, and a thousand replacements', t => {
  const desk = new BrokerDesk()
  desk.submit('o', 'buy 5000 limit 10')
  for (let number = 1; number <= 1001; number++) {
    desk.hear({ type: 'replaced', order_id: 'o', quantity: `${5000 + number}`, position: `${number}` })
  }
  t.match(desk.decision!.fault, /1000 replacements/)
  for (let number = 1; number <= 1001; number++) desk.fill('o', `x${number}`, '1', '10')
  t.match(desk.decision!.fault, /1000 fills/)
  desk.fill('o', 'x1', '1', '10')
  t.equal(desk.decision, undefined, 'one that it had comes again')
  t.match(desk.order('o'), { quantity: '6000', filled_qty: '1000' })
  t.same(desk.hear({ type: 'canceled', order_id: 'o' }), ['o canceled 1000/6000'])
  t.end()
})

test('a reason reaches the log no longer than a user gets it', t => {
  const event = { type: 'canceled', order_id: 'o', position: '1' } as const
  t.same(eventOf({ ...event, reason: `${'x'.repeat(255)}\u{1F600}` }), { ...event, reason: 'x'.repeat(255) })
  t.same(eventOf(event), event)
  for (const other of [null, 7, 'event', [], { type: 'away' }, { ...event, reason: null }]) t.equal(eventOf(other), undefined)
  t.same([null, { position: 7 }, { position: 'x'.repeat(1025) }, { position: '1' }].map(positionOf), [undefined, undefined, undefined, '1'])
  t.end()
})
