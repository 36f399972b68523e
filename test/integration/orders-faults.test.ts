import { test } from 'tap'
import { redisProgram } from '../helpers/redis-server.js'
import { breakageNames } from '../orders/breaking.js'
import { failures, reportLines } from '../orders/report.js'
import { run } from '../orders/run.js'

/** A short run; `npm run orders` is the long one. */
const ORDERS = 500
/** A seed that `ORDERS_SEED` repeats. */
const seed = Number(process.env['ORDERS_SEED'] ?? Date.now() % 1_000_000)
const SHOWN = 20

test('each order is one order while servers and Redis are killed', {
  skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 200_000
}, async t => {
  t.comment(`seed ${seed}: ORDERS_SEED=${seed} repeats it`)
  const report = await run({
    seed,
    nodes: 2,
    shards: 3,
    orders: ORDERS,
    users: 10,
    symbols: 5,
    rate: 50,
    spreadMs: 3000,
    say: line => { t.comment(line) }
  })
  for (const line of reportLines(report)) t.comment(line)
  t.same(failures(report).slice(0, SHOWN), [], `nothing is wrong (seed ${seed})`)
  t.ok(report.orders >= ORDERS && report.copies > 2 * ORDERS, 'each was sent, and most of them several times')
  t.same([...report.broken.keys()].sort(), [...breakageNames].sort(), 'each kind of thing was broken')
})
