import { test } from 'tap'
import { eachOnce, namesOf } from '../faults/ci.js'
import { redisProgram } from '../helpers/redis-server.js'

/** The time within which everything goes on by itself once Redis is back. */
const RECOVERED_MS = 5000

const options = { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 280_000 }

test('nobody notices a fault that loses nothing: each message comes once, without a reset', options, async t => {
  const report = await eachOnce(t, 'standalone', namesOf('standalone', false), 3)
  t.same(report.resets.seen, {}, 'no reset')
  for (const { name, recoveredMs } of report.faults) {
    if (name.startsWith('redis-')) {
      t.ok(recoveredMs < RECOVERED_MS, `${name}: everything went on after ${recoveredMs} ms`)
    }
  }
})
