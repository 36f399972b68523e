import { test } from 'tap'
import { failures, reportLines } from '../fuzz/report.js'
import { fuzz } from '../fuzz/run.js'

const LASTS_MS = 17_000
const CONTROL_MS = 1000
const RATE = 3000

/** A seed that `npm run fuzz -- --seed` repeats. */
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000)

test('every generated input is answered by the protocol, and honest clients lose nothing', { timeout: 200_000 }, async t => {
  t.comment(`seed ${seed}: FUZZ_SEED=${seed} repeats it`)
  const report = await fuzz({
    seed,
    messages: 10_000_000,
    rate: RATE,
    lastsMs: LASTS_MS,
    controlMs: CONTROL_MS,
    say: () => {}
  })
  for (const line of reportLines(report)) t.comment(line)
  t.same(failures(report, false), [], `no fault (seed ${seed})`)
  t.ok(report.coverage.inputs > 2000, 'there were inputs')
})
