import { test } from 'tap'
import { runGroups } from './conformance.js'

test('a small client passes the scenarios of the rule, of resets, and of what it asks for', async t => {
  const { failures, passed } = await runGroups('rule', 'resets', 'unsubscribe', 'options')
  t.same(failures, [])
  t.ok(passed >= 70, `${passed} have passed`)
})
