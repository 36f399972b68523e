import { test } from 'tap'
import { PaperDesk, paperRules } from '../helpers/paper-desk.js'

/** Rules of the paper exchange, one by one (docs/trading.md): hours, days, and books that are not there. */

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

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
