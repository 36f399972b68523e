import { test } from 'tap'
import { runGroups } from './conformance.js'

test('a small client passes the scenarios of cuts, cursors and epochs', async t => {
  const { failures, passed } = await runGroups('cuts', 'cursors', 'epochs')
  t.same(failures, [])
  t.ok(passed >= 60, `${passed} have passed`)
})
