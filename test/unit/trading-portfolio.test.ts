import { TypeCompiler } from '@sinclair/typebox/compiler'
import { Portfolio } from '@tickwire/protocol'
import { test } from 'tap'
import { bookOfQuote } from '../../src/trading/market-view.js'
import { PAPER_START, PaperDesk, paperRules } from '../helpers/paper-desk.js'

/** What users are told of what they own. */

const isPortfolio = TypeCompiler.Compile(Portfolio)
const HOUR_MS = 3_600_000

test('sums cash, positions, profit and fees', t => {
  const desk = new PaperDesk(paperRules({ balances: 'USD:10000', fees: '0.001' }))
  desk.show([['110', '9']], [['100', '9']])
  desk.submit('a1', 'buy 4 market')
  desk.submit('a2', 'sell 1 market')
  desk.submit('a3', 'buy 2 limit 50')
  desk.price('120')
  const portfolio = desk.portfolio('a')
  t.ok(isPortfolio.Check(portfolio))
  t.same(portfolio, {
    currency: 'USD',
    total_value: '10069.49',
    cash: '9709.49',
    buying_power: '9609.39',
    day_pnl: '69.49',
    realized_pnl: '10',
    unrealized_pnl: '60',
    fees: '0.51',
    positions: [{
      symbol: 'A', currency: 'USD', quantity: '3', avg_price: '100', last: '120', market_value: '360', unrealized_pnl: '60'
    }],
    balances: [{ currency: 'USD', cash: '9709.49', reserved: '100.1' }]
  })
  t.end()
})

test('values a position at its cost until there is a price', t => {
  const desk = new PaperDesk()
  desk.show([], [['33.3', '9']])
  desk.submit('a1', 'buy 3 market')
  const { positions: [position], total_value: total } = desk.portfolio('a')
  t.same(position, { symbol: 'A', currency: 'USD', quantity: '3', avg_price: '33.3', market_value: '99.9', unrealized_pnl: '0' })
  t.equal(total, '100000')
  t.end()
})

test('converts currencies by the last price of their pair, in either direction', t => {
  const desk = new PaperDesk(paperRules({ balances: 'USD:100,KRW:1000000,EUR:10' }))
  desk.show([], [['70000', '9']])
  desk.submit('a1', 'buy 2 market', { currency: 'KRW' })
  desk.price('75000')
  t.match(desk.portfolio('a'), { total_value: '100', cash: '100', without_rate: ['KRW', 'EUR'] })
  desk.price('1.25', 'EUR-USD')
  desk.price('1400', 'USD-KRW')
  const { total_value: total, cash, unrealized_pnl: gain, without_rate: without, balances } = desk.portfolio('a')
  t.equal(cash, '726.78571429', '100 + 860000 / 1400 + 12.5')
  t.equal(gain, '7.14285714')
  t.equal(total, '833.92857143', '1010000 / 1400 + 112.5')
  t.equal(without, undefined)
  t.same(balances!.map(one => one.currency), ['USD', 'KRW', 'EUR'])
  t.ok(isPortfolio.Check(desk.portfolio('a')))
  t.end()
})

test('does not value a position by a price that no message could show', t => {
  const desk = new PaperDesk()
  desk.show([], [['10', '9']])
  desk.submit('a1', 'buy 0.000000000001 market')
  desk.price('1'.repeat(60))
  t.ok(isPortfolio.Check(desk.portfolio('a')))
  t.equal(desk.portfolio('a').total_value, '100000')
  t.end()
})

test('counts the profit of a day from the value at its beginning, UTC', t => {
  const desk = new PaperDesk()
  desk.show([], [['10', '99']])
  desk.submit('a1', 'buy 10 market')
  desk.reset('b')
  desk.price('12')
  t.equal(desk.portfolio('a').day_pnl, '20')
  const midnight = Date.parse('2026-02-08T00:00:00Z')
  desk.pass(0)
  t.equal(desk.exchange.nextDue(desk.state, desk.now), midnight)
  desk.pass(midnight - PAPER_START)
  t.equal(desk.portfolio('a').day_pnl, '0')
  t.same(desk.decision!.accounts.map(({ user }) => user), ['a'], 'whoever has no position has the same value')
  desk.price('11')
  t.equal(desk.portfolio('a').day_pnl, '-10')
  desk.takeOver()
  t.equal(desk.portfolio('a').day_pnl, '-10')
  desk.pass(HOUR_MS)
  t.equal(desk.decision, undefined, 'once a day')
  desk.show([], [['11', '1']])
  desk.submit('b2', 'buy 1 market')
  desk.price('13')
  t.equal(desk.portfolio('b').day_pnl, '2')
  desk.reset('a')
  t.equal(desk.portfolio('a').day_pnl, '0')
  t.end()
})

test('notes the day of many accounts in several decisions', t => {
  const desk = new PaperDesk()
  desk.show([], [['10', '10000']])
  for (let number = 0; number < 501; number++) {
    const command = {
      action: 'submit_order', order_id: `o${number}`, client_order_id: 'c', symbol: 'A', side: 'buy', order_type: 'market', time_in_force: 'day', quantity: '1', currency: 'USD'
    } as const
    const decision = desk.exchange.decide(desk.state, desk, { kind: 'command', user: `u${number}`, command, time: desk.now })
    desk.exchange.apply(desk.state, decision!)
  }
  desk.now += 24 * HOUR_MS
  const counts: number[] = []
  while (desk.exchange.nextDue(desk.state, desk.now)! <= desk.now) {
    desk.pass(0)
    counts.push(desk.decision?.accounts.length ?? 0)
  }
  t.same(counts, [500, 1, 0])
  t.end()
})

test('makes a book of one level of a quote', t => {
  const quote = { symbol: 'A', bid: '9', ask: '10', bid_size: '5', ask_size: '3' }
  t.same(bookOfQuote(quote), { bids: [['9', '5']], asks: [['10', '3']] })
  t.same(bookOfQuote({ symbol: 'A', bid: '9', ask: '10', ask_size: '3' }), { bids: [], asks: [['10', '3']] })
  t.equal(bookOfQuote({ symbol: 'A', bid: '9', ask: '10', bid_size: '0.0' }), undefined)
  t.equal(bookOfQuote({ symbol: 'A', last: '9' }), undefined)
  t.end()
})
