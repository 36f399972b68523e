import { test } from 'tap'
import { eachOnce, namesOf } from '../faults/ci.js'
import { redisProgram } from '../helpers/redis-server.js'

test('what Redis lost is told by resets, to those and of those topics that it concerns', { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 115_000 }, async t => {
  const report = await eachOnce(t, 'standalone', namesOf('standalone', true), 1)
  t.ok(report.resets.live > 0 && report.resets.byPosition > 0, 'live connections and resumed ones were told')
  t.ok(report.lost > 0, 'acknowledged messages were lost')
})
