import { runProgram, seed, text } from '../fleet/program.js'
import { failures, reportLines } from './report.js'
import { run } from './run.js'

/** `npm run orders`: see USAGE. */
const USAGE = `usage: npm run orders -- [--orders 10000] [--rate 100] [--users 20] [--symbols 10] [--nodes 3] [--shards 4]
                         [--seed N]

Users send orders, each one to five times, over WebSocket and REST, to servers on one Redis that keeps every
write. Meanwhile servers and Redis are killed and started again; a request without an answer is sent again. At
the end each order must be one order: the same in every answer, with one beginning, legal changes and each of
its fills once. Every account must be what its fills say, to the last digit, and nothing that a book displayed
may have been given out twice over all users.

  --rate N   orders a second`

await runProgram({
  usage: USAGE,
  options: {
    orders: text(10_000),
    rate: text(100),
    users: text(20),
    symbols: text(10),
    nodes: text(3),
    shards: text(4),
    seed: seed()
  },
  numbers: ['orders', 'rate', 'users', 'symbols', 'nodes', 'shards', 'seed'],
  async run (_values, number, say) {
    const report = await run({
      seed: number('seed'),
      orders: number('orders'),
      rate: number('rate'),
      users: number('users'),
      symbols: number('symbols'),
      nodes: number('nodes'),
      shards: number('shards'),
      spreadMs: 5000,
      say
    })
    return { lines: reportLines(report), failures: failures(report) }
  }
})
