import { test } from 'tap'
import { runGroups } from './conformance.js'

test('a small client passes the scenarios of refusals and close codes', async t => {
  const { failures, passed } = await runGroups('refusals', 'rejected', 'closing', 'close-codes')
  t.same(failures, [])
  t.ok(passed >= 60, `${passed} have passed`)
})
