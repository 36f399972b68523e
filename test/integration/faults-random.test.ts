import { test } from 'tap'
import { faults } from '../faults/faults.js'
import { runInTest } from '../faults/ci.js'
import { redisProgram } from '../helpers/redis-server.js'

const RANDOM_MS = 30_000

test('faults at random, one after another', { skip: redisProgram === undefined ? 'there is no Redis' : false, timeout: 115_000 }, async t => {
  let until: number | undefined
  await runInTest(t, 3, ({ random }) => {
    until ??= Date.now() + RANDOM_MS
    return Date.now() < until ? random.pick(faults) : undefined
  })
})
