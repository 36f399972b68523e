import { test } from 'tap'
import { runGroups } from './conformance.js'

test('a small client passes the scenarios of tokens, silence and fallback', async t => {
  const { failures, passed } = await runGroups('tokens', 'life', 'fallback')
  t.same(failures, [])
  t.ok(passed >= 25, `${passed} have passed`)
})
