import { test } from 'tap'
import { eachOnce } from '../faults/ci.js'
import { redisProgram } from '../helpers/redis-server.js'

/** Acknowledged messages that are lost with a master that had not passed them on. */
const LEAST_LOST = 100

const options = { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 280_000 }

test('Sentinels replace masters: each message comes once, or a reset says so', options, async t => {
  const report = await eachOnce(
    t,
    'sentinel',
    ['master-killed', 'master-killed-unreplicated', 'promoted-by-sentinels'],
    2
  )
  t.ok(report.lost >= LEAST_LOST, `${report.lost} acknowledged messages were lost`)
  t.ok(report.resets.live > 0 && report.resets.byPosition > 0, 'live and resumed connections were told')
})
