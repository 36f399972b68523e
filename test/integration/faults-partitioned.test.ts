import { test } from 'tap'
import { eachOnce } from '../faults/ci.js'
import { redisProgram } from '../helpers/redis-server.js'

const options = { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 280_000 }

for (const kind of ['sentinel', 'cluster'] as const) {
  test(`${kind}: a node left with an old master takes back what that took, and nothing else`, options, async t => {
    const report = await eachOnce(t, kind, ['partitioned'], 1)
    t.ok(report.lost > 0, `${report.lost} acknowledged messages were lost`)
    t.ok(report.resets.live > 0, 'live connections were told')
  })
}
