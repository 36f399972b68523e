import { setTimeout as delay } from 'node:timers/promises'
import { MANY_CLIENTS, NodeProcess } from '../fleet/node-process.js'
import { runToken } from '../fleet/publish.js'
import { Choices } from '../helpers/random.js'
import { RedisServer } from '../helpers/redis-server.js'
import { Breaking, type BreakageName } from './breaking.js'
import { BALANCE, CURRENCY } from './judge-account.js'
import { FEE } from './judge-orders.js'
import { MadeMarket } from './made-market.js'
import { plan, type PlannedOrder, symbolNames, userNames } from './plan.js'
import { Submitter } from './submitter.js'
import { readMarket } from './reading.js'
import { judge, readUser, type Reading, type UserReading, type Verdict } from './verdict.js'
import { Attempts, Desk } from './ways.js'

const PROGRESS_MS = 3000
const LOOK_MS = 200
/** After the last answer, the exchange decides what is left, and says how things stand, within this time. */
const SETTLE_TIMEOUT_MS = 60_000
/** The last of so many orders are sent when each kind of thing has been broken, so that all have happened. */
const KEPT_BACK = 10
const NOTHING: Verdict = {
  violations: [], statuses: new Map(), messages: 0, fills: { atLevels: 0, atLimits: 0, others: 0 }
}

export interface RunOptions {
  readonly seed: number
  readonly nodes: number
  readonly shards: number
  readonly orders: number
  readonly users: number
  readonly symbols: number
  /** Orders a second. */
  readonly rate: number
  /** The latest copy of a request is sent so long after the first, in milliseconds. */
  readonly spreadMs: number
  readonly say: (line: string) => void
}

export interface RunReport extends Verdict {
  readonly orders: number
  /** Copies of submits, of which each was answered. */
  readonly copies: number
  readonly attempts: Attempts
  readonly published: number
  readonly broken: ReadonlyMap<BreakageName, number>
  readonly exitCodes: ReadonlyArray<number | null>
}

/**
 * Sends orders, each several times, to servers on one Redis that keeps every write, while servers and Redis
 * are killed. Then judges everything that was answered and told.
 */
export async function run (options: RunOptions): Promise<RunReport> {
  const { seed, say } = options
  const redis = await RedisServer.start(['--appendonly', 'yes', '--appendfsync', 'always'])
  const nodes = await makeNodes(options, redis)
  const origins = nodes.map(({ origin }) => origin)
  const users = new Map(userNames(options.users).map(user => [user, runToken({ sub: user, trade: true })]))
  const symbols = symbolNames(options.symbols)
  const attempts = new Attempts()
  const desks = new Map([...users].map(([user, token]) => [user, new Desk(origins, token, attempts)]))
  const submitter = new Submitter(desks)
  const publisher = runToken({ sub: 'market', publish: ['*'] })
  const market = new MadeMarket({ origins, token: publisher, symbols, seed, everyMs: 20 })
  const breaking = new Breaking({ nodes, redis, random: new Choices(seed + 1) }, say)
  const progress = setInterval(() => {
    say(`  ${submitter.begun} orders begun, ${submitter.sent.length} answered, ${market.published} messages of the market`)
  }, PROGRESS_MS)
  const failuresNow = (): string[] => [
    ...submitter.failures,
    ...[market.failure, breaking.failure].filter(failure => failure !== undefined)
  ]
  const watcher = setInterval(() => { if (failuresNow().length > 0) submitter.abandon() }, LOOK_MS)
  try {
    await Promise.all(nodes.map(node => node.start()))
    await market.start()
    breaking.start()
    await sendAll(submitter, plan({ ...options, users: [...users.keys()], symbols }), breaking, options.rate)
    await breaking.stop()
    await market.stop()
    await sendLast(submitter, users.keys(), symbols[0]!)
    const failures = failuresNow()
    say('all are answered; reading')
    const verdict = failures.length > 0 ? NOTHING : await settledVerdict(submitter, origins, users, symbols)
    const violations = [...failures, ...verdict.violations]
    if (violations.length > 0) for (const { name, complaints } of nodes) if (complaints !== '') say(`${name} said last:\n${complaints}`)
    return {
      ...verdict,
      violations,
      orders: submitter.sent.length,
      copies: submitter.sent.reduce((sum, { answers }) => sum + answers.length, 0),
      attempts,
      published: market.published,
      broken: breaking.counts,
      exitCodes: nodes.flatMap(({ exitCodes }) => exitCodes)
    }
  } finally {
    clearInterval(progress)
    clearInterval(watcher)
    submitter.abandon()
    await Promise.all([breaking.stop(), market.stop()])
    await Promise.all(nodes.map(node => node.close()))
    await redis.close()
  }
}

async function makeNodes ({ nodes, shards }: RunOptions, redis: RedisServer): Promise<NodeProcess[]> {
  return await Promise.all(Array.from({ length: nodes }, async (_, index) => await NodeProcess.create(`node ${index + 1}`, {
    ...MANY_CLIENTS,
    REDIS_URL: redis.url,
    LOG_SHARDS: String(shards),
    PAPER_BALANCES: `${CURRENCY}:${BALANCE}`,
    PAPER_FEES: FEE,
    RATE_LIMIT_MESSAGES: '1000000',
    RATE_LIMIT_ORDERS: '1000000',
    RETENTION_MESSAGES: '1000000',
    SHUTDOWN_GRACE_MS: '2000'
  })))
}

async function sendAll (
  submitter: Submitter, orders: readonly PlannedOrder[], breaking: Breaking, rate: number
): Promise<void> {
  const kept = Math.ceil(orders.length / KEPT_BACK)
  await submitter.send(orders.slice(0, -kept), rate)
  while (!breaking.eachHappened && !submitter.isOver) await delay(LOOK_MS)
  await submitter.send(orders.slice(-kept), rate)
}

/**
 * Sends one more order of each user. The requests of a user are decided in their order: once this one is, all
 * before it are.
 */
async function sendLast (submitter: Submitter, users: Iterable<string>, symbol: string): Promise<void> {
  const terms = { symbol, side: 'buy', order_type: 'market', quantity: '1', time_in_force: 'ioc' } as const
  const orders = [...users].map((user, index): PlannedOrder => ({
    user, terms: { ...terms, client_order_id: `${user}-last` }, copiesAt: [0], sequel: 'none', random: new Choices(index)
  }))
  await submitter.send(orders, Infinity)
}

/**
 * Judges what the servers say, when the exchange has decided about everything. How things stand is published
 * a little later than what was decided: while something is missing, it is read again for a while. What is
 * there twice stays.
 */
async function settledVerdict (
  submitter: Submitter,
  origins: readonly string[],
  users: ReadonlyMap<string, string>,
  symbols: readonly string[]
): Promise<Verdict> {
  const deadline = Date.now() + SETTLE_TIMEOUT_MS
  for (;;) {
    const verdict = judge(submitter.sent, await readAll(origins, users, symbols))
    if (verdict.violations.length === 0 || Date.now() > deadline) return verdict
    await delay(LOOK_MS)
  }
}

/** Reads everything: each user, and each market, at another node. */
async function readAll (
  origins: readonly string[], users: ReadonlyMap<string, string>, symbols: readonly string[]
): Promise<Reading> {
  const origin = (index: number): string => origins[index % origins.length]!
  const readings = new Map<string, UserReading>()
  for (const [index, [user, token]] of [...users].entries()) {
    readings.set(user, await readUser(origin(index), token))
  }
  const [anybody] = users.values()
  const markets = []
  for (const [index, symbol] of symbols.entries()) {
    markets.push(await readMarket(origin(index), symbol, anybody!))
  }
  return { users: readings, markets }
}
