import { programOptions } from '../helpers/program-options.js'
import { RedisServer } from '../helpers/redis-server.js'
import { failures, reportLines } from './report.js'
import { rolling } from './run.js'

/** `npm run rolling`: see USAGE. The exit code is 1 where something does not hold. */
const USAGE = `usage: npm run rolling -- [--clients 120] [--topics 50] [--rate 100] [--nodes 3] [--shards 4] [--grace 10000] [--calm 10] [--redis <url>]

Nodes on one Redis (one of its own, or that of --redis: any REDIS_URL), clients on all transports and a steady feed. Each node in turn is
ended by SIGTERM and started again. No client may be reset, miss a message, or have one twice but behind its cursor; a node that is
there refuses nobody. The goal for latency is a p99 of those who are connected within 2 times of that before. Where all runs on one
machine, the start of a process takes from it what the others serve with: that is measured alone too.`

const text = (value: string) => ({ type: 'string', default: value } as const)
const values = programOptions(USAGE, {
  clients: text('120'), topics: text('50'), rate: text('100'), nodes: text('3'), shards: text('4'), grace: text('10000'), calm: text('10'), redis: { type: 'string' }, help: { type: 'boolean', default: false }
})

async function main (): Promise<number> {
  const { redis: url, help, ...given } = values
  if (help || Object.values(given).some(value => !/^[1-9]\d{0,6}$/.test(value))) {
    console.log(USAGE)
    return help ? 0 : 2
  }
  const number = (name: keyof typeof given): number => Number(given[name])
  const own = url === undefined ? await RedisServer.start() : undefined
  const clients = number('clients')
  try {
    const report = await rolling({
      redisUrl: url ?? own!.url,
      nodes: number('nodes'),
      shards: number('shards'),
      clients,
      topics: number('topics'),
      rate: number('rate'),
      graceMs: number('grace'),
      calmMs: number('calm') * 1000,
      say: line => { console.log(line) }
    })
    for (const line of reportLines(report)) console.log(line)
    const failed = failures(report, clients)
    for (const line of failed.slice(0, 20)) console.log(`FAILED ${line}`)
    console.log(failed.length === 0 ? 'holds' : `${failed.length} failures`)
    if (report.during.p99 > 2 * report.before.p99) console.log('above the goal for latency')
    return failed.length === 0 ? 0 : 1
  } finally {
    await own?.close()
  }
}

// What it has started ends with it: nodes and Redis listen for `exit`.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => { process.exit(130) })
process.exit(await main())
