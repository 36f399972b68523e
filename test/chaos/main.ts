import { runProgram, seed, text } from '../fleet/program.js'
import { redisProgram } from '../helpers/redis-server.js'
import { type ChaosClient, chaosClients } from './clients.js'
import { transports, type Transport } from './events.js'
import { refusalsOver } from './refusals/refusals.js'
import { runRefusal } from './refusals/run.js'
import { Summary } from './report.js'
import { run, transportsOf } from './run.js'
import { type LogKind, logKinds } from './world.js'

/** Each is a process, and most of them wait most of the time. */
const REFUSALS_AT_ONCE = 12
const NAMES = chaosClients.map(({ name }) => name)
/** `npm run chaos`: see USAGE. */
const USAGE = `usage: npm run chaos -- [--client ${NAMES.join('|')}|'<command>'] [--transport ${transports.join('|')}]
                       [--runs 20] [--seed N] [--seconds 20] [--log ${logKinds.join('|')}] [--rate 60]
       npm run chaos -- --refusals [--client …] [--transport …] [--minutes 10]

Leads a client through a network that fails as the seed says: cuts with RST and FIN, stalls, connections of
which one side is gone, latency, a few bytes at a time, event streams that a proxy holds back, refused and
hanging upgrades, 502 for everything, refused connections, a laptop that sleeps, and servers that are killed.
Then all is quiet. The client is a program that reads commands and writes events, a JSON object a line
(test/chaos/events.ts). What it gave its application is judged against what the server had:
  - every message of a history once and in order, or a reset where some are lost, and only there,
  - after each message of a state what the server had after it, and at the end what the server has,
  - at the end the last message of every topic.

Run number n of a seed is the first run of the seed n higher.
  --client     one of those named, or the command of a driver; otherwise all of them
  --transport  the only one; otherwise all three, or one, as the seed says
  --seconds    for how long faults follow one another in a run
  --log        memory: a restart loses everything; redis: nothing; unsaved: Redis loses its last messages.
               Otherwise as the seed says
  --rate       messages a second
  --refusals   servers that refuse again and again, in place of the network: the client must wait longer and
               longer, keep to retry_after_ms, try one new token, or stop
  --minutes    for how long each of them refuses`

await runProgram({
  usage: USAGE,
  options: {
    client: text(''),
    transport: text(''),
    runs: text(20),
    seed: seed(),
    seconds: text(20),
    log: text(''),
    rate: text(60),
    refusals: { type: 'boolean', default: false },
    minutes: text(10)
  },
  numbers: ['runs', 'seed', 'seconds', 'rate', 'minutes'],
  async run (values, number, say) {
    const named = chaosClients.filter(({ name }) => values.client === '' || name === values.client)
    const clients = named.length > 0 ? named : [{ name: values.client, command: values.client }]
    const only = transports.find(transport => transport === values.transport)
    if (values.transport !== '' && only === undefined) return 'usage'
    const wanted = logKinds.find(log => log === values.log)
    if (values.log !== '' && wanted === undefined) return 'usage'
    const lines: string[] = []
    const failures: string[] = []
    for (const { name, command } of clients) {
      if (values.refusals) {
        failures.push(...await refuseAll({ name, command }, only, number('minutes') * 60, say))
        continue
      }
      const summary = new Summary(name)
      for (let at = 0; at < number('runs'); at++) {
        const runSeed = number('seed') + at
        const log = wanted ?? logOf(runSeed)
        summary.add(await run({
          command,
          seed: runSeed,
          log,
          transports: only === undefined ? transportsOf(runSeed) : [only],
          disturbedMs: number('seconds') * 1000,
          pace: 1,
          rate: number('rate')
        }))
        say(summary.progress)
      }
      lines.push(...summary.lines)
      failures.push(...summary.failures)
    }
    return { lines, failures }
  }
})

/** Without Redis, all logs are in memory. */
function logOf (runSeed: number): LogKind {
  return redisProgram === undefined ? 'memory' : logKinds[runSeed % logKinds.length]!
}

/** @returns what clients did wrong that were refused on all transports, one after another and together */
async function refuseAll (
  { name, command }: ChaosClient, only: Transport | undefined, seconds: number, say: (line: string) => void
): Promise<string[]> {
  const ways = only === undefined ? [...transports.map(transport => [transport]), transports] : [[only]]
  const left = ways.flatMap(way => refusalsOver(way).map(refusal => ({ way, refusal })))
  const failures: string[] = []
  await Promise.all(Array.from({ length: REFUSALS_AT_ONCE }, async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const { way, refusal } = next
      const report = await runRefusal({ command, refusal, transports: way, seconds })
      const what = `${name}, over ${way.join(', ')}: ${refusal.name}`
      say(`${what}: ${report.attempts} attempts${report.failures.length === 0 ? '' : ', FAILED'}`)
      failures.push(...report.failures.map(failure => `${what}: ${failure}`))
    }
  }))
  return failures
}
