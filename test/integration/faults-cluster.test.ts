import { test } from 'tap'
import { eachOnce } from '../faults/ci.js'
import { redisProgram } from '../helpers/redis-server.js'

/** That are acknowledged, and lost with the master that had not passed them on. */
const LEAST_LOST = 100

test('masters of a Redis Cluster that are replaced, and a slot that moves: every message comes once, in order, or a reset tells of what was lost', { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 115_000 }, async t => {
  const report = await eachOnce(t, 'cluster', ['promoted-by-hand', 'slot-moved', 'master-killed', 'master-killed-unreplicated'], 3)
  t.ok(report.lost >= LEAST_LOST, `${report.lost} acknowledged messages were lost`)
  t.ok(report.resets.live > 0 && report.resets.byPosition > 0, 'live connections and resumed ones were told')
})
