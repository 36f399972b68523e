import { compareDecimals, isZeroDecimal } from '@tickwire/protocol'
import fc from 'fast-check'
import { test } from 'tap'

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 2000)

const digits = (bounds: { minLength: number, maxLength: number }): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...'0000123456789'), ...bounds })

const decimal = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.oneof(
      fc.constant('0'),
      fc
        .tuple(fc.constantFrom(...'123456789'), digits({ minLength: 0, maxLength: 29 }))
        .map(([first, rest]) => first + rest)
    ),
    fc.option(digits({ minLength: 1, maxLength: 30 }), { nil: undefined })
  )
  .map(([sign, integer, fraction]) => sign + integer + (fraction === undefined ? '' : `.${fraction}`))

/** Pairs that are likely to be near or equal; the first digit would decide most random pairs. */
const pair = fc.oneof(
  fc.tuple(decimal, decimal),
  fc
    .tuple(decimal, fc.nat(8))
    .map(
      ([a, zeros]) => [a, a + (zeros === 0 ? '' : (a.includes('.') ? '' : '.') + '0'.repeat(zeros))] as const
    ),
  fc
    .tuple(decimal, digits({ minLength: 1, maxLength: 4 }))
    .map(([a, more]) => [a, a + (a.includes('.') ? '' : '.') + more] as const),
  decimal.map(a => [a, a.startsWith('-') ? a.slice(1) : `-${a}`] as const)
)

const SCALE = 64

/** Returns the value in units of 10^-64, exactly. */
function units (decimal: string): bigint {
  const [integer = '', fraction = ''] = decimal.replace('-', '').split('.')
  const magnitude = BigInt(integer + fraction.padEnd(SCALE, '0'))
  return decimal.startsWith('-') ? -magnitude : magnitude
}

test('compares decimals exactly by value', async t => {
  fc.assert(fc.property(pair, ([a, b]) => {
    const difference = units(a) - units(b)
    const sign = difference > 0n ? 1 : difference < 0n ? -1 : 0
    if (Math.sign(compareDecimals(a, b)) !== sign) {
      throw new Error(`${a} and ${b}: ${compareDecimals(a, b)} instead of ${sign}`)
    }
    if (Math.sign(compareDecimals(b, a)) + sign !== 0) {
      throw new Error(`${b} and ${a}: ${compareDecimals(b, a)} is not the opposite`)
    }
  }), { numRuns })
  t.pass(`${numRuns} pairs`)
})

test('takes zero in any spelling as zero, and nothing else', async t => {
  fc.assert(fc.property(decimal, decimal => isZeroDecimal(decimal) === (units(decimal) === 0n)), { numRuns })
  for (const zero of ['0', '-0', '0.0', '0.00000000', '-0.000']) {
    t.ok(isZeroDecimal(zero), zero)
    t.equal(compareDecimals(zero, '0'), 0, `${zero} equals 0`)
  }
  for (const other of ['1', '-1', '0.1', '10', '0.00000001', '-0.001']) t.notOk(isZeroDecimal(other), other)
})

test('orders pairs that text or floating point would order otherwise', async t => {
  const ascending: ReadonlyArray<readonly [string, string]> = [
    ['9', '10'],
    ['9.9', '10'],
    ['-10', '-9'],
    ['-1', '0'],
    ['0.1', '0.10000000000000000000000001'],
    ['0.09', '0.1'],
    ['9007199254740992', '9007199254740993'],
    ['-0.2', '-0.1'],
    ['1', '1.00000000000000000001'],
    ['-0.1', '-0']
  ]
  for (const [less, more] of ascending) {
    t.ok(compareDecimals(less, more) < 0, `${less} < ${more}`)
    t.ok(compareDecimals(more, less) > 0, `${more} > ${less}`)
  }
  for (const [a, b] of [['185.5', '185.50'], ['1', '1.0'], ['-2.50', '-2.5'], ['0', '-0.0']] as const) {
    t.equal(compareDecimals(a, b), 0, `${a} = ${b}`)
  }
})
