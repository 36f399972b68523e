import { programOptions } from '../helpers/program-options.js'
import { Choices } from '../helpers/random.js'
import { kinds } from './backing.js'
import { faults } from './faults.js'
import { reportLines } from './report.js'
import { run } from './run.js'

/** `npm run faults`: see USAGE. The exit code is 1 where something was violated. */
const USAGE = `usage: npm run faults -- [--redis standalone|sentinel|cluster] [--seconds 300] [--seed N] [--fault name] [--clients 200] [--topics 100] [--rate 300] [--shards 1|3] [--short]

Faults happen to two nodes and their Redis (with --redis: to three Sentinels, a master and two replicas; to a Cluster of
three masters with a replica each) while messages are published and read; then every message that was
acknowledged must have come to every client, once and in order, or a reset must have told of what Redis lost.

  --fault name   this one again and again, instead of all at random:
${faults.map(({ name, about, on }) => `                   ${name.padEnd(27)} ${about}${on.length === kinds.length ? '' : ` (${on.join(', ')})`}`).join('\n')}
  --short        what is stopped is stopped for 3 s, not for 10 s`

const values = programOptions(USAGE, {
  redis: { type: 'string', default: 'standalone' },
  seconds: { type: 'string', default: '300' },
  seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  fault: { type: 'string' },
  clients: { type: 'string', default: '200' },
  topics: { type: 'string', default: '100' },
  rate: { type: 'string', default: '300' },
  shards: { type: 'string' },
  short: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false }
})

async function main (): Promise<number> {
  const kind = kinds.find(kind => kind === values.redis)
  const chosen = faults.filter(({ name, on }) => kind !== undefined && on.includes(kind) && (values.fault === undefined || name === values.fault))
  const numbers = { seconds: values.seconds, seed: values.seed, clients: values.clients, topics: values.topics, rate: values.rate, shards: values.shards ?? '1' }
  if (values.help || kind === undefined || chosen.length === 0 || Object.values(numbers).some(text => !/^[1-9]\d*$/.test(text))) {
    console.log(USAGE)
    return values.help ? 0 : 2
  }
  const seed = Number(values.seed)
  const random = new Choices(seed)
  const shards = values.shards === undefined ? random.pick([1, 3]) : Number(values.shards)
  console.log(`${kind}, seed ${seed}, ${shards} ${shards === 1 ? 'shard' : 'shards'}`)
  const began = Date.now()
  // From when all is up, so that even a short run has a fault.
  let until: number | undefined
  const report = await run({
    kind,
    seed,
    shards,
    clients: Number(values.clients),
    topics: Number(values.topics),
    rate: Number(values.rate),
    long: !values.short,
    next: () => {
      until ??= Date.now() + Number(values.seconds) * 1000
      return Date.now() < until ? random.pick(chosen) : undefined
    },
    say: line => { console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s  ${line}`) }
  })
  console.log('')
  for (const line of reportLines(report)) console.log(line)
  console.log(`seed ${seed}`)
  return report.violations.length === 0 ? 0 : 1
}

// What it has started ends with it: nodes and Redis listen for `exit`.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => { process.exit(130) })
process.exit(await main())
