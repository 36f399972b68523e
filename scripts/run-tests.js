// Runs compiled test files, two at a time, each in a process of its own, and reports them (reporter.js).
// tap's own runner would load a TypeScript compiler into each of them.
//   node scripts/run-tests.js <file of test/…ts> …
import { join } from 'node:path'
import { t as runner } from 'tap'
import { AT_ONCE, compiled, root } from './prepare.js'
import Reporter from './reporter.js'

/** The runner fails a test file that takes longer. A single test in it may set a shorter limit. */
const TIMEOUT_MS = 120_000

runner.jobs = AT_ONCE
// TIMEOUT_MS limits each file; the whole run has no limit.
runner.setTimeout(0)
runner.register()
runner.pipe(new Reporter()).pipe(process.stdout)
const env = { ...process.env, TAP: '1', TAP_TIMEOUT: String(TIMEOUT_MS / 1000) }
for (const name of process.argv.slice(2)) {
  runner.spawn(process.execPath, ['--enable-source-maps', join(root, compiled(name))], {
    at: null, stack: '', buffered: true, timeout: TIMEOUT_MS, stdio: 'pipe', env, name, cwd: root, externalID: name
  })
}
runner.end()
