import { test } from 'tap'
import { eachOnce, namesOf } from '../faults/ci.js'
import { redisProgram } from '../helpers/redis-server.js'

const options = { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 280_000 }

/** How long everything takes to go on is in the report of `npm run faults`; here, that it does. */
test('nobody notices a fault that loses nothing: each message comes once, without a reset', options, async t => {
  const report = await eachOnce(t, 'standalone', namesOf('standalone', false), 3)
  t.same(report.resets.seen, {}, 'no reset')
})
