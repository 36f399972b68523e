import { test } from 'tap'
import { eachOnce, namesOf } from '../faults/ci.js'
import { redisProgram } from '../helpers/redis-server.js'

const options = { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 280_000 }

test('resets tell the clients of lost topics, and nobody else, what Redis lost', options, async t => {
  const report = await eachOnce(t, 'standalone', namesOf('standalone', true), 1)
  t.ok(report.resets.live > 0 && report.resets.byPosition > 0, 'live and resumed connections were told')
  t.ok(report.lost > 0, 'acknowledged messages were lost')
})
