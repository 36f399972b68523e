import { setTimeout as delay } from 'node:timers/promises'
import { type ChaosProxy, pages } from './proxy.js'
import type { LogKind, Scene } from './world.js'

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
const REFUSALS = [pages[400], pages[403], pages[502], pages[504]]
const AWAY = [pages[502], pages[504]]

const cutAll = (proxy: ChaosProxy): void => { proxy.each(connection => { connection.cut('rst') }) }

async function cuts ({ world, choices }: Scene, how: 'rst' | 'fin'): Promise<void> {
  for (let left = choices.integer(1, MOST_CUTS); left > 0; left--) {
    world.proxy.each(connection => { connection.cut(how) })
    if (left > 1) await delay(choices.integer(0, CUT_AGAIN_MS))
  }
}

/** All that can go wrong between a client and its server. */
export const faults: readonly Fault[] = [
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
      Object.assign(world.proxy.pace, { latencyMs: choices.integer(20, 300), jitterMs: choices.integer(0, 200) })
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
      for (const kind of ['websocket', 'event-stream', 'request'] as const) world.proxy.treatments.set(kind, page)
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
      for (const kind of ['websocket', 'event-stream', 'request'] as const) world.proxy.treatments.set(kind, 'hang')
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
    weight: 4,
    begin: ({ world }) => world.rollBack()
  }
]

/** Faults that go well with a log, each as often as its weight. */
export const faultsOn = (log: LogKind): Fault[] => faults
  .filter(({ on }) => on?.includes(log) ?? true)
  .flatMap(fault => new Array<Fault>(fault.weight ?? 1).fill(fault))
