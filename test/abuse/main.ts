import { programOptions } from '../helpers/program-options.js'
import { attacks } from './attacks.js'
import { abuse, failures, summary } from './run.js'

/** `npm run abuse`: see USAGE. The exit code is 1 where something does not hold. */
const GOAL_P99_MS = 100
const USAGE = `usage: npm run abuse -- [--seconds 20] [--attack name]

What bad clients do, one after another and for so long each, to a server on this machine, beside honest clients on WebSocket and
Server-Sent Events that must be sent every message, once and in order, and must not be dropped; the abuser must be told what
the table of attacks (test/abuse/attacks.ts) says. Latency and the server's memory are shown; the goal is a p99 below ${GOAL_P99_MS} ms.

${attacks.map(({ name, about }) => `  ${name.padEnd(18)}  ${about}`).join('\n')}`

const values = programOptions(USAGE, { seconds: { type: 'string', default: '20' }, attack: { type: 'string' }, help: { type: 'boolean', default: false } })

async function main (): Promise<number> {
  const chosen = values.attack === undefined ? attacks : attacks.filter(({ name }) => name === values.attack)
  if (values.help || chosen.length === 0 || !/^[1-9]\d*$/.test(values.seconds)) {
    console.log(USAGE)
    return values.help ? 0 : 2
  }
  const report = await abuse({ attacks: chosen, quietMs: 5000, attackMs: Number(values.seconds) * 1000, afterMs: 6000, say: line => { console.log(line) } })
  const failed = failures(report)
  const late = report.outcomes.filter(({ beside }) => !(beside.p99 < GOAL_P99_MS))
  for (const outcome of late) console.log(`above the goal of ${GOAL_P99_MS} ms: ${summary(outcome)}`)
  for (const text of failed) console.log(`FAILED ${text}`)
  console.log(failed.length === 0 ? `holds: ${report.neighbours.readers} honest clients were sent all ${report.neighbours.published} messages` : `${failed.length} failures`)
  return failed.length === 0 ? 0 : 1
}

// What it has started ends with it: the server and the neighbours listen for `exit`.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => { process.exit(130) })
process.exit(await main())
