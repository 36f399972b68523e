import { columns } from '../fleet/columns.js'
import { runProgram, seed, text } from '../fleet/program.js'
import { Choices } from '../helpers/random.js'
import { kinds } from './backing.js'
import { faults } from './faults.js'
import { reportLines } from './report.js'
import { run } from './run.js'

/** `npm run faults`: see USAGE. */
const table = columns(faults.map(({ name, about, on }) => (
  [name, `${about}${on.length === kinds.length ? '' : ` (${on.join(', ')})`}`]
)), () => true)
const USAGE = `usage: npm run faults -- [--redis standalone|sentinel|cluster] [--seconds 300] [--seed N]
                         [--fault name] [--clients 200] [--topics 100] [--rate 300] [--shards 1|3] [--short]

Faults happen to two nodes and their Redis (with --redis: to three Sentinels, a master and two replicas; to a
Cluster of three masters with a replica each) while messages are published and read; then every message that
was acknowledged must have come to every client, once and in order, or a reset must have told of what Redis
lost.

  --fault name   this one again and again, instead of all at random:
${table.map(line => `                   ${line}`).join('\n')}
  --short        what is stopped is stopped for 3 s, not for 10 s`

await runProgram({
  usage: USAGE,
  options: {
    redis: text('standalone'),
    seconds: text(300),
    seed: seed(),
    fault: { type: 'string' },
    clients: text(200),
    topics: text(100),
    rate: text(300),
    shards: { type: 'string' },
    short: { type: 'boolean', default: false }
  },
  numbers: ['seconds', 'seed', 'clients', 'topics', 'rate', 'shards'],
  async run ({ redis, fault, shards: given, short }, number, say) {
    const kind = kinds.find(kind => kind === redis)
    if (kind === undefined) return 'usage'
    const possible = faults.filter(({ on }) => on.includes(kind))
    const chosen = possible.filter(({ name }) => fault === undefined || name === fault)
    if (chosen.length === 0) return 'usage'
    const random = new Choices(number('seed'))
    const shards = given === undefined ? random.pick([1, 3]) : number('shards')
    say(`${kind}, ${shards} ${shards === 1 ? 'shard' : 'shards'}`)
    // From when all is up, so that even a short run has a fault.
    let until: number | undefined
    const report = await run({
      kind,
      seed: number('seed'),
      shards,
      clients: number('clients'),
      topics: number('topics'),
      rate: number('rate'),
      long: !short,
      next: () => {
        until ??= Date.now() + number('seconds') * 1000
        return Date.now() < until ? random.pick(chosen) : undefined
      },
      say
    })
    return { lines: reportLines(report), failures: report.violations }
  }
})
