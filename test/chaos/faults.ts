import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../helpers/clients.js'
import { type ChaosProxy, pages } from './proxy.js'
import { topics } from './topics.js'
import { hasLast, type LogKind, type Scene } from './world.js'

export interface Fault {
  readonly name: string
  /** For how long it lasts, at least and at most; 0: it is over at once, or ends by itself. */
  readonly lasts: readonly [leastMs: number, mostMs: number]
  /** The logs that it needs; absent: any. */
  readonly on?: readonly LogKind[]
  /** How often it is chosen, against 1 of the others. */
  readonly weight?: number
  begin (scene: Scene): void | Promise<void>
  end? (scene: Scene): void | Promise<void>
}

const AT_ONCE = [0, 0] as const
/** Between the cuts of a fault that cuts several times. */
const CUT_AGAIN_MS = 250
const MOST_CUTS = 4
/** How long the client has for what will be lost. */
const LOST_AFTER_MS = [20, 1200] as const
const HAS_IT_MS = 1000
const REFUSALS = [pages[400], pages[403], pages[502], pages[504]]
const kinds = ['websocket', 'event-stream', 'request'] as const
const AWAY = [pages[502], pages[504]]

const cutAll = (proxy: ChaosProxy): void => { proxy.each(connection => { connection.cut('rst') }) }

async function cuts ({ world, choices }: Scene, how: 'rst' | 'fin'): Promise<void> {
  for (let left = choices.integer(1, MOST_CUTS); left > 0; left--) {
    world.proxy.each(connection => { connection.cut(how) })
    if (left > 1) await delay(choices.integer(0, CUT_AGAIN_MS))
  }
}

/**
 * The client has messages that are then lost, and no cursor behind them yet. When it comes back, others have
 * their sequences: the server cannot know what the client has (PROTOCOL.md, The client's rule, 5).
 */
async function rolledBackWhileAway ({ world, driver }: Scene): Promise<void> {
  const { proxy } = world
  const hasSome = (): boolean =>
    driver.isOver || topics.some(topic => hasLast(driver, world, topic))
  await world.rollBack(async () => {
    // Over a network that is bad already it may get none of them in time.
    await until('the client has what will be lost', hasSome, HAS_IT_MS).catch(() => {})
    proxy.refuse()
    cutAll(proxy)
  }, () => proxy.listen())
}

/** All that can go wrong between a client and its server. */
const faults: readonly Fault[] = [
  { name: 'cut with RST', lasts: AT_ONCE, weight: 2, begin: scene => cuts(scene, 'rst') },
  { name: 'cut with FIN', lasts: AT_ONCE, weight: 2, begin: scene => cuts(scene, 'fin') },
  {
    name: 'stall',
    lasts: [300, 4000],
    begin: ({ world }) => { world.proxy.stall() },
    end: ({ world }) => { world.proxy.goOn() }
  },
  {
    name: 'half-open: the server is gone',
    lasts: AT_ONCE,
    weight: 2,
    begin: ({ world }) => { world.proxy.each(connection => { connection.loseServer() }) }
  },
  {
    name: 'half-open: the client is gone',
    lasts: AT_ONCE,
    begin: ({ world }) => { world.proxy.each(connection => { connection.loseClient() }) }
  },
  {
    name: 'latency and jitter',
    lasts: [1000, 4000],
    begin: ({ world, choices }) => {
      const [latencyMs, jitterMs] = [choices.integer(20, 300), choices.integer(0, 200)]
      Object.assign(world.proxy.pace, { latencyMs, jitterMs })
    },
    end: ({ world }) => { world.proxy.plainPace() }
  },
  {
    name: 'a few bytes at a time',
    lasts: [500, 3000],
    begin: ({ world, choices }) => { world.proxy.pace.bytesAtOnce = choices.integer(1, 30) },
    end: ({ world }) => { world.proxy.plainPace() }
  },
  {
    name: 'a few bytes at a time, then a cut',
    lasts: [200, 1000],
    begin: ({ world, choices }) => { world.proxy.pace.bytesAtOnce = choices.integer(1, 30) },
    end: ({ world }) => {
      cutAll(world.proxy)
      world.proxy.plainPace()
    }
  },
  {
    name: 'event streams are held back',
    lasts: [4000, 9000],
    begin: ({ world, choices }) => {
      world.proxy.holdBack(choices.pick(['body', 'all'] as const))
      if (choices.chance(0.5)) cutAll(world.proxy)
    },
    end: ({ world }) => { world.proxy.release() }
  },
  {
    name: 'upgrades are refused',
    lasts: [500, 4000],
    begin: ({ world, choices }) => {
      world.proxy.treatments.set('websocket', choices.pick(REFUSALS))
      cutAll(world.proxy)
    },
    end: ({ world }) => { world.proxy.treatments.clear() }
  },
  {
    name: 'upgrades hang',
    lasts: [1000, 6000],
    begin: ({ world }) => {
      world.proxy.treatments.set('websocket', 'hang')
      cutAll(world.proxy)
    },
    end: ({ world }) => { world.proxy.treatments.clear() }
  },
  {
    name: 'the proxy answers everything',
    lasts: [500, 4000],
    begin: ({ world, choices }) => {
      const page = choices.pick(AWAY)
      for (const kind of kinds) world.proxy.treatments.set(kind, page)
      cutAll(world.proxy)
    },
    end: ({ world }) => { world.proxy.treatments.clear() }
  },
  {
    name: 'connections are refused',
    lasts: [300, 4000],
    begin: ({ world }) => {
      world.proxy.refuse()
      cutAll(world.proxy)
    },
    end: ({ world }) => world.proxy.listen()
  },
  {
    name: 'nothing is answered',
    lasts: [1000, 5000],
    begin: ({ world }) => {
      for (const kind of kinds) world.proxy.treatments.set(kind, 'hang')
      world.proxy.each(connection => { connection.loseServer() })
    },
    end: ({ world }) => { world.proxy.treatments.clear() }
  },
  {
    name: 'the laptop sleeps',
    lasts: [500, 5000],
    begin: ({ driver }) => { driver.signal('SIGSTOP') },
    end: ({ driver }) => { driver.signal('SIGCONT') }
  },
  {
    name: 'the laptop sleeps, and its connections are forgotten',
    lasts: [500, 5000],
    begin: ({ driver, world }) => {
      driver.signal('SIGSTOP')
      world.proxy.each(connection => { connection.loseServer() })
    },
    end: ({ driver }) => { driver.signal('SIGCONT') }
  },
  { name: 'the server is killed', lasts: AT_ONCE, begin: ({ world }) => world.restart('kill') },
  { name: 'the server is restarted', lasts: AT_ONCE, begin: ({ world }) => world.restart('stop') },
  {
    name: 'Redis loses its last messages',
    lasts: AT_ONCE,
    on: ['unsaved'],
    weight: 3,
    begin: async ({ world, choices }) => {
      await world.rollBack(() => delay(choices.integer(...LOST_AFTER_MS)), async () => {})
    }
  },
  {
    name: 'Redis loses its last messages while the client is away',
    lasts: AT_ONCE,
    on: ['unsaved'],
    weight: 4,
    begin: rolledBackWhileAway
  }
]

export const faultNamed = (name: string): Fault => faults.find(fault => fault.name === name)!

/** Faults that go well with a log, each as often as its weight. */
export const faultsOn = (log: LogKind): Fault[] => faults
  .filter(({ on }) => on?.includes(log) ?? true)
  .flatMap(fault => new Array<Fault>(fault.weight ?? 1).fill(fault))
