import fc from 'fast-check'
import { ORDER_STATUSES, type OpenOrder } from '@tickwire/protocol'
import { test } from 'tap'
import { afterFill, openAccount } from '../../src/trading/account.js'
import { averagePrice, decimalsOf, format, inverse, isMultiple, money, orderNumberFault, quotient, tradableSize } from '../../src/trading/money.js'
import { inStatus, isOpen, TRANSITIONS } from '../../src/trading/order.js'
import { feeOf, parseBalances, parseFees } from '../../src/trading/settings.js'

test('an average has the decimals of its prices, and more only if it needs them', t => {
  for (const [notional, quantity, decimals, average] of [
    ['371.00', '2', 2, '185.50'],
    ['927.56', '5', 2, '185.512'],
    ['10', '1', 0, '10'],
    ['10', '4', 0, '2.5'],
    ['10', '3', 2, '3.33333333'],
    ['0.00000001', '2', 2, '0.00'],
    ['0.00000003', '2', 2, '0.00000002'],
    ['20', '2', 12, '10.00000000'],
    ['2000000', '2', 0, '1000000'],
    ['0.000000015', '1', 9, '0.00000002'],
    ['0.000000025', '1', 9, '0.00000002']
  ] as const) {
    t.equal(averagePrice(money(notional), money(quantity), decimals), average, `${notional} / ${quantity}`)
  }
  t.end()
})

test('divides half to even, as whole numbers do it', t => {
  const digits = fc.bigInt(1n, 10n ** 20n)
  const scale = fc.integer({ min: 0, max: 12 })
  fc.assert(fc.property(digits, scale, digits, scale, (a, aScale, b, bScale) => {
    const text = (value: bigint, scale: number): string => {
      const padded = value.toString().padStart(scale + 1, '0')
      return scale === 0 ? padded : `${padded.slice(0, -scale)}.${padded.slice(-scale)}`
    }
    const [dividend, divisor] = [a * 10n ** BigInt(8 + bScale), b * 10n ** BigInt(aScale)]
    const [floor, rest] = [dividend / divisor, (dividend % divisor) * 2n]
    const expected = floor + (rest > divisor || (rest === divisor && floor % 2n === 1n) ? 1n : 0n)
    return quotient(money(text(a, aScale)), money(text(b, bScale))).times('100000000').toFixed() === expected.toString()
  }), { numRuns: Number(process.env['FUZZ_RUNS'] ?? 500) })
  t.end()
})

test('writes amounts without an exponent, a sign of zero or zeros at the end', t => {
  for (const [text, written] of [
    ['0.0000000000000000001', '0.0000000000000000001'], ['1000000000000000000000000000000', '1000000000000000000000000000000'],
    ['-0', '0'], ['-0.00', '0'], ['1.500', '1.5'], ['-927.560', '-927.56']
  ] as const) t.equal(format(money(text)), written, text)
  t.equal(format(inverse('1380.5').times('100000000').round(8)), '72437.52263673')
  t.end()
})

test('knows multiples of ticks and lots exactly', t => {
  for (const [value, step, expected] of [
    ['0.3', '0.1', true], ['185.505', '0.01', false], ['185.50', '0.05', true], ['5', '1', true], ['5.00', '1', true],
    ['0.00000001', '0.00000001', true], ['100000000000000.01', '0.02', false], ['3', '10', false], ['70050', '50', true]
  ] as const) t.equal(isMultiple(value, step), expected, `${value} of ${step}`)
  t.end()
})

test('says what is wrong with the number of an order', t => {
  for (const [text, fault] of [
    ['185.50', undefined], ['999999999999999.999999999999', undefined], ['0.000000000001', undefined],
    ['0', /above 0/], ['-1', /above 0/], ['0.00', /above 0/], ['1e5', /must be a decimal/], ['', /must be a decimal/], ['01', /must be a decimal/],
    ['1000000000000000', /at most 15 digits before and 12 after/], ['0.0000000000001', /at most 15 digits/]
  ] as const) {
    if (fault === undefined) t.equal(orderNumberFault(text), undefined, text)
    else t.match(orderNumberFault(text), fault, text)
  }
  t.equal(decimalsOf('185.50'), 2)
  t.equal(format(tradableSize('0.1234567890129')), '0.123456789012', 'never more than is displayed')
  t.equal(format(tradableSize('-5')), '0')
  t.end()
})

test('reads fees', t => {
  for (const [text, market, fee] of [
    ['0.001', 'KRX', '0.001'], ['0', 'KRX', '0'], ['KRX:0.00015,UPBIT:0.0005', 'KRX', '0.00015'], ['KRX:0.00015', 'UPBIT', '0'],
    ['0.001, KRX:0.00015', 'UPBIT', '0.001'], ['KRX:0.00015,0.001', undefined, '0.001'], ['A:B:0.1', 'A:B', '0.1'], ['KRX:0.00015,0.001', 'constructor', '0.001']
  ] as const) t.equal(feeOf(parseFees(text), market), fee, `${text} for ${market}`)
  for (const [text, message] of [
    ['', /'' is not a fee: write a fraction/], ['1', /from 0 to below 1/], ['-0.1', /'-0\.1' is not a fee/], ['0.1%', /is not a fee/], ['KRX', /'KRX' is not a fee/],
    ['KRX:', /'KRX:' is not a fee/], [':0.1', /names no market/], ['0.1,0.2', /second fee of all other markets/], ['KRX:0.1,KRX:0.2', /second fee of KRX/],
    ['0.000000001', /at most 8 decimals/], ['0.1,', /'' is not a fee/]
  ] as const) t.throws(() => parseFees(text), message, text)
  t.end()
})

test('reads starting balances', t => {
  t.same([...parseBalances('KRW:100000000, USD:100000.50')], [['KRW', '100000000'], ['USD', '100000.50']])
  for (const [text, message] of [
    ['', /'' is not a balance: write a currency and an amount/], ['USD', /'USD' is not a balance/], ['USD:-1', /an amount of 0 or more/], ['USD:1e5', /such as USD:100000/],
    ['U$D:1', /is not a balance/], ['USD:1:2', /is not a balance/], ['USD:1,USD:2', /second balance of USD/], ['USD:1,', /is not a balance/],
    ['USD:0.000000001', /at most 8 decimals/], [`USD:${'1'.repeat(25)}`, /24 characters/],
    [Array.from({ length: 101 }, (_, index) => `C${index}:1`).join(), /at most 100/]
  ] as const) t.throws(() => parseBalances(text), message, text)
  t.end()
})

test('an order changes its status only as the table says', t => {
  const table: Record<string, string> = {
    pending_new: 'new rejected canceled',
    new: 'partially_filled filled pending_cancel canceled replaced expired',
    partially_filled: 'partially_filled filled pending_cancel canceled replaced expired',
    replaced: 'partially_filled filled pending_cancel canceled replaced expired',
    pending_cancel: 'new partially_filled replaced filled canceled expired',
    filled: '',
    canceled: '',
    rejected: '',
    expired: ''
  }
  t.same(Object.keys(TRANSITIONS).sort(), [...ORDER_STATUSES].sort())
  for (const from of ORDER_STATUSES) {
    t.equal(isOpen(from), table[from] !== '', from)
    for (const to of ORDER_STATUSES) {
      const change = (): string => inStatus({ order_id: 'a1', status: from } as OpenOrder, to).status
      if (table[from]!.split(' ').includes(to)) t.equal(change(), to, `${from} to ${to}`)
      else t.throws(change, { message: `order a1 cannot change from ${from} to ${to}` }, `${from} to ${to}`)
    }
  }
  t.end()
})

test('loses nothing of what a position has cost', t => {
  const buy = { symbol: 'A', currency: 'USD', side: 'buy', quantity: money('3'), notional: money('10'), fee: money('0.01') } as const
  const sell = { ...buy, side: 'sell', quantity: money('1'), notional: money('4') } as const
  let account = afterFill(openAccount(parseBalances('USD:100'), 0), buy)
  t.same(account.positions, [{ symbol: 'A', currency: 'USD', quantity: '3', cost: '10' }])
  account = afterFill(account, sell)
  t.same(account.positions, [{ symbol: 'A', currency: 'USD', quantity: '2', cost: '6.66666667' }])
  t.same(account.balances, [{ currency: 'USD', cash: '93.98', fees: '0.02', realized: '0.66666667' }])
  account = afterFill(afterFill(account, sell), sell)
  t.same(account.positions, [])
  t.same(account.balances, [{ currency: 'USD', cash: '101.96', fees: '0.04', realized: '2' }])
  t.end()
})

test('gives a sale no larger share than the position has cost', t => {
  const buy = { symbol: 'A', currency: 'USD', side: 'buy', quantity: money('100'), notional: money('0.000000006'), fee: money('0') } as const
  const account = afterFill(openAccount(parseBalances('USD:1'), 0), buy)
  const { positions: [position] } = afterFill(account, { ...buy, side: 'sell', quantity: money('99') })
  t.same(position, { symbol: 'A', currency: 'USD', quantity: '1', cost: '0' })
  t.end()
})
