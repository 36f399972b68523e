import { test } from 'tap'
import { faults } from '../faults/faults.js'
import { runInTest } from '../faults/ci.js'
import { redisProgram } from '../helpers/redis-server.js'

const RANDOM_MS = 30_000
const alone = faults.filter(({ on }) => on.includes('standalone'))

const options = { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 280_000 }

test('no message is missing or comes twice through random faults, one after another', options, async t => {
  let until: number | undefined
  await runInTest(t, 'standalone', 3, ({ random }) => {
    until ??= Date.now() + RANDOM_MS
    return Date.now() < until ? random.pick(alone) : undefined
  })
})
