import { runProgram, text } from '../fleet/program.js'
import { RedisServer } from '../helpers/redis-server.js'
import { failures, reportLines } from './report.js'
import { rolling } from './run.js'

/** `npm run rolling`: see USAGE. */
const USAGE = `usage: npm run rolling -- [--clients 120] [--topics 50] [--rate 100] [--nodes 3] [--shards 4]
                          [--grace 10000] [--calm 10] [--redis <url>]

Nodes on one Redis (one of its own, or that of --redis: any REDIS_URL), clients on all transports and a steady
feed. Each node in turn is ended by SIGTERM and started again. No client may be reset, miss a message, or have one
twice but behind its cursor; a node that is there refuses nobody. The goal for latency is a p99 of those who are
connected within 2 times of that before. Where all runs on one machine, the start of a process takes from it what
the others serve with: that is measured alone too.`

await runProgram({
  usage: USAGE,
  options: {
    clients: text(120),
    topics: text(50),
    rate: text(100),
    nodes: text(3),
    shards: text(4),
    grace: text(10_000),
    calm: text(10),
    redis: { type: 'string' }
  },
  numbers: ['clients', 'topics', 'rate', 'nodes', 'shards', 'grace', 'calm'],
  async run ({ redis: url }, number, say) {
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
        say
      })
      const isLate = report.during.p99 > 2 * report.before.p99
      return {
        lines: [...reportLines(report), ...isLate ? ['above the goal for latency'] : []],
        failures: failures(report, clients)
      }
    } finally {
      await own?.close()
    }
  }
})
