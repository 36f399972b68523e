import { isDeepStrictEqual } from 'node:util'
import type { Portfolio } from '@tickwire/protocol'
import { type Test, test } from 'tap'
import { Fleet } from '../fleet/fleet.js'
import { until } from '../helpers/clients.js'
import { eventually } from '../helpers/eventually.js'
import { Choices } from '../helpers/random.js'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { transportNames } from '../helpers/wires.js'
import { BALANCE, CURRENCY, judgeAccount } from '../orders/judge-account.js'
import { FEE, judgeOrders } from '../orders/judge-orders.js'
import { MadeMarket } from '../orders/made-market.js'
import { symbolNames, userNames } from '../orders/plan.js'
import { readAccount, readOrders } from '../orders/reading.js'
import { Trader } from '../orders/trader.js'
import { Attempts, Desk } from '../orders/ways.js'

const USERS = 20
const CUTS = 30
const SYMBOLS = 5
/** Of each user; `ORDERS=200` for a longer run. */
const ORDERS = Number(process.env['ORDERS'] ?? 12)
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
/** A cut may come before a message has, so not all of them come with new messages. */
const PATIENCE_MS = 150_000

const sequences = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index)

async function startNodes (t: Test): Promise<readonly [TestServer, TestServer]> {
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const settings = {
    REDIS_URL: redis.url, LOG_SHARDS: 3, PAPER_BALANCES: `${CURRENCY}:${BALANCE}`, PAPER_FEES: FEE, RATE_LIMIT_ORDERS: 1_000_000
  }
  return [await startServer(t, settings), await startServer(t, settings)]
}

test('users whose streams are cut again and again end with exactly their own orders and portfolio', {
  skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 240_000
}, async t => {
  t.comment(`seed ${seed}: SEED=${seed} repeats it`)
  const nodes = await startNodes(t)
  const origins = nodes.map(({ origin }) => origin)
  const symbols = symbolNames(SYMBOLS)
  const market = new MadeMarket({ origins, token: nodes[0].token({ sub: 'market' }), symbols, seed, everyMs: 20 })
  await market.start()
  t.teardown(() => market.stop())
  const attempts = new Attempts()
  const fleet = new Fleet(userNames(USERS).map((user, index) => {
    const token = nodes[0].token({ sub: user, trade: true })
    const desk = new Desk(origins, token, attempts)
    t.teardown(() => { desk.close() })
    const random = new Choices(seed * 1000 + index)
    return new Trader({ user, token, origins, symbols, orders: ORDERS, cuts: CUTS, desk, random })
  }))
  t.teardown(() => { fleet.close() })
  const { clients } = fleet
  await fleet.open()
  await Promise.all(clients.map(trader => trader.trade()))
  await until('all are cut often enough', () => clients.every(({ cuts }) => cuts >= CUTS), PATIENCE_MS)
  await market.stop()

  for (const [index, trader] of clients.entries()) {
    const { options: { user, token }, sent } = trader
    const origin = origins[index % origins.length]!
    let faults: readonly string[] = []
    // How things stand is published a little later than what was decided.
    await eventually(`${user}: everything is decided and published`, async () => {
      const entries = await readOrders(origin, token)
      const account = await readAccount(origin, token)
      const judged = judgeOrders(user, entries, sent)
      faults = [...judged.violations, ...judgeAccount(user, judged.fills, judged.last.values(), account)]
      return faults.length === 0
    }).catch(() => {})
    t.same(faults, [], `${user}: orders and account`)
    const entries = await readOrders(origin, token)
    await eventually(`${user}: the last message has come`, () => trader.messages.has(entries.length)).catch(() => {})
    t.same([...trader.messages].sort(([a], [b]) => a - b), entries.map(({ sequence, data }) => [sequence, data]), `${user}: has every message, as the log has it`)
    let portfolio: Portfolio | null = null
    // The last prices may still change it.
    await eventually(`${user}: the last portfolio has come`, async () => {
      portfolio = (await readAccount(origin, token)).portfolio
      return isDeepStrictEqual(trader.portfolio, portfolio)
    }).catch(() => {})
    t.same(trader.portfolio, portfolio, `${user}: has the portfolio`)
  }

  // Each in turn on every transport: without a position come all that are open, and none of the others.
  for (const [round, first] of [0, 1, 2, 3].entries()) {
    for (const [index, trader] of clients.entries()) {
      const last = trader.messages.size
      // In the last round everything is acknowledged.
      const part = round === 3 ? last : Math.floor(last * (round + 1) / 5)
      await trader.acknowledge(Math.max(1, trader.acknowledged, part))
      trader.beginFresh(transportNames[(first + index) % transportNames.length]!)
    }
    await until('each has a cursor', () => clients.every(({ settled }) => settled))
    for (const trader of clients) {
      const expected = sequences(trader.acknowledged + 1, trader.messages.size)
      const hasAll = (): boolean => trader.received.length >= expected.length
      await eventually('what is open has come', hasAll).catch(() => {})
      t.same(trader.received, expected, `${trader.options.user}: behind ${trader.acknowledged}`)
    }
  }
  t.same(clients.flatMap(({ faults }) => faults).slice(0, 20), [])
  // A client that is cut before it has a cursor begins without one, time and again on a slow machine.
  for (const kind of ['resumed', 'fresh'] as const) t.ok(clients.some(client => client[kind] > 0), kind)
  for (const { options: { user }, resumed, fresh } of clients) {
    t.ok(resumed + fresh > CUTS, `${user}: ${resumed} with a cursor, ${fresh} without`)
  }
  t.comment(`${fleet.sum(({ messages }) => messages.size)} messages of orders, ${fleet.sum(({ repeated }) => repeated)} came again behind a cursor; ${fleet.sum(({ sent }) => sent.length)} orders, ${JSON.stringify(attempts.sent)}`)
})
