import { TypeCompiler } from '@sinclair/typebox/compiler'
import { standardChannels } from '@tickwire/protocol'
import { test } from 'tap'
import { type Json, type Path, samples } from '../helpers/channel-samples.js'

const BAD_DECIMALS: readonly Json[] = [
  '1.',
  '.5',
  '01',
  '-01',
  '00',
  '1e5',
  '1E5',
  '',
  '-',
  '.',
  '+1',
  ' 1',
  '1 ',
  '1\n',
  '1,000',
  '1.2.3',
  '--1',
  '0x1',
  'NaN',
  'Infinity',
  '١',
  '1'.repeat(65),
  null,
  1,
  1.5,
  0,
  true,
  [],
  {}
]
const GOOD_DECIMALS = [
  '0',
  '-0',
  '0.0',
  '-0.00',
  '1',
  '-1.50',
  '10',
  '100.00',
  '0.00000001',
  '12345678901234567890.123456789',
  '1'.repeat(64)
]

/** Returns a copy with one place replaced. */
function replaced (value: Json, path: Path, by: Json): Json {
  const copy = structuredClone(value)
  let at = copy as { [key: string | number]: Json }
  for (const key of path.slice(0, -1)) at = at[key] as { [key: string | number]: Json }
  at[path.at(-1)!] = by
  return copy
}

const without = (value: { readonly [name: string]: Json }, name: string): Json =>
  Object.fromEntries(Object.entries(value).filter(([key]) => key !== name))

/** Lists the places of everything inside a value. */
function places (value: Json, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  const inside = Object.entries(value).flatMap(([key, part]) =>
    places(part, [...path, Array.isArray(value) ? Number(key) : key])
  )
  return path.length === 0 ? inside : [path, ...inside]
}

test('defines exactly these channels', async t => {
  t.same([...standardChannels.keys()].sort(), Object.keys(samples).sort())
  for (const [name, channel] of standardChannels) {
    const { type, access, keyed, state } = samples[name]!
    t.match(channel, { name, type, access, keyed }, name)
    t.equal(channel.reduce !== undefined, state, `${name} has ${state ? 'a' : 'no'} state`)
    t.not(channel.description, '')
  }
})

for (const [name, { full, required, decimals }] of Object.entries(samples)) {
  test(`checks the data of ${name}`, async t => {
    const schema = TypeCompiler.Compile(standardChannels.get(name)!.schema)
    const accepts = (value: Json, what: string): void => {
      t.ok(schema.Check(value), `${what}: ${JSON.stringify(value)}`)
    }
    const refuses = (value: Json, what: string): void => {
      t.notOk(schema.Check(value), `${what}: ${JSON.stringify(value)}`)
    }

    accepts({ ...full }, 'all fields')
    accepts(Object.fromEntries(required.map(field => [field, full[field]!])), 'only the required fields')
    for (const field of Object.keys(full)) {
      if (required.includes(field)) refuses(without(full, field), `without ${field}`)
      else accepts(without(full, field), `without ${field}`)
    }
    refuses({ ...full, more: 1 }, 'one more field')
    refuses({ ...full, '': '' }, 'one more field')
    // Each strategy has parameters of its own.
    for (const path of places({ ...full }).filter(path => !path.includes('parameters'))) {
      refuses(replaced({ ...full }, path, null), `null at ${path.join('.')}`)
      if (!['stale', 'removed', 'partial', 'closed', 'triggered', 'waiting', 'available', 'complete'].includes(String(path.at(-1)))) refuses(replaced({ ...full }, path, true), `true at ${path.join('.')}`)
      refuses(replaced({ ...full }, path, { a: 1 }), `an object at ${path.join('.')}`)
    }
    for (const path of decimals) {
      for (const bad of BAD_DECIMALS) {
        refuses(replaced({ ...full }, path, bad), `no decimal at ${path.join('.')}`)
      }
      for (const good of GOOD_DECIMALS) {
        accepts(replaced({ ...full }, path, good), `a decimal at ${path.join('.')}`)
      }
    }
    for (const nothing of [null, [], '', 0, {}]) refuses(nothing, 'no data')
  })
}

const single = (channel: string, path: Path, good: readonly Json[], bad: readonly Json[]): void => {
  test(`checks ${path.join('.')} in ${channel}`, async t => {
    const schema = TypeCompiler.Compile(standardChannels.get(channel)!.schema)
    const sample = { ...samples[channel]!.full }
    for (const value of good) t.ok(schema.Check(replaced(sample, path, value)), JSON.stringify(value))
    for (const value of bad) {
      t.notOk(schema.Check(replaced(sample, path, value)), JSON.stringify(value).slice(0, 80))
    }
  })
}

single(
  'quotes', ['symbol'],
  ['005930', 'BTC-USD', 'ES=F', 'A'.repeat(64), '^GSPC', 'BTC/USDT:USDT', '삼성전자', '𐀀'.repeat(64)],
  ['', '*', 'A B', 'A,B', 'A\n', '@market/KOSPI', 'A'.repeat(65), 'e\u0301', 5930]
)
single(
  'instruments', ['sector'],
  ['semiconductors', '반도체', 'B&O'], ['Consumer Discretionary', '측정, 시험', '', '*', '@sector/x']
)
single(
  'instruments', ['sector_name'],
  ['Consumer Discretionary', '측정, 시험, 항해, 제어 및 기타 정밀기기 제조업; 광학기기 제외', 'x'.repeat(128)],
  ['x'.repeat(129), 1]
)
for (const field of ['tick_size', 'lot_size']) {
  single(
    'instruments', [field],
    ['1', '0.05', '1000', '0.00000001', '10.0', `1${'0'.repeat(63)}`],
    ['0', '0.00', '-1', '+1', '.5', '01', '1.', '0,5', '1e3', '', ' 1', '1\n', '1'.repeat(65), 1]
  )
}
single(
  'instruments', ['currency'],
  ['KRW', 'USDT', 'GBp', '1INCH', 'X'.repeat(16)], ['', 'US$', 'K W', 'X'.repeat(17), 410]
)
single(
  'instruments', ['venue_symbol'],
  ['KRW-BTC', 'XBT/USD', 'ES Mar 27', 'x'.repeat(64)], ['', 'x'.repeat(65), 1]
)
single(
  'bars.1m', ['start'],
  ['2026-02-28T23:59:59Z', '0000-01-01T00:00:00Z'],
  ['2026-02-30T00:00:00Z', '2026-02-28T23:59:60Z', '2026-02-28T00:00:00.000Z', '2026-02-28T00:00:00+00:00', '2026-02-28']
)
single(
  'strategies', ['strategies', 0, 'parameters'],
  [{}, { fast: 5, share: 0.5, on: true, interval: '1m' }],
  [null, true, 5, 'x', [], { a: null }, { a: {} }, { a: [] }, { a: 'x'.repeat(257) }, Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`p${index}`, 1]))]
)
single('bars.1m', ['trades'], [0, 1, 1_000_000], [-1, 1.5, '1'])
single('bars.1m', ['through'], [1, 2 ** 53 - 1], [0, -1, 0.5, '1'])
single('instruments.overrides', ['removed'], [true], [false, 'true', 1])
single(
  'quotes', ['venue_time'],
  ['2026-02-07T14:30:00Z', '2026-02-07T14:30:00.123456789+09:00'],
  ['2026-02-07', '2026-02-07T14:30:00', '2026-02-07 14:30:00Z', 'yesterday', '', 1770474600000]
)
const INSTANTS: readonly Json[] = [
  '2026-02-28T00:00:00Z', '2024-02-29T12:00:00Z', '2000-02-29T12:00:00Z', '0000-02-29T00:00:00Z',
  '2026-04-30T23:59:59.999999999Z', '2026-12-31T00:00:00+14:00', '2026-01-01T00:00:00-12:00',
  '2026-01-01T00:00:00-00:00',
  '2016-12-31T23:59:60Z', '2017-01-01T08:59:60.5+09:00'
]
const NO_INSTANTS: readonly Json[] = [
  '2026-02-30T00:00:00Z', '2026-02-29T00:00:00Z', '1900-02-29T00:00:00Z', '2100-02-29T00:00:00Z',
  '2026-04-31T00:00:00Z', '2026-01-32T00:00:00Z', '2026-01-00T00:00:00Z', '2026-00-01T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-01-01T24:00:00Z', '2026-01-01T25:00:00Z', '2026-01-01T00:60:00Z', '2026-01-01T00:61:00Z',
  '2026-01-01T00:00:61Z', '2026-02-30T25:61:61Z',
  '2026-01-01T00:00:00+24:00', '2026-01-01T00:00:00+09:60', '2026-01-01T00:00:00+99:99',
  '2026-01-01T00:00:00+0900', '2026-01-01T00:00:00.Z', '2026-01-01t00:00:00z', '2026-01-01T00:00:00Z\n',
  '12026-01-01T00:00:00Z'
]
// The instants of every channel.
for (const [channel, field] of [
  ['quotes', 'venue_time'], ['trades', 'timestamp'], ['trades', 'received_at'], ['market', 'until'], ['news', 'timestamp'],
  ['alerts', 'triggered_at']
] as const) single(channel, [field], INSTANTS, NO_INSTANTS)

test('accepts an instant exactly if the calendar has its day', async t => {
  const schema = TypeCompiler.Compile(standardChannels.get('trades')!.schema)
  const two = (number: number): string => String(number).padStart(2, '0')
  for (const year of [1600, 1700, 1900, 1970, 1999, 2000, 2023, 2024, 2026, 2100, 2400]) {
    for (let month = 0; month <= 13; month++) {
      for (let day = 0; day <= 32; day++) {
        const text = `${year}-${two(month)}-${two(day)}`
        // A day that does not exist becomes one of the next month.
        const time = Date.UTC(year, month - 1, day)
        const exists = new Date(time).toISOString().startsWith(text)
        const accepted = schema.Check({ symbol: 'A', price: '1', size: '1', timestamp: `${text}T00:00:00Z` })
        if (accepted !== exists) t.fail(`${text} is ${accepted ? '' : 'not '}accepted`)
      }
    }
  }
})

single('trades', ['side'], ['buy', 'sell'], ['BUY', 'hold', ''])
single('trades', ['trade_id'], ['42', 'x'.repeat(128)], ['', 42, 'x'.repeat(129)])
single('market', ['status'], ['pre_open', 'open', 'halted', 'closed', 'stale'], ['opened', '', 'OPEN'])
single('system', ['level'], ['info', 'warning', 'error'], ['warn', ''])
single('book', ['bids'], [[], [['1', '1']]], [['1', '1'], [['1']], [['1', '1', '1']], [[]], {}])
single('book', ['checksum'], ['abc', -1, 0], [1.5, 'x'.repeat(65)])
single(
  'book',
  ['venue_sequence'],
  [0, 9007199254740991, '7', '1718000000123456789', '007', '9'.repeat(64)],
  [1.5, '', '-7', '1.5', '1e3', '٧', '9'.repeat(65)]
)
single('book', ['stale'], [true], [false, 'true', 1])
single(
  'portfolio',
  ['positions'],
  [[]],
  [[{}], [{ ...((samples['portfolio']!.full['positions'] as Json[])[0] as object), more: '1' }]]
)
single('orders', ['client_order_id'], ['1', 'x'.repeat(128)], ['', 1, 'x'.repeat(129)])
single('commands', ['order_type'], ['market', 'limit', 'stop', 'stop_limit'], ['Market', 'iceberg', ''])
single('commands', ['time_in_force'], ['day', 'gtc', 'ioc', 'fok'], ['gtd', ''])
single('commands', ['action'], [], ['cancel_order', 'replace_order', 'reset_account', 'publish'])
single('news', ['symbols'], [[], ['AAPL', 'MSFT']], [['*'], 'AAPL', [1]])
