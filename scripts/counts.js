/**
 * Returns the line that ends every test run; `.ci/run` reads it.
 * @param {{ passed: number, failed: number, skipped: number }} counts
 */
export function countsLine ({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}
