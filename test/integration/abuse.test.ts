import { test } from 'tap'
import { attacks } from '../abuse/attacks.js'
import { abuse, failures, summary } from '../abuse/run.js'

test('bad clients cost honest ones beside them no message and no connection', { timeout: 280_000 }, async t => {
  const report = await abuse({ attacks, quietMs: 100, attackMs: 1200, afterMs: 100, say: () => {} })
  for (const outcome of report.outcomes) t.comment(summary(outcome))
  t.same(failures(report), [], 'each message came once, in order, and the abuser got the answer of the table')
  t.equal(report.outcomes.length, attacks.length)
  t.ok(report.neighbours.published > 500, 'the honest clients were there all along')
})
