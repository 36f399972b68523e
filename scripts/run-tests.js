// Runs compiled test files, some at a time, each in a process of its own, and reports them (reporter.js).
// tap's own runner would load a TypeScript compiler into each of them.
//   node scripts/run-tests.js <file of test/…ts> …
import { join } from 'node:path'
import { t as runner } from 'tap'
import { compiled, root } from './prepare.js'
import Reporter from './reporter.js'
import { inOrder, nextFile } from './test-order.js'
import { readTimes } from './test-times.js'

/**
 * The runner fails a test file that takes longer, because it hangs: none takes a tenth of it on an idle
 * machine. A single test may set a shorter limit.
 */
const TIMEOUT_MS = 600_000

/** Files wait for about half of their time, so two cores serve three of them. */
const FILES_AT_ONCE = 3

runner.jobs = FILES_AT_ONCE
// TIMEOUT_MS limits each file; the whole run has no limit.
runner.setTimeout(0)
runner.register()
runner.pipe(new Reporter()).pipe(process.stdout)
const env = { ...process.env, TAP: '1', TAP_TIMEOUT: String(TIMEOUT_MS / 1000) }
const waiting = inOrder(process.argv.slice(2), readTimes())
/** @type {Set<string>} */
const running = new Set()

/** @param {string} name */
function start (name) {
  running.add(name)
  runner.spawn(process.execPath, ['--enable-source-maps', join(root, compiled(name))], {
    at: null,
    stack: '',
    buffered: true,
    timeout: TIMEOUT_MS,
    stdio: 'pipe',
    env,
    name,
    cwd: root,
    externalID: name
  })
}

function fill () {
  while (running.size < FILES_AT_ONCE) {
    const name = nextFile(waiting, running)
    if (name === undefined) break
    start(name)
  }
  if (waiting.length === 0) runner.end()
}

// Before tap itself looks whether anything is left.
runner.on('subtestEnd', file => {
  running.delete(file.name)
  fill()
})
fill()
