import { setTimeout as delay } from 'node:timers/promises'
import { runToken } from '../fleet/publish.js'
import { until } from '../helpers/clients.js'
import { Choices } from '../helpers/random.js'
import { Driver } from './driver.js'
import { transports, type Transport } from './events.js'
import { type Fault, faultsOn } from './faults.js'
import { type Disturbance, judge, type Verdict } from './judge.js'
import { differences } from './server-log.js'
import { subscriptions, topics } from './topics.js'
import { hasLast, type LogKind, World } from './world.js'

/** What a client takes at most to come back after the last fault, on a busy machine. */
const PATIENCE_MS = 120_000
/** A first cursor comes within a second of the first messages. */
const FIRST_CURSOR_MS = 1500
const CALM_MS = [200, 2500] as const
const THROTTLE_MS = 250
/** How often another fault comes in the middle of one. */
const TWO = 0.2
const TWO_AT_ONCE = 'two faults at once'
/** How often the next fault waits until the client has new messages, and for how long. */
const AWAITED = 0.7
const RETURN_MS = 10_000

export interface RunOptions {
  /** The driver's command, for a shell. */
  readonly command: string
  readonly seed: number
  readonly log: LogKind
  /** Those that the client may use. */
  readonly transports: readonly Transport[]
  /** For how long faults follow one another. */
  readonly disturbedMs: number
  /** Faults last so many times as long as they say. */
  readonly pace: number
  /** Messages a second. */
  readonly rate: number
  /** Those of which the faults are drawn; default: all that go with the log. */
  readonly only?: readonly Fault[]
  /** What the client has to come back after the last fault. */
  readonly patienceMs?: number
}

export interface RunReport extends Verdict {
  readonly seed: number
  readonly log: LogKind
  readonly transports: readonly Transport[]
  readonly disturbances: readonly Disturbance[]
  readonly losses: number
  readonly proxied: Readonly<Record<string, number>>
}

/** One client, through whatever the seed has in store for it, then a quiet time, and the verdict. */
export async function run (options: RunOptions): Promise<RunReport> {
  const { command, seed, log, rate } = options
  const plan = new Choices(seed)
  // What the proxy and the publisher draw depends on time. The faults are the seed's alone.
  const world = await World.start(log, rate, new Choices(seed + 1))
  const failures: string[] = []
  const disturbances: Disturbance[] = []
  let driver: Driver | undefined
  try {
    driver = await Driver.start(command)
    connect(driver, world, options, plan)
    world.publisher.start()
    await begun(driver, world)
    await disturb({ world, driver, choices: plan }, options, disturbances)
    await quiet(driver, world, failures, options.patienceMs)
    failures.push(...await differences(world.server.origin, world.truth))
    await driver.close()
  } catch (error) {
    failures.push((error as Error).message)
  } finally {
    driver?.kill()
    await world.close()
  }
  const verdict = judge(driver?.told ?? [], world.truth, disturbances)
  return {
    ...verdict,
    failures: [...driver?.faults ?? [], ...failures, ...verdict.failures],
    seed,
    log,
    transports: options.transports,
    disturbances,
    losses: world.truth.generation,
    proxied: world.proxy.seen
  }
}

function connect (driver: Driver, { proxy }: World, options: RunOptions, plan: Choices): void {
  const token = plan.chance(0.5) ? { token: runToken({ sub: 'reader' }) } : {}
  const throttle = plan.chance(0.3) ? THROTTLE_MS : undefined
  driver.do({ do: 'connect', url: proxy.origin, transports: options.transports, ...token })
  for (const subscription of subscriptions(throttle)) driver.do({ do: 'subscribe', ...subscription })
}

/** Waits until the client has all topics, and must have a cursor. */
async function begun (driver: Driver, world: World): Promise<void> {
  await until('the client is live', () => driver.isOver || driver.state?.state === 'live', PATIENCE_MS)
  const since = Date.now() + FIRST_CURSOR_MS
  await until('the client is given messages of all topics', () => driver.isOver || isFresh(driver, world, since), PATIENCE_MS)
}

function isFresh ({ newest }: Driver, { truth }: World, since: number): boolean {
  return topics.every(topic => {
    const given = newest.get(topic)
    return given !== undefined && (truth.find(topic, given.data)?.at ?? 0) >= since
  })
}

async function disturb (
  scene: { readonly world: World, readonly driver: Driver, readonly choices: Choices },
  { disturbedMs, pace, log, only }: RunOptions, disturbances: Disturbance[]
): Promise<void> {
  const { choices, driver, world } = scene
  const possible = only ?? faultsOn(log)
  const end = Date.now() + disturbedMs
  do {
    const fault = choices.pick(possible)
    const other = choices.chance(TWO) ? choices.pick(possible) : undefined
    const lastsMs = choices.integer(...fault.lasts) * pace
    const from = Date.now()
    await fault.begin(scene)
    await delay(lastsMs / 2)
    await other?.begin(scene)
    await delay(lastsMs / 2)
    await other?.end?.(scene)
    await fault.end?.(scene)
    const to = Date.now()
    disturbances.push({ name: other === undefined ? fault.name : TWO_AT_ONCE, from, to })
    // Some faults come while the client has not recovered from the one before.
    const awaited = choices.chance(AWAITED) ? RETURN_MS * pace : 0
    await until('the client is back', () => driver.isOver || isFresh(driver, world, to), awaited).catch(() => {})
    await delay(choices.integer(...CALM_MS) * pace)
  } while (Date.now() < end && !driver.isOver)
}

/** Lets the client come back, first while messages come, then until it has the last one of each topic. */
async function quiet (
  driver: Driver, world: World, failures: string[], patienceMs = PATIENCE_MS
): Promise<void> {
  const since = Date.now()
  const patiently = async (what: string, holds: () => boolean): Promise<void> => {
    await until(what, () => driver.isOver || holds(), patienceMs).catch((error: Error) => {
      const { state, reason = '', transport = '' } = driver.state ?? { state: 'unknown' }
      failures.push(`${error.message}; its state: ${state} ${transport} ${reason}; ${driver.errors}`)
    })
  }
  await patiently('the client is given new messages of all topics', () => isFresh(driver, world, since))
  await world.publisher.stop()
  await patiently('the client has the last message of all topics', () =>
    topics.every(topic => hasLast(driver, world, topic)))
}

/** All three, or one, as a seed says. */
export function transportsOf (seed: number): readonly Transport[] {
  const choices = new Choices(seed + 2)
  return choices.chance(0.4) ? transports : [choices.pick(transports)]
}
