import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** Makes a folder that is removed when the test has ended, after what the test starts later has closed. */
export function temporaryFolder (t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'tickwire-test-'))
  t.teardown(() => { rmSync(path, { recursive: true, force: true }) })
  return path
}
