import { test } from 'tap'
import { redisProgram, RedisServer } from '../helpers/redis-server.js'
import { failures, reportLines } from '../rolling/report.js'
import { rolling } from '../rolling/run.js'

/** A short run; `npm run rolling` is the long one, and takes any REDIS_URL. */
const CLIENTS = 48

test('resets nobody and loses no message when three nodes restart one after another', {
  skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 200_000
}, async t => {
  const redis = await RedisServer.start()
  t.teardown(async () => { await redis.close() })
  const report = await rolling({
    redisUrl: redis.url,
    nodes: 3,
    shards: 4,
    clients: CLIENTS,
    topics: 20,
    rate: 60,
    graceMs: 2000,
    calmMs: 500,
    say: line => {
      t.comment(line)
    }
  })
  for (const line of reportLines(report)) t.comment(line)
  t.same(failures(report, CLIENTS), [])
  t.same(report.exitCodes, [0, 0, 0], 'each node ended in good order')
  t.equal(report.whole, CLIENTS, 'each client got everything, once and in order')
  t.ok(report.before.count > 0 && report.during.count > 0, 'before, and while a node was away')
})
