import { isDeepStrictEqual } from 'node:util'
import Big from 'big.js'
import fc from 'fast-check'
import type { Account, OpenOrder, Order, SubmitCommand } from '@tickwire/protocol'
import { test } from 'tap'
import { type Broker, BrokerRefusal } from '../../src/index.js'
import { BrokerSession } from '../../src/processors/broker-trading/broker-session.js'
import { BrokerWorld } from '../helpers/broker-world.js'
import { eventually } from '../helpers/eventually.js'
import { Choices } from '../helpers/random.js'
import { silentLogger } from '../helpers/silent-logger.js'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 10)
const STEPS = 60
const USERS = ['u', 'v', '__proto__']
const SYMBOLS = ['A', 'B']
const CASH = '100000'
const WAITING = ['pending_new', 'pending_cancel']
/** The order of most tests, which say how much it is of. */
const LIMIT_ORDER = {
  action: 'submit_order', order_id: 'o1', client_order_id: 'o', symbol: 'A', side: 'buy', order_type: 'limit', time_in_force: 'gtc', limit_price: '100', currency: 'USD'
} as const

async function trade (world: BrokerWorld, random: Choices): Promise<void> {
  let submitted = 0
  const price = (base: number): string => (base + random.integer(0, 40) / 10).toFixed(1)
  const size = (): string => `${random.integer(1, 9)}`
  for (let step = 0; step < STEPS; step++) {
    const user = random.pick(USERS)
    const symbol = random.pick(SYMBOLS)
    const known = { request_id: `r${step}`, order_id: `${user}${random.integer(1, Math.max(1, submitted))}` }
    const choice = random.integer(0, 12)
    if (choice === 0) await world.takeOver(random.chance(0.5))
    else if (choice === 1) await world.moveSource(random.chance(0.5))
    else if (choice <= 5) {
      world.made.show(symbol, [[price(96), size()]], [[price(98), size()], [price(102), size()]])
    } else if (choice === 6) await world.command(user, { action: 'cancel_order', ...known })
    else if (choice === 7) {
      const limit = random.chance(0.7) ? { limit_price: price(98) } : {}
      await world.command(user, { action: 'replace_order', ...known, quantity: size(), ...limit })
    } else {
      const id = `${user}${++submitted}`
      const isLimit = random.chance(0.8)
      await world.command(user, {
        action: 'submit_order',
        order_id: id,
        client_order_id: id,
        symbol,
        side: random.pick(['buy', 'buy', 'sell']),
        order_type: isLimit ? 'limit' : 'market',
        time_in_force: 'gtc',
        quantity: size(),
        currency: 'USD',
        ...isLimit ? { limit_price: price(98) } : {}
      })
    }
    if (random.chance(0.3)) await new Promise(resolve => { setTimeout(resolve, random.integer(0, 10)) })
  }
}

/** Returns what is wrong with what a user was told, by what the broker has. */
function faultsOf (world: BrokerWorld, messages: readonly Order[], account: Account | undefined): string[] {
  const faults: string[] = []
  const last = new Map<string, Order>()
  let cash = new Big(CASH)
  for (const order of messages) {
    const { order_id: id, side, filled_qty: filled, leaves_qty: leaves } = order
    const { last_qty: quantity, last_price: price } = order
    if (!new Big(filled).plus(leaves!).eq(order.quantity)) faults.push(`${id}: ${filled} + ${leaves}`)
    if (quantity !== undefined) cash = cash.minus(new Big(quantity).times(price!).times(side === 'buy' ? 1 : -1))
    last.set(id, order)
  }
  for (const [id, { status, filled_qty: filled, quantity }] of last) {
    const held = world.made.orders.get(id)
    if (WAITING.includes(status)) faults.push(`${id} is ${status}`)
    if (held === undefined) {
      if (status !== 'rejected') faults.push(`${id} is ${status}, and the broker does not know it`)
      continue
    }
    if (!held.filled.eq(filled)) faults.push(`${id}: ${filled} is filled, and ${held.filled.toFixed()} at the broker`)
    if (held.isOpen && held.quantity !== quantity) faults.push(`${id}: ${quantity}, and ${held.quantity} at the broker`)
    if (held.isOpen !== ['new', 'partially_filled', 'replaced'].includes(status)) faults.push(`${id} is ${status}`)
    const fills = messages.filter(order => order.order_id === id && order.exec_id !== undefined)
    const executions = world.made.events.filter(event => event.type === 'filled' && event.order_id === id)
    if (fills.length !== executions.length) faults.push(`${id}: ${fills.length} fills of ${executions.length}`)
  }
  const found = account?.balances[0]?.cash ?? CASH
  if (found !== cash.toFixed()) faults.push(`the cash is ${found}, and fills say ${cash.toFixed()}`)
  return faults
}

test('each order is one order at the broker, and each fill counts once, whoever runs what and whatever is lost', async t => {
  const seeds = fc.integer({ min: 1, max: 1e9 })
  await fc.assert(fc.asyncProperty(seeds, fc.constantFrom(1, 3), async (seed, shards) => {
    const random = new Choices(seed)
    const world = new BrokerWorld(random, shards, 0.1)
    try {
      await world.takeOver()
      await world.moveSource()
      await trade(world, random)
      world.breaks = 0
      world.calls.failures = 0
      let faults: string[] = []
      await eventually('all is told', async () => {
        world.pass(300)
        faults = [...world.faults]
        for (const user of USERS) {
          faults.push(...faultsOf(world, await world.orders(user), await world.state<Account>('accounts', user)))
        }
        return faults.length === 0
      }).catch(() => {})
      if (faults.length > 0) throw new Error(faults.join('\n'))
    } finally {
      await world.end()
    }
  }), { numRuns: RUNS, endOnFailure: true })
  t.ok(RUNS, `${RUNS} histories`)
})

test('a log that loses its last messages again and again ends with what the broker has', async t => {
  const seeds = fc.integer({ min: 1, max: 1e9 })
  await fc.assert(fc.asyncProperty(seeds, fc.constantFrom(1, 3), async (seed, shards) => {
    const random = new Choices(seed)
    const world = new BrokerWorld(random, shards, 0.05)
    const submits: SubmitCommand[] = []
    try {
      await world.takeOver()
      await world.moveSource()
      for (let step = 0; step < STEPS; step++) {
        const known = { request_id: `r${step}`, order_id: `o${random.integer(1, Math.max(1, submits.length))}` }
        const choice = random.integer(0, 9)
        if (choice === 0 && step > STEPS / 3) {
          const heads = await world.log.head()
          world.log.restart(heads.map(({ offset }) => offset - random.integer(0, Math.floor(offset / 2))))
        } else if (choice <= 3) {
          world.made.show('A', [], [['98', `${random.integer(1, 9)}`], ['101', `${random.integer(1, 9)}`]])
        } else if (choice === 4) await world.command('u', { action: 'cancel_order', ...known })
        else if (choice === 5) {
          await world.command('u', { action: 'replace_order', ...known, quantity: `${random.integer(1, 19)}` })
        } else {
          const id = `o${submits.length + 1}`
          submits.push({
            action: 'submit_order',
            order_id: id,
            client_order_id: id,
            symbol: 'A',
            side: 'buy',
            order_type: 'limit',
            time_in_force: 'gtc',
            quantity: `${random.integer(1, 9)}`,
            limit_price: random.pick(['99', '102']),
            currency: 'USD'
          })
          await world.command('u', submits.at(-1)!)
        }
        if (random.chance(0.5)) await new Promise(resolve => { setTimeout(resolve, random.integer(0, 20)) })
      }
      world.breaks = 0
      world.calls.failures = 0
      // A client sends again what it has no news of; the exchange knows what it has.
      for (const submit of submits) await world.command('u', submit)
      let found: unknown
      let wanted: unknown
      await eventually('the account is what the broker has', async () => {
        world.pass(300)
        const account = await world.state<Account>('accounts', 'u')
        const open = (await world.state<{ orders: OpenOrder[] }>('open_orders', 'u'))?.orders ?? []
        const lines = open.map(({ order_id: id, filled_qty: filled, quantity }) => `${id} ${filled}/${quantity}`)
        found = [account?.balances[0]?.cash, account?.positions[0]?.quantity, ...lines.sort()]
        wanted = heldBy(world)
        return isDeepStrictEqual(found, wanted)
      }).catch(() => {
        const faults = world.faults.join('\n')
        throw new Error(`${JSON.stringify(found)}, and the broker has ${JSON.stringify(wanted)}: ${faults}`)
      })
    } finally {
      await world.end()
    }
  }), { numRuns: RUNS, endOnFailure: true })
  t.ok(RUNS, `${RUNS} histories`)
})

/** Returns the cash, the position and the open orders that the broker has of one user. */
function heldBy (world: BrokerWorld): Array<string | undefined> {
  let cash = new Big(CASH)
  let position = new Big(0)
  for (const event of world.made.events) {
    if (event.type !== 'filled') continue
    cash = cash.minus(new Big(event.quantity).times(event.price))
    position = position.plus(event.quantity)
  }
  const open = [...world.made.orders.values()].filter(({ isOpen }) => isOpen)
  return [
    cash.toFixed(),
    position.eq(0) ? undefined : position.toFixed(),
    ...open.map(({ order_id: id, filled, quantity }) => `${id} ${filled.toFixed()}/${quantity}`).sort()
  ]
}

test('a log that has forgotten the journal goes on where accounts and open orders were published', async t => {
  const before = new BrokerWorld(new Choices(1), 1, 0)
  t.teardown(() => before.end())
  await before.takeOver()
  await before.moveSource()
  before.made.show('A', [], [['100', '2']])
  await before.command('u', { ...LIMIT_ORDER, quantity: '5' })
  const open = async (): Promise<OpenOrder[]> => (await before.state<{ orders: OpenOrder[] }>('open_orders', 'u'))?.orders ?? []
  await eventually('it is filled in part', async () => {
    before.pass(300)
    return (await open())[0]?.filled_qty === '2'
  })
  const position = async (): Promise<unknown> => JSON.parse((await before.log.snapshot('broker.position'))?.payload ?? '{}') as unknown
  await eventually('the position is published', async () => {
    before.pass(300)
    return JSON.stringify(await position()) === '{"position":"2"}'
  })
  await before.rest()
  before.made.show('A', [], [['99', '2']])

  const world = new BrokerWorld(new Choices(2), 1, 0)
  t.teardown(() => world.end())
  world.made.orders.set('o1', before.made.orders.get('o1')!)
  world.made.events.push(...before.made.events)
  await world.publisher.publishOwn([
    { channel: 'accounts', user: 'u', data: await before.state('accounts', 'u') },
    { channel: 'open_orders', user: 'u', data: { orders: await open() } },
    { channel: 'open_orders', user: 'v', data: { orders: [ofPaper] } },
    { channel: 'broker.position', data: await position() }
  ])
  await world.moveSource()
  await world.takeOver()
  await eventually('it is filled further', async () => (await world.orders('u')).at(-1)?.filled_qty === '4')
  t.match(await world.orders('u'), [{ order_id: 'o1', status: 'partially_filled', last_qty: '2', last_price: '99' }])
  t.same(world.faults, [])
  t.notOk(world.made.submitted.has('x'), 'an order of the paper exchange is none of the broker')
})

test('what the broker says of an order before the server knows it counts once the server does', async t => {
  const world = new BrokerWorld(new Choices(1), 3, 0)
  t.teardown(() => world.end())
  await world.takeOver()
  const fill = { type: 'filled', order_id: 'o1', price: '99', fee: '1' } as const
  const events = [
    { ...fill, execution_id: 'x1', quantity: '1', position: '1' },
    { ...fill, execution_id: 'x1', quantity: '1', position: '1' },
    { ...fill, execution_id: 'x2', quantity: '9', position: '2' },
    { ...fill, execution_id: 'x3', quantity: '2', position: '3' }
  ]
  for (const data of events) await world.publisher.publishOne({ channel: 'broker.events', data })
  await eventually('all are refused', () => world.faults.length === events.length)
  await world.takeOver()
  await world.command('u', { ...LIMIT_ORDER, quantity: '5' })
  await eventually('it is filled', async () => (await world.orders('u')).at(-1)?.filled_qty === '3')
  t.same((await world.orders('u')).map(({ status }) => status), ['pending_new', 'new', 'partially_filled', 'partially_filled'])
  t.match(world.faults.slice(events.length), [/"x2".*: only 4 of the order are left to fill/])
})

test('a market order reserves the price of the last trade', async t => {
  const world = new BrokerWorld(new Choices(1), 1, 0)
  t.teardown(() => world.end())
  await world.takeOver()
  const order = {
    action: 'submit_order', client_order_id: 'o', symbol: 'A', side: 'buy', time_in_force: 'gtc', quantity: '5', currency: 'USD'
  } as const
  await world.command('u', { ...order, order_id: 'o1', order_type: 'limit', limit_price: '1' })
  await eventually('it is known', async () => (await world.orders('u')).length === 1)
  await world.publisher.publishOne({ channel: 'trades', symbol: 'A', data: { symbol: 'A', price: '7', size: '1', side: 'buy', trade_id: 't', timestamp: '2026-01-05T10:00:00Z' } })
  await world.command('u', { ...order, order_id: 'o2', order_type: 'market' })
  await eventually('35 are reserved', async () => {
    world.pass(300)
    const { orders = [] } = await world.state<{ orders: OpenOrder[] }>('open_orders', 'u') ?? {}
    return orders[1]?.reserved === '35'
  })
})

test('a broker that was away when another server took over is not away for ever', async t => {
  const world = new BrokerWorld(new Choices(1), 1, 0)
  t.teardown(() => world.end())
  await world.takeOver()
  await eventually('there is a journal', async () => await world.log.snapshot('broker.journal') !== undefined)
  await world.rest()
  await world.publisher.publishOne({ channel: 'broker.events', data: { type: 'away' } })
  await world.moveSource()
  await eventually('the broker is heard', async () => (await world.read('broker.events')).length === 2)
  t.same(await world.read('broker.events'), [{ type: 'away' }, { type: 'back' }])
  await world.takeOver()
  await world.command('u', { ...LIMIT_ORDER, quantity: '5' })
  await eventually('it is accepted', async () => (await world.orders('u')).at(-1)?.status === 'new')
  t.same((await world.orders('u')).map(({ reason }) => reason), [undefined, undefined])
})

test('events that the log drops before they are decided about come again', async t => {
  const world = new BrokerWorld(new Choices(1), 1, 0, 3)
  t.teardown(() => world.end())
  await world.takeOver()
  await world.moveSource()
  await world.command('u', { ...LIMIT_ORDER, quantity: '9' })
  await eventually('it is accepted', async () => (await world.orders('u')).at(-1)?.status === 'new')
  await world.rest()
  for (const size of ['1', '2', '1', '2', '1']) world.made.show('A', [], [['100', size]])
  await world.moveSource()
  await eventually('all is heard', async () => (await world.read<{ position?: string }>('broker.events')).at(-1)?.position === '6')
  t.ok((await world.read('broker.events')).length < 5, 'and some of it is dropped')
  await world.takeOver()
  await eventually('all counts', async () => (await world.orders('u')).at(-1)?.filled_qty === '7')
  t.same((await world.orders('u')).map(({ filled_qty: filled }) => filled), ['0', '0', '1', '3', '4', '6', '7'])
  t.same(world.faults, [])
})

test('the broker says again what a log has lost that took later events before it lost the decisions', async t => {
  const world = new BrokerWorld(new Choices(1), 3, 0)
  t.teardown(() => world.end())
  const last = async (): Promise<Order | undefined> => (await world.orders('u')).at(-1)
  const decisions = async (): Promise<number> => (await world.read('broker.journal')).length
  await world.takeOver()
  await world.moveSource()
  await world.command('u', { ...LIMIT_ORDER, quantity: '30' })
  await eventually('it is accepted', async () => (await last())?.status === 'new')
  await world.rest()
  world.log.restart((await world.log.head()).map(({ offset }) => offset))
  // The broker says at most the last five again by itself. The log has only the one after the loss.
  for (let fill = 0; fill < 12; fill++) world.made.show('A', [], [['100', '1']])
  await world.publisher.publishOne({ channel: 'broker.events', data: world.made.events.at(-1) })
  const before = await decisions()
  await world.takeOver()
  await eventually('the event is decided about', async () => await decisions() > before)
  t.equal((await last())!.filled_qty, '0', 'and does not count yet')
  await world.moveSource()
  await eventually('all counts', async () => (await last())!.filled_qty === '12')
  t.same(world.faults, [])
})

test('a session keeps nothing of an order that failed once nothing of it must be given', async t => {
  const world = new BrokerWorld(new Choices(1), 1, 0)
  t.teardown(() => world.end())
  await world.takeOver()
  const failing = new Set(['o1', 'o2'])
  const broker: Broker = {
    submit: async ({ order_id: id }) => {
      throw failing.has(id) ? new Error('the connection was cut') : new BrokerRefusal('no')
    },
    cancel: async () => {},
    replace: async () => {},
    events: (after, signal, opened) => world.calls.events(after, signal, opened)
  }
  const over = new AbortController()
  const session = new BrokerSession({ broker, log: world.log, count: () => {}, random: () => 0 }, {
    signal: over.signal,
    logger: silentLogger,
    publish: messages => world.publisher.publishOwn(messages),
    declare: async () => [],
    instrument: () => undefined,
    guard: () => () => {}
  })
  const running = session.run()
  const failures = (): number => (Reflect.get(session, 'backoffs') as Map<string, unknown>).size
  for (const id of failing) {
    await world.command('u', { ...LIMIT_ORDER, order_id: id, client_order_id: id, quantity: '9' })
  }
  await eventually('both have failed', () => failures() === 2)
  failing.delete('o1')
  // Behind that, the user may be told that the broker is away for the other one.
  const lastOf = async (id: string): Promise<Order | undefined> =>
    (await world.orders('u')).findLast(({ order_id: own }) => own === id)
  await eventually('one is refused', async () => (await lastOf('o1'))?.status === 'rejected' && failures() === 1)
  world.made.say({ type: 'rejected', order_id: 'o2' })
  await eventually('nothing is kept', () => failures() === 0)
  over.abort()
  await running
})

const ofPaper: OpenOrder = {
  order_id: 'x',
  client_order_id: 'x',
  symbol: 'A',
  side: 'buy',
  order_type: 'limit',
  time_in_force: 'gtc',
  quantity: '1',
  limit_price: '1',
  currency: 'USD',
  user: 'v',
  number: 1,
  status: 'new',
  filled_qty: '0',
  notional: '0',
  decimals: 0,
  fills: 0,
  fee_rate: '0',
  reserved: '1',
  created_at: '2026-01-05T10:00:00.000Z'
}
