import { t as all, test } from 'tap'
import { redisProgram } from '../helpers/redis-server.js'
import { plainDriver } from './clients.js'
import { transports, type Transport } from './events.js'
import { faultNamed } from './faults.js'
import type { Broken } from './plain/broken.js'
import { run } from './run.js'
import type { LogKind } from './world.js'

/** The judge must find what a client does wrong, in the world in which it does harm. */
interface Case {
  readonly broken: Broken
  readonly does: string
  readonly fault: string
  readonly log: LogKind
  readonly transports: readonly Transport[]
  /** Some of what the judge says. */
  readonly found: RegExp
  /** Faults follow one another for so long; otherwise there is one. */
  readonly disturbedMs?: number
  /** What the client has to come back, where it is known that it does not. */
  readonly patienceMs?: number
}

const SHORT_MS = 3000

const cases: readonly Case[] = [
  {
    broken: 'drop',
    does: 'drops messages',
    fault: 'cut with FIN',
    log: 'memory',
    transports,
    found: /messages are missing, and no reset says so/
  },
  {
    broken: 'double',
    does: 'gives messages twice',
    fault: 'cut with RST',
    log: 'memory',
    transports,
    found: /twice, or out of order/
  },
  {
    broken: 'forget',
    does: 'does not resume',
    fault: 'connections are refused',
    log: 'memory',
    transports: ['event-stream'],
    found: /messages are missing, and no reset says so/
  },
  {
    broken: 'silent',
    does: 'does not tell of a reset',
    fault: 'the server is killed',
    log: 'memory',
    transports: ['polling'],
    found: /which was lost, and no reset says so/
  },
  {
    broken: 'alarm',
    does: 'tells of resets that there were not',
    fault: 'cut with RST',
    log: 'memory',
    transports,
    found: /a reset \(alarm\), though nothing was lost/
  },
  {
    broken: 'deaf',
    does: 'does not notice that its connection is dead',
    fault: 'half-open: the server is gone',
    log: 'memory',
    transports: ['event-stream'],
    found: /in vain until the client is given new messages/,
    patienceMs: SHORT_MS
  },
  {
    broken: 'final',
    does: 'takes a page of a firewall for a refusal of the server',
    fault: 'the proxy answers everything',
    log: 'memory',
    transports,
    found: /the client stopped for good/
  },
  {
    broken: 'trusting',
    does: 'does not go back in another epoch',
    fault: 'Redis loses its last messages while the client is away',
    log: 'unsaved',
    transports: ['websocket'],
    found: /which was lost, and no reset says so/,
    disturbedMs: 6000,
    patienceMs: SHORT_MS
  }
]

const PACE = 0.2
/** Enough that the broken clients, which spoil one message in a hundred, have spoiled some. */
const RATE = 100
const AT_ONCE = 4
all.jobs = AT_ONCE

for (const { broken, does, fault, log, transports: allowed, found, disturbedMs = 0, patienceMs } of cases) {
  test(`finds a client that ${does}`, {
    buffered: true,
    timeout: 280_000,
    skip: log !== 'memory' && redisProgram === undefined ? 'there is no Redis' : false
  }, async t => {
    const { failures } = await run({
      command: plainDriver(broken),
      seed: 1,
      log,
      transports: allowed,
      disturbedMs,
      pace: PACE,
      rate: RATE,
      only: [faultNamed(fault)],
      ...patienceMs === undefined ? {} : { patienceMs }
    })
    t.match(failures.find(failure => found.test(failure)), found, failures.slice(0, 3).join('\n'))
  })
}

test('finds nothing wrong with the same client, if nothing is broken in it', {
  buffered: true, timeout: 280_000
}, async t => {
  const { failures, disturbances } = await run({
    command: plainDriver(),
    seed: 1,
    log: 'memory',
    transports,
    disturbedMs: SHORT_MS,
    pace: PACE,
    rate: RATE,
    only: ['cut with RST', 'connections are refused', 'the proxy answers everything'].map(faultNamed)
  })
  t.same(failures, [])
  t.ok(disturbances.length > 0)
})
