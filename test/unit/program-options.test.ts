import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'tap'
import { ROOT } from '../helpers/root.js'

for (const program of ['faults', 'soak', 'fuzz', 'abuse', 'rolling', 'orders', 'clients', 'chaos']) {
  test(`npm run ${program} names the option that a misspelt one resembles, and prints its usage`, t => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [join(ROOT, `dist/test/${program}/main.js`), '--secnods', '5'],
      { encoding: 'utf8' }
    )
    t.equal(status, 2)
    t.match(stderr, /^there is no option --secnods; .*there are: /i)
    t.match(stderr, new RegExp(`\n\nusage: npm run ${program} -- `))
    t.notMatch(stderr, / at .*\.js/, 'no stack trace')
    t.end()
  })
}
