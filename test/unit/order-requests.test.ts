import { createHash } from 'node:crypto'
import {
  type CancelOrder, type Command, commands, type Instrument, instruments, openOrders, type OrderRequest,
  ProtocolError, type ReplaceOrder, standardChannels, type SubmitOrder, topicKey
} from '@tickwire/protocol'
import { type Test, test } from 'tap'
import type { Identity } from '../../src/auth/identity.js'
import { MemoryCoordination } from '../../src/coordination/memory/memory-coordination.js'
import { Directory } from '../../src/hub/shards/directory.js'
import { Membership } from '../../src/hub/audience/membership.js'
import { MemoryLog } from '../../src/log/memory/memory-log.js'
import { Publisher } from '../../src/publisher/publisher.js'
import { OrderRequests, type OrderRequestsOptions } from '../../src/trading-requests/order-requests.js'
import { orderIdOf } from '../../src/trading-requests/order-id.js'
import { ManualClock } from '../contract/logs.js'

/** What users ask of the exchange, over a log in memory; the integration test has the transports. */

const KNOWN: readonly Instrument[] = [
  { symbol: 'AAPL', market: 'NASDAQ', currency: 'USD', tick_size: '0.01', lot_size: '1' },
  { symbol: '005930', market: 'KOSPI', currency: 'KRW', tick_size: '100', lot_size: '10' },
  { symbol: 'BTC-USD', lot_size: '0.00000001' }
]

const alice: Identity = { user: 'alice', admin: false, trade: true }
const bob: Identity = { ...alice, user: 'bob' }

interface Desk {
  readonly requests: OrderRequests
  readonly log: MemoryLog
  readonly clock: ManualClock
  declare (instrument: Instrument): void
  remove (symbol: string): void
  commands (user?: string): Promise<Command[]>
}

function openDesk (t: Test, options: Partial<OrderRequestsOptions> & { retained?: number } = {}): Desk {
  const clock = new ManualClock()
  const log = new MemoryLog({
    channels: standardChannels,
    retention: { messages: 1000, seconds: 3600, bytes: 1 << 26 },
    maxTopics: 1000,
    clock
  })
  const publisher = new Publisher({ log, channels: standardChannels })
  const coordination = new MemoryCoordination(() => clock.time)
  const directory = new Directory({ note: (_topic, _what, error) => { throw error } })
  let offset = 0
  const say = (symbol: string, data: object | null): void => {
    const topic = topicKey({ channel: instruments.name, symbol })
    const payload = JSON.stringify(data)
    const place = { shard: 0, offset: ++offset, sequence: 1, previous: 0, timestamp: 0 }
    directory.add({ topic, ...place, payload, replaces: false })
  }
  const declare = (instrument: Instrument): void => { say(instrument.symbol, instrument) }
  for (const instrument of KNOWN) declare(instrument)
  const names = {
    channels: standardChannels,
    directory,
    membership: new Membership(),
    hasTopic: async (topic: string) => (await log.topics()).has(topic),
    acceptUnknownSymbols: false,
    notOverWebSocket: new Set<string>()
  }
  t.teardown(() => Promise.all([log.close(), coordination.close()]))
  const requests = new OrderRequests({
    publisher, log, names, coordination, enabled: true, baseCurrency: 'EUR', maxPerSecond: 1000, ...options
  })
  return {
    requests,
    log,
    clock,
    declare,
    remove: symbol => { say(symbol, null) },
    async commands (user = 'alice') {
      const { entries } = await log.read(topicKey({ channel: commands.name, user }), { sequence: 0 }, 10_000)
      return entries.map(({ payload }) => JSON.parse(payload) as Command)
    }
  }
}

const order = (more: Partial<SubmitOrder> = {}): SubmitOrder => ({
  action: 'submit_order', client_order_id: 'one', symbol: 'AAPL', side: 'buy', order_type: 'limit', quantity: '5', limit_price: '185.50', ...more
})
const market = (more: Partial<SubmitOrder> = {}): SubmitOrder => {
  const { limit_price: _price, ...rest } = order()
  return { ...rest, order_type: 'market', ...more }
}
const cancel = (more: Partial<CancelOrder> = {}): CancelOrder =>
  ({ action: 'cancel_order', request_id: 'r', client_order_id: 'one', ...more })
const replace = (more: Partial<ReplaceOrder> = {}): ReplaceOrder =>
  ({ action: 'replace_order', request_id: 'r', client_order_id: 'one', ...more })

test('makes a command of an order, with what the exchange needs of the instrument', async t => {
  const { requests, commands } = openDesk(t)
  const id = orderIdOf('alice', 'one')
  t.strictSame(await requests.submit(alice, order()), { order_id: id, client_order_id: 'one' })
  await requests.submit(alice, order({ client_order_id: 'two', symbol: 'BTC-USD', order_type: 'stop_limit', side: 'sell', stop_price: '185.40', time_in_force: 'gtc' }))
  t.strictSame(await commands(), [
    {
      action: 'submit_order', order_id: id, client_order_id: 'one', symbol: 'AAPL', side: 'buy', order_type: 'limit', time_in_force: 'day', quantity: '5', limit_price: '185.50', market: 'NASDAQ', currency: 'USD'
    },
    {
      action: 'submit_order', order_id: orderIdOf('alice', 'two'), client_order_id: 'two', symbol: 'BTC-USD', side: 'sell', order_type: 'stop_limit', time_in_force: 'gtc', quantity: '5', limit_price: '185.50', stop_price: '185.40', currency: 'EUR'
    }
  ])
})

test('derives the id of an order from its user and the client\'s id', async t => {
  const text = '5:alice3:one'
  t.equal(orderIdOf('alice', 'one'), createHash('sha256').update(text).digest().subarray(0, 16).toString('base64url'))
  t.equal(orderIdOf('alice', 'one').length, 22)
  const pairs = [['alice', 'one'], ['bob', 'one'], ['alic', 'eone'], ['a', '1:b'], ['a1', ':b'], ['é', 'x'], ['e', '́x'], ['5:alice', '3:one']] as const
  t.equal(new Set(pairs.map(([user, id]) => orderIdOf(user, id))).size, pairs.length)
})

test('appends a repeated request once, and answers it alike', async t => {
  const { requests, commands, clock } = openDesk(t)
  const first = await requests.submit(alice, order())
  t.strictSame(await requests.submit(alice, order()), first)
  t.strictSame(await requests.submit(alice, order({ time_in_force: 'day' })), first, 'the default, written out')
  t.strictSame(await requests.submit(alice, order({ timestamp: '2026-01-01T00:00:00Z', signature: 'abc' })), first, 'signed anew')
  const other = await requests.submit(bob, order())
  t.not(other.order_id, first.order_id, 'an order of another user')
  clock.sleep(7 * 86_400 - 1)
  t.strictSame(await requests.submit(alice, order()), first, 'seven days later')
  const canceled = await requests.cancel(alice, cancel())
  t.strictSame(canceled, { ...first, request_id: 'r' })
  t.strictSame(await requests.cancel(alice, cancel()), canceled)
  t.strictSame(await requests.cancel(alice, { action: 'cancel_order', request_id: 'r', order_id: first.order_id }), { order_id: first.order_id, request_id: 'r' }, 'by its other id')
  t.strictSame(await requests.reset(alice, { action: 'reset_account', request_id: 'reset' }), { request_id: 'reset' })
  t.strictSame(await requests.reset(alice, { action: 'reset_account', request_id: 'reset' }), { request_id: 'reset' })
  t.same((await commands()).map(({ action }) => action), ['submit_order', 'cancel_order', 'reset_account'])
})

test('appends requests that come at once one time', async t => {
  const { requests, commands } = openDesk(t)
  const answers = await Promise.all(Array.from({ length: 50 }, () => requests.submit(alice, order())))
  t.equal(new Set(answers.map(({ order_id: id }) => id)).size, 1)
  t.equal((await commands()).length, 1)
})

test('refuses other contents under the same id', async t => {
  const { requests, commands } = openDesk(t)
  await requests.submit(alice, order())
  const others: ReadonlyArray<Partial<SubmitOrder>> = [
    { quantity: '6' }, { quantity: '5.0' }, { side: 'sell' }, { symbol: 'BTC-USD' }, { limit_price: '185.51' }, { time_in_force: 'gtc' }, { order_type: 'stop_limit', stop_price: '185' }
  ]
  for (const other of others) {
    await t.rejects(requests.submit(alice, order(other)), { code: 'conflict', message: /client_order_id/ }, JSON.stringify(other))
  }
  await requests.cancel(alice, cancel())
  await requests.submit(alice, order({ client_order_id: 'two' }))
  await t.rejects(requests.cancel(alice, cancel({ client_order_id: 'two' })), { code: 'conflict', message: /request_id/ }, 'another order')
  await t.rejects(requests.replace(alice, replace({ quantity: '7' })), { code: 'conflict' }, 'another action')
  await t.rejects(requests.reset(alice, { action: 'reset_account', request_id: 'r' }), { code: 'conflict' })
  t.equal((await commands()).length, 3)
})

test('answers a repeated request alike when the log has dropped the first', async t => {
  const { requests, log, commands } = openDesk(t)
  const channel = standardChannels.get('commands')!
  t.equal(channel.retention?.messages, 100_000)
  const first = await requests.submit(alice, order())
  const filler = { topic: 'commands@alice', payload: '{}' }
  for (let n = 0; n < 100; n++) await log.append(Array.from({ length: 1000 }, () => filler))
  t.strictSame(await requests.submit(alice, order()), first)
  t.strictSame(await requests.submit(alice, order({ quantity: '6' })), first, 'nobody can tell that it was another')
  t.equal((await log.read('commands@alice', { sequence: 0 }, 1)).first, 2)
  t.strictSame(await requests.cancel(alice, cancel()), { ...first, request_id: 'r' }, 'the order is known all the same')
  t.match((await log.read('commands@alice', { sequence: 100_001 }, 1)).entries, [{ payload: /cancel_order/ }])
  await t.rejects(requests.cancel({ ...alice, trade: ['AAPL'] }, cancel({ request_id: 's' })), { code: 'forbidden' }, 'nobody knows the symbol of the order')
  t.equal((await commands('bob')).length, 0)
})

test('answers a repeated request alike when the instrument has changed since', async t => {
  const { requests, commands, declare } = openDesk(t)
  const first = await requests.submit(alice, order())
  declare({ symbol: 'AAPL', market: 'NYSE', currency: 'USD', tick_size: '1', lot_size: '100' })
  t.strictSame(await requests.submit(alice, order()), first)
  await t.rejects(requests.submit(alice, order({ quantity: '7' })), { code: 'conflict' })
  await t.rejects(requests.submit(alice, order({ client_order_id: 'new' })), { code: 'invalid_message', message: /lot size 100; 100 is/ })
  t.equal((await commands()).length, 1)
})

test('keeps requests of an order in sequence, and takes those of an order that is known for its open state alone', async t => {
  const { requests, log, commands } = openDesk(t)
  const open = {
    ...await requests.submit(bob, order()), user: 'alice', symbol: '005930', side: 'buy', order_type: 'limit', time_in_force: 'gtc', quantity: '10', limit_price: '70000', currency: 'KRW', number: 1, status: 'new', filled_qty: '0', notional: '0', decimals: 0, fills: 0, reserved: '0', created_at: '2026-01-01T00:00:00Z'
  }
  const old = orderIdOf('alice', 'old')
  const orders = [{ ...open, order_id: old, client_order_id: 'old' }]
  await log.append([{ topic: topicKey({ channel: openOrders.name, user: 'alice' }), payload: JSON.stringify({ orders }) }])
  t.strictSame(await requests.cancel(alice, cancel({ client_order_id: 'old' })), { order_id: old, client_order_id: 'old', request_id: 'r' })
  await t.rejects(requests.replace(alice, replace({ client_order_id: 'old', request_id: 's', quantity: '15' })), { code: 'invalid_message', message: /15 is not a multiple of the lot size 10; 10 and 20 are/ })
  await requests.replace(alice, replace({ client_order_id: 'old', request_id: 's', quantity: '20' }))
  t.same((await commands()).map(({ action }) => action), ['cancel_order', 'replace_order'])
  await t.rejects(requests.cancel(bob, { action: 'cancel_order', request_id: 'r', order_id: old }), { code: 'not_found' }, "another user's order")
})

test('knows no order that nobody submitted', async t => {
  const { requests, commands } = openDesk(t)
  const { order_id: id } = await requests.submit(alice, order())
  const unknown: ReadonlyArray<readonly [Identity, Pick<CancelOrder, 'order_id' | 'client_order_id'>]> = [
    [alice, { client_order_id: 'two' }], [bob, { client_order_id: 'one' }], [bob, { order_id: id }], [alice, { order_id: 'nonsense' }]
  ]
  for (const [who, named] of unknown) {
    await t.rejects(requests.cancel(who, { action: 'cancel_order', request_id: 'r', ...named }), { code: 'not_found' })
    await t.rejects(requests.replace(who, { action: 'replace_order', request_id: 'r', quantity: '1', ...named }), { code: 'not_found' })
  }
  t.equal((await commands()).length, 1)
  t.equal((await commands('bob')).length, 0)
})

/** What makes no order, and words of the refusal. */
const refused: ReadonlyArray<readonly [request: object, code: string, words: RegExp]> = [
  [{ quantity: '0' }, 'invalid_message', /^quantity: it must be a decimal above 0/],
  [{ quantity: '-1' }, 'invalid_message', /^quantity/],
  [{ quantity: '0.000' }, 'invalid_message', /^quantity/],
  [{ quantity: 5 }, 'invalid_message', /^quantity/],
  [{ quantity: '1'.repeat(65) }, 'invalid_message', /^quantity/],
  [{ quantity: '1000000000000000' }, 'invalid_message', /^quantity.*below 10\^15/],
  [{ quantity: '0.0000000000001' }, 'invalid_message', /^quantity.*at most 12 decimals/],
  [{ quantity: '1e3' }, 'invalid_message', /^quantity/],
  [{ quantity: '1.5' }, 'invalid_message', /^quantity: 1.5 is not a multiple of the lot size 1; 1 and 2 are/],
  [{ quantity: '0.5' }, 'invalid_message', /^quantity: 0.5 is not a multiple of the lot size 1; 1 is/],
  [{ limit_price: '185.505' }, 'invalid_message', /^limit_price: 185.505 is not a multiple of the tick size 0.01; 185.5 and 185.51 are/],
  [{ limit_price: '0' }, 'invalid_message', /^limit_price/],
  [{ limit_price: '-1' }, 'invalid_message', /^limit_price/],
  [{ limit_price: undefined }, 'invalid_message', /^limit_price: an order of the type limit needs it/],
  [{ stop_price: '185' }, 'invalid_message', /^stop_price: an order of the type limit has none/],
  [{ order_type: 'market' }, 'invalid_message', /^limit_price: an order of the type market has none/],
  [{ order_type: 'stop' }, 'invalid_message', /^limit_price: an order of the type stop has none/],
  [{ order_type: 'stop_limit' }, 'invalid_message', /^stop_price: an order of the type stop_limit needs it/],
  [{ order_type: 'stop_limit', stop_price: '185', time_in_force: 'ioc' }, 'invalid_message', /^time_in_force: .* day or gtc/],
  [{ order_type: 'stop_limit', stop_price: '185.001' }, 'invalid_message', /^stop_price: 185.001 is not a multiple/],
  [{ order_type: 'iceberg' }, 'invalid_message', /^order_type: it must be one of market, limit, stop, stop_limit/],
  [{ time_in_force: 'gtd' }, 'invalid_message', /^time_in_force: it must be one of day, gtc, ioc, fok/],
  [{ side: 'short' }, 'invalid_message', /^side: it must be buy or sell/],
  [{ client_order_id: '' }, 'invalid_message', /^client_order_id/],
  [{ client_order_id: 'x'.repeat(129) }, 'invalid_message', /^client_order_id: it must be a text of 1 to 128 characters/],
  [{ client_order_id: undefined }, 'invalid_message', /^client_order_id/],
  [{ symbol: 'A B' }, 'invalid_message', /^symbol/],
  [{ symbol: '*' }, 'invalid_message', /^symbol/],
  [{ symbol: 'UNHEARD' }, 'unknown_symbol', /^symbol: there is no such instrument/],
  [{ colour: 'red' }, 'invalid_message', /^colour/],
  [{ order_id: 'mine' }, 'invalid_message', /^order_id/]
]

test('refuses what is malformed, says what would be right, and makes no order of it', async t => {
  const { requests, commands } = openDesk(t)
  for (const [change, code, words] of refused) {
    const request = JSON.parse(JSON.stringify({ ...order(), ...change })) as SubmitOrder
    const what = JSON.stringify(change).slice(0, 80)
    await t.rejects(requests.submit(alice, request), { code, message: words }, what)
  }
  t.same(await commands(), [])
  await requests.submit(alice, order({ quantity: '5.00', limit_price: '185.5000' }))
  await requests.submit(alice, order({ client_order_id: 'two', symbol: 'BTC-USD', quantity: '0.00000001', limit_price: '0.000000000001' }))
  await requests.submit(alice, market({ client_order_id: 'three', quantity: '999999999999999' }))
  t.equal((await commands()).length, 3)
})

test('takes orders of a symbol that has prices and was never an instrument, and of none that was removed', async t => {
  const { requests, log, commands, remove } = openDesk(t)
  await log.append(['quotes:Q', 'trades:T', 'book:B', 'quotes:AAPL'].map(topic => ({ topic, payload: '{}' })))
  for (const symbol of ['Q', 'T', 'B']) await requests.submit(alice, order({ client_order_id: symbol, symbol, quantity: '0.5' }))
  t.same((await commands()).map(command => 'currency' in command ? command.currency : ''), ['EUR', 'EUR', 'EUR'])
  const before = await requests.submit(alice, order())
  remove('AAPL')
  await t.rejects(requests.submit(alice, order({ client_order_id: 'late' })), { code: 'unknown_symbol' })
  t.strictSame(await requests.submit(alice, order()), before, 'it was taken before')
  await requests.replace(alice, replace({ quantity: '4' }))
  await requests.cancel(alice, cancel({ request_id: 's' }))
  t.equal((await commands()).length, 6)
})

test('refuses changes that an order cannot have', async t => {
  const { requests, commands } = openDesk(t)
  await requests.submit(alice, order())
  await requests.submit(alice, market({ client_order_id: 'market' }))
  const cases: ReadonlyArray<readonly [object, RegExp]> = [
    [{}, /^the request: it changes nothing/],
    [{ quantity: '0' }, /^quantity/],
    [{ quantity: '1.5' }, /lot size 1; 1 and 2 are/],
    [{ limit_price: '1.001' }, /tick size/],
    [{ stop_price: '1' }, /^stop_price: an order of the type limit has none/],
    [{ client_order_id: 'market', limit_price: '1' }, /^limit_price: an order of the type market has none/],
    [{ quantity: '1', order_id: 'x' }, /^the request: it names the order by order_id or by client_order_id/],
    [{ quantity: '1', client_order_id: undefined }, /^the request: it names the order by/],
    [{ quantity: '1', request_id: undefined }, /^request_id/],
    [{ quantity: '1', side: 'sell' }, /^side/]
  ]
  for (const [change, words] of cases) {
    const request = JSON.parse(JSON.stringify({ ...replace(), ...change })) as ReplaceOrder
    await t.rejects(requests.replace(alice, request), { code: 'invalid_message', message: words }, JSON.stringify(change))
  }
  t.equal((await commands()).length, 2)
  await requests.replace(alice, replace({ quantity: '7', limit_price: '185.49' }))
  t.strictSame((await commands())[2], {
    action: 'replace_order', request_id: 'r', order_id: orderIdOf('alice', 'one'), quantity: '7', limit_price: '185.49'
  })
})

test('lets only those send orders who may', async t => {
  const { requests, commands } = openDesk(t)
  const aapl: Identity = { ...alice, trade: ['AAPL'] }
  await requests.submit(aapl, order())
  await requests.cancel(aapl, cancel())
  await requests.submit(alice, order({ client_order_id: 'two', symbol: 'BTC-USD' }))
  const other: Identity = { ...alice, trade: ['MSFT', 'BTC-USD'] }
  const none: Identity = { user: 'alice', admin: true, publish: ['*'] }
  const cases: ReadonlyArray<readonly [Identity, string]> = [[{ admin: false, trade: true }, 'unauthorized'], [none, 'forbidden'], [other, 'forbidden']]
  for (const [who, code] of cases) {
    await t.rejects(requests.submit(who, order({ client_order_id: 'three' })), { code })
    await t.rejects(requests.submit(who, order()), { code }, 'a repeated request, too')
    await t.rejects(requests.cancel(who, cancel({ request_id: 's' })), { code })
    await t.rejects(requests.replace(who, replace({ request_id: 's', quantity: '1' })), { code })
    await t.rejects(requests.reset(who, { action: 'reset_account', request_id: 's' }), { code })
  }
  await requests.cancel(other, cancel({ request_id: 't', client_order_id: 'two' }))
  await requests.reset({ ...alice, trade: ['*'] }, { action: 'reset_account', request_id: 'u' })
  t.equal((await commands()).length, 5)
})

test('takes no orders without an exchange', async t => {
  const { requests, commands } = openDesk(t, { enabled: false })
  const asked: ReadonlyArray<() => Promise<unknown>> = [
    () => requests.submit(alice, order()), () => requests.cancel(alice, cancel()), () => requests.replace(alice, replace({ quantity: '1' })), () => requests.reset(alice, { action: 'reset_account', request_id: 'r' })
  ]
  for (const ask of asked) await t.rejects(ask(), { code: 'disabled' })
  t.same(await commands(), [])
})

test('limits the requests of a user in a second, whatever they ask', async t => {
  const { requests, commands, clock } = openDesk(t, { maxPerSecond: 3 })
  await requests.submit(alice, order())
  await requests.cancel(alice, cancel())
  await t.rejects(requests.submit(alice, order({ quantity: '0' })), { code: 'invalid_message' }, 'what is refused counts, too')
  const limited = await requests.submit(alice, order({ client_order_id: 'two' })).catch((error: unknown) => error)
  t.match(limited, { code: 'rate_limited', message: /3 requests/ })
  const { retryAfterMs } = limited as ProtocolError
  t.ok(retryAfterMs !== undefined && retryAfterMs > 0 && retryAfterMs <= 1000)
  await requests.submit(bob, order())
  clock.sleep(retryAfterMs! / 1000)
  await requests.submit(alice, order({ client_order_id: 'two' }))
  t.equal((await commands()).length, 3)
})

test('has signatures verified first, and answers a late request only if it came before', async t => {
  const seen: Array<readonly [string, OrderRequest]> = []
  const { requests, commands } = openDesk(t, {
    async verify (identity, action, message) {
      seen.push([action, message])
      if (message.signature === 'wrong') throw new ProtocolError('forbidden', `not signed by ${identity.user}`)
      return { isLate: message.signature === 'late' }
    }
  })
  const signed = order({ signature: 'good', timestamp: '2026-01-01T00:00:00.000Z' })
  await t.rejects(requests.submit(alice, { ...signed, signature: 'late' }), { code: 'bad_request', message: /too old/ })
  await t.rejects(requests.submit(alice, { ...signed, signature: 'wrong', symbol: 'UNHEARD' }), { code: 'forbidden', message: 'not signed by alice' })
  t.same(await commands(), [])
  const first = await requests.submit(alice, signed)
  t.strictSame(await requests.submit(alice, { ...signed, signature: 'late' }), first)
  await t.rejects(requests.submit(alice, { ...signed, signature: 'late', quantity: '6' }), { code: 'conflict' })
  await t.rejects(requests.submit(alice, { ...signed, signature: 'wrong' }), { code: 'forbidden' })
  await t.rejects(requests.cancel(alice, cancel({ signature: 'late' })), { code: 'bad_request' })
  await requests.cancel(alice, cancel({ signature: 'good' }))
  t.strictSame(seen[2], ['submit_order', signed], 'as it was sent')
  t.equal((await commands()).length, 2)
  t.notMatch(JSON.stringify(await commands()), /signature|timestamp/)
})

test('takes an order again that the log has lost', async t => {
  const { requests, log, commands } = openDesk(t)
  const first = await requests.submit(alice, order())
  log.restart([0])
  t.same(await commands(), [])
  await t.rejects(requests.cancel(alice, cancel()), { code: 'not_found' })
  t.strictSame(await requests.submit(alice, order()), first, 'under the same id')
  t.equal((await commands()).length, 1)
})
