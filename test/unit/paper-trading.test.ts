import { isDeepStrictEqual } from 'node:util'
import Big from 'big.js'
import fc from 'fast-check'
import type { Account, OpenOrder, Order, Portfolio } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import { Standing } from '../../src/processors/trading/standing.js'
import { eventually } from '../helpers/eventually.js'
import { BALANCE, ExchangeWorld, FEE } from '../helpers/exchange-world.js'
import { Choices } from '../helpers/random.js'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 10)
const USERS = ['u', 'v', '__proto__']
const SYMBOLS = ['A', 'B', 'C']

async function open (t: Test, shards = 1, failures = 0): Promise<ExchangeWorld> {
  const world = new ExchangeWorld(new Choices(1), shards, failures)
  t.teardown(() => world.end())
  await world.takeOver()
  return world
}

const statuses = async (world: ExchangeWorld, user = 'u'): Promise<string[]> =>
  (await world.orders(user)).map(({ order_id: id, status }) => `${id} ${status}`)

test('an order is filled from the book that the log has, and the account and portfolio follow', async t => {
  const world = await open(t, 3)
  await world.book('A', [['185.40', '7']], [['185.50', '2'], ['185.52', '10']])
  await world.submit('u', 'o1', { symbol: 'A', side: 'buy', quantity: '5' })
  await eventually('it is filled', async () => (await statuses(world)).includes('o1 filled'))
  const messages = await world.orders('u')
  t.match(messages, [
    { status: 'new', filled_qty: '0', leaves_qty: '5' },
    { status: 'partially_filled', filled_qty: '2', leaves_qty: '3', avg_price: '185.50', exec_id: 'o1.1', last_qty: '2', last_price: '185.50' },
    { status: 'filled', filled_qty: '5', leaves_qty: '0', avg_price: '185.512', exec_id: 'o1.2', last_qty: '3', last_price: '185.52' }
  ])
  // 371.00 + 556.56, and a thousandth of each.
  const cash = new Big(BALANCE).minus('927.56').minus('0.92756').toFixed()
  await eventually('the account is known', async () => (await world.state<Account>('accounts', 'u')) !== undefined)
  t.match(await world.state('accounts', 'u'), {
    balances: [{ currency: 'USD', cash, fees: '0.92756' }], positions: [{ symbol: 'A', quantity: '5', cost: '927.56' }]
  })
  await world.trade('A', '186', '1')
  await eventually('the portfolio has the new price', async () => {
    world.pass(500)
    return (await world.state<Portfolio>('portfolio', 'u'))?.positions[0]?.last === '186'
  })
  t.match(await world.state('portfolio', 'u'), { currency: 'USD', cash, unrealized_pnl: '2.44', positions: [{ market_value: '930' }] })
})

test('what matters is followed while it matters, and no longer', async t => {
  const world = await open(t)
  await world.book('A', [['1', '1']], [['2', '1']])
  t.strictSame([...world.demand.wanted.keys()], [], 'nothing without orders')
  await world.submit('u', 'o1', { symbol: 'A', side: 'buy', quantity: '1', limit_price: '1.5', market: 'NYSE' })
  await eventually('it rests', async () => (await statuses(world)).includes('o1 new'))
  t.strictSame([...world.demand.wanted.keys()].sort(), ['book:A', 'market:NYSE', 'quotes:A', 'trades:A'])
  await world.command('u', { action: 'cancel_order', request_id: 'r1', order_id: 'o1' })
  await eventually('it is canceled', async () => (await statuses(world)).includes('o1 canceled'))
  for (let i = 0; i < 8; i++) {
    world.pass(11_000)
    await world.submit('u', `x${i}`, { symbol: 'B', side: 'sell', quantity: '1' })
    await eventually('time passes', async () => (await statuses(world)).some(status => status.startsWith(`x${i} `)))
  }
  await eventually('its topics are let go', () => !world.demand.wanted.has('book:A'))
})

test('a resting order outlives the host, and is filled once by a trade through its price', async t => {
  const world = await open(t, 3)
  await world.book('A', [['1', '1']], [['2', '1']])
  await world.submit('u', 'o1', { symbol: 'A', side: 'buy', quantity: '3', limit_price: '1.5' })
  await eventually('it rests', async () => (await statuses(world)).includes('o1 new'))
  await world.takeOver()
  await world.trade('A', '1.4', '2')
  await eventually('it is filled in part', async () => (await statuses(world)).includes('o1 partially_filled'))
  await world.takeOver()
  await world.trade('A', '1.4', '2')
  await eventually('it is filled', async () => (await statuses(world)).includes('o1 filled'))
  t.strictSame((await world.orders('u')).map(({ filled_qty: filled }) => filled), ['0', '2', '3'])
  t.equal((await world.orders('u')).at(-1)!.avg_price, '1.5', 'at its own price')
})

test('a log that has forgotten the journal gets accounts and open orders back from what outlived it', async t => {
  const before = await open(t)
  await before.book('A', [['1', '9']], [['2', '5']])
  await before.submit('u', 'o1', { symbol: 'A', side: 'buy', quantity: '4' })
  await before.submit('u', 'o2', { symbol: 'A', side: 'sell', quantity: '1', limit_price: '3' })
  const rests = async (world: ExchangeWorld): Promise<boolean> =>
    (await world.state<{ orders: OpenOrder[] }>('open_orders', 'u'))?.orders[0]?.order_id === 'o2'
  await eventually('it rests', () => rests(before))
  const account = await before.state<Account>('accounts', 'u')
  const orders = await before.state<{ orders: OpenOrder[] }>('open_orders', 'u')

  const world = new ExchangeWorld(new Choices(2), 1)
  t.teardown(() => world.end())
  await world.publisher.publishOwn([
    { channel: 'accounts', user: 'u', data: account }, { channel: 'open_orders', user: 'u', data: orders }
  ])
  await world.takeOver()
  await world.trade('A', '3.5', '1')
  await eventually('it is filled', async () => (await statuses(world)).includes('o2 filled'))
  await eventually('nothing is open', async () => (await world.state('open_orders', 'u')) === undefined)
  t.match(await world.state('accounts', 'u'), { positions: [{ symbol: 'A', quantity: '3' }] })
})

/** Cash and positions that follow from the messages of orders alone. */
function ledger (messages: readonly Order[]): { cash: string, positions: Record<string, string> } {
  let cash = new Big(BALANCE)
  const positions = new Map<string, Big>()
  for (const { symbol, side, last_qty: quantity, last_price: price, fee } of messages) {
    if (quantity === undefined) continue
    const sign = side === 'buy' ? 1 : -1
    cash = cash.minus(new Big(quantity).times(price!).times(sign)).minus(fee!)
    positions.set(symbol, (positions.get(symbol) ?? new Big(0)).plus(new Big(quantity).times(sign)))
  }
  const held = [...positions].filter(([, quantity]) => !quantity.eq(0)).sort(([a], [b]) => a < b ? -1 : 1)
  const exact = held.map(([symbol, quantity]) => [symbol, quantity.toFixed()])
  return { cash: cash.toFixed(), positions: Object.fromEntries(exact) }
}

const ENDED = ['filled', 'canceled', 'rejected', 'expired']

test('each order is decided once, and accounts are what their orders say, whoever runs the exchange', async t => {
  const seeds = fc.integer({ min: 1, max: 1e9 })
  await fc.assert(fc.asyncProperty(seeds, fc.constantFrom(1, 3), async (seed, shards) => {
    const random = new Choices(seed)
    const world = new ExchangeWorld(random, shards, 0.1)
    try {
      await world.takeOver()
      let submitted = 0
      for (let step = 0; step < 80; step++) {
        const user = random.pick(USERS)
        const symbol = random.pick(SYMBOLS)
        const price = (base: number): string => (base + random.integer(0, 40) / 10).toFixed(1)
        const choice = random.integer(0, 9)
        if (choice === 0) await world.takeOver(random.next() < 0.5)
        else if (choice <= 2) await world.book(symbol, [[price(96), `${random.integer(1, 9)}`]], [[price(101), `${random.integer(1, 9)}`]])
        else if (choice <= 4) await world.trade(symbol, price(98), `${random.integer(1, 5)}`)
        else if (choice === 5 && submitted > 0) {
          await world.command(user, { action: 'cancel_order', request_id: `r${step}`, order_id: `${user}${random.integer(1, submitted)}` })
        } else {
          await world.submit(user, `${user}${++submitted}`, {
            symbol,
            side: random.pick(['buy', 'sell']),
            quantity: `${random.integer(1, 9)}`,
            ...random.next() < 0.6 ? { limit_price: price(98) } : {}
          })
        }
      }
      // Whatever waits for a book is decided once its time is over.
      await eventually('every order is decided', async () => {
        world.pass(1000)
        const seen = new Set<string>()
        for (const user of USERS) for (const { order_id: id, status } of await world.orders(user)) if (status !== 'pending_new') seen.add(id)
        return seen.size === submitted
      })
      for (const user of USERS) {
        const wanted = async (): Promise<ReturnType<typeof ledger>> => ledger(await world.orders(user))
        const found = async (): Promise<ReturnType<typeof ledger>> => {
          const account = await world.state<Account>('accounts', user)
          const held = [...account?.positions ?? []].sort((a, b) => a.symbol < b.symbol ? -1 : 1)
          const positions = Object.fromEntries(held.map(({ symbol, quantity }) => [symbol, quantity]))
          return { cash: account?.balances[0]!.cash ?? BALANCE, positions }
        }
        const isTold = async (): Promise<boolean> => isDeepStrictEqual(await found(), await wanted())
        await eventually('the account is told', isTold).catch(async () => {
          throw new Error(`${user}: ${JSON.stringify(await found())}, and orders say ${JSON.stringify(await wanted())}`)
        })
        const byOrder = new Map<string, Order[]>()
        for (const message of await world.orders(user)) {
          byOrder.set(message.order_id, [...byOrder.get(message.order_id) ?? [], message])
        }
        for (const [id, messages] of byOrder) {
          const executions = messages.flatMap(({ exec_id: execution }) => execution ?? [])
          if (executions.some((execution, index) => execution !== `${id}.${index + 1}`)) throw new Error(`fills of ${id}: ${executions.join()}`)
          const ends = ({ status, reason }: Order): boolean => ENDED.includes(status) && reason === undefined
          const end = messages.findIndex(ends)
          const late = messages.slice(end < 0 ? messages.length : end + 1)
            .filter(({ exec_id: execution }) => execution !== undefined)
          if (late.length > 0) throw new Error(`${id} is filled after its end`)
          if (messages.filter(({ status }) => status === 'new').length > 1) throw new Error(`${id} was accepted twice`)
        }
      }
    } finally {
      await world.end()
    }
  }), { numRuns: RUNS, endOnFailure: true })
  t.ok(FEE, `${RUNS} histories`)
})

test('accounts and orders that have changed are told before portfolios whose prices have moved', t => {
  const holders = Array.from({ length: 1000 }, (_, index) => `h${index}`)
  const standing = new Standing({ account: () => 1, openOrders: () => 1, portfolio: () => 1 }, () => holders)
  standing.notePrice('A')
  standing.take(10_000)
  standing.noteOrders('u')
  standing.noteAccount('v')
  t.match(standing.take(10_250).slice(0, 4), [
    { channel: 'accounts', user: 'v' }, { channel: 'portfolio', user: 'v' }, { channel: 'open_orders', user: 'u' }, { channel: 'portfolio', user: 'u' }
  ])
  t.ok(standing.isSaid)
  const told = new Set<string>()
  for (let now = 10_500; told.size < holders.length; now += 250) {
    for (let user = 0; user < 500; user++) standing.noteOrders(`u${user}`)
    const users = standing.take(now).map(({ user }) => user!)
    t.ok(new Set(users).size <= 200)
    for (const user of users) if (user.startsWith('h')) told.add(user)
    if (now > 20_000) break
  }
  t.ok(told.size > 500, 'others are told, too, while users trade all the time')
  t.end()
})
