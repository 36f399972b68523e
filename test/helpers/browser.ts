import { type Browser, chromium } from 'playwright-core'
import type { Test } from 'tap'

/** The program that `npm test` has found or installed. */
export const browserProgram = process.env['TEST_CHROMIUM']

/** Options of a test that needs a browser. */
export const inBrowser = { skip: browserProgram === undefined ? 'there is no Chromium' : false, timeout: 60_000 } as const

/** A Chromium that asks nobody but the test's server. */
export async function launchBrowser (t: Test): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: browserProgram!,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
  })
  t.teardown(async () => { await browser.close() })
  return browser
}
