import { test } from 'tap'
import { runGroups } from './conformance.js'

test('a small client passes the scenarios of frames, events and polls', async t => {
  const { failures, passed } = await runGroups('frames', 'messages', 'event-stream', 'polling')
  t.same(failures, [])
  t.ok(passed >= 30, `${passed} have passed`)
})
