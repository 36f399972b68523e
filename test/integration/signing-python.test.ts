import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'tap'
import { ROOT } from '../helpers/root.js'
import { vectors } from '../helpers/signing-vectors.js'

/** The program that `npm test` has found or installed. */
const python = process.env['TEST_PYTHON']

test('the example in Python signs and verifies as the vectors do', {
  skip: python === undefined ? 'there is no Python' : false
}, async t => {
  const script = join(ROOT, 'test/helpers/signing_vectors.py')
  const { counts, failed } = JSON.parse(execFileSync(python!, [script, ROOT], { encoding: 'utf8' })) as {
    counts: Readonly<Record<string, number>>
    failed: readonly string[]
  }
  t.same(failed, [])
  const kinds = ['canonical', 'without_canonical', 'requests', 'orders', 'tampered_requests', 'tampered_orders'] as const
  t.strictSame(counts, Object.fromEntries(kinds.map(kind => [kind, vectors[kind].length])), 'none is left out')
})
