import { test } from 'tap'
import { eachOnce, namesOf } from '../faults/ci.js'
import { redisProgram } from '../helpers/redis-server.js'

/** Once Redis is back, all goes on by itself within this time. */
const RECOVERED_MS = 5000

test('what loses nothing is noticed by nobody: every message comes once, in order, without a reset', { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 115_000 }, async t => {
  const report = await eachOnce(t, 'standalone', namesOf('standalone', false), 3)
  t.same(report.resets.seen, {}, 'no reset')
  for (const { name, recoveredMs } of report.faults) if (name.startsWith('redis-')) t.ok(recoveredMs < RECOVERED_MS, `${name}: all went on after ${recoveredMs} ms`)
})
