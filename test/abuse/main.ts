import { runProgram, text } from '../fleet/program.js'
import { attacks } from './attacks.js'
import { abuse, failures, summary } from './run.js'

/** `npm run abuse`: see USAGE. */
const GOAL_P99_MS = 100
const USAGE = `usage: npm run abuse -- [--seconds 20] [--attack name]

What bad clients do, one after another and for so long each, to a server on this machine, beside honest
clients on WebSocket and Server-Sent Events that must be sent every message, once and in order, and must not be
dropped; the abuser must be told what the table of attacks (test/abuse/attacks.ts) says. Latency and the
server's memory are shown; the goal is a p99 below ${GOAL_P99_MS} ms.

${attacks.map(({ name, about }) => `  ${name.padEnd(18)}  ${about}`).join('\n')}`

await runProgram({
  usage: USAGE,
  options: { seconds: text(20), attack: { type: 'string' } },
  numbers: ['seconds'],
  async run ({ attack }, number, say) {
    const chosen = attack === undefined ? attacks : attacks.filter(({ name }) => name === attack)
    if (chosen.length === 0) return 'usage'
    const attackMs = number('seconds') * 1000
    const report = await abuse({ attacks: chosen, quietMs: 5000, attackMs, afterMs: 6000, say })
    const { neighbours: { readers, published }, outcomes } = report
    const late = outcomes.filter(({ beside }) => !(beside.p99 < GOAL_P99_MS))
    return {
      lines: late.map(outcome => `above the goal of ${GOAL_P99_MS} ms: ${summary(outcome)}`),
      failures: failures(report),
      holds: `holds: ${readers} honest clients were sent all ${published} messages`
    }
  }
})
