import { test } from 'tap'
import { redisProgram } from '../helpers/redis-server.js'
import { Choices } from '../helpers/random.js'
import { chaosClients } from './clients.js'
import { transports, type Transport } from './events.js'
import { Summary } from './report.js'
import { run } from './run.js'
import type { LogKind } from './world.js'

/** A seed that `npm run chaos -- --seed` repeats, with the options that a failure names. */
const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
const DISTURBED_MS = 10_000
const PACE = 0.4
const RATE = 60

const choices = new Choices(SEED)
/** Two runs for each client, at the same time: over all transports, and over one of them. */
const ways: ReadonlyArray<readonly [log: LogKind, transports: readonly Transport[]]> = [
  ['memory', transports],
  [redisProgram === undefined ? 'memory' : choices.pick(['redis', 'unsaved'] as const), [choices.pick(transports)]]
]

for (const { name, command } of chaosClients) {
  test(`the client ${name} loses nothing and comes back, whatever the network and the server do`, {
    timeout: 280_000
  }, async t => {
    const repeat = `CHAOS_SEED=${SEED} repeats it`
    const summary = new Summary(name)
    const reports = await Promise.all(ways.map(async ([log, allowed]) => await run({
      command, seed: SEED, log, transports: allowed, disturbedMs: DISTURBED_MS, pace: PACE, rate: RATE
    })))
    for (const report of reports) summary.add(report)
    for (const line of summary.lines) t.comment(line)
    t.same(summary.failures, [], repeat)
    t.ok(summary.disturbances > ways.length, 'faults were made')
  })
}
