import { fileURLToPath } from 'node:url'

/** A client that goes through the chaos runs, behind its driver. */
export interface ChaosClient {
  readonly name: string
  /** A command for a shell, in the project's folder. */
  readonly command: string
  /** Too many of its processes side by side overload a machine. */
  readonly isHeavy?: true
}

const PLAIN = fileURLToPath(new URL('plain/driver.js', import.meta.url))
const JAVASCRIPT = fileURLToPath(new URL('../drivers/node-driver.js', import.meta.url))
const BROWSER = fileURLToPath(new URL('../drivers/browser-driver.js', import.meta.url))
const hasChromium = process.env['TEST_CHROMIUM'] !== undefined

/** @param broken what it does wrong on purpose, see plain/broken.ts */
export const plainDriver = (...broken: readonly string[]): string =>
  ['node', '--enable-source-maps', PLAIN, ...broken].join(' ')

const browser: ChaosClient = {
  name: 'browser', command: ['node', '--enable-source-maps', BROWSER].join(' '), isHeavy: true
}

/** A line for each; the tests run each of them through everything. */
export const chaosClients: readonly ChaosClient[] = [
  { name: 'plain', command: plainDriver() },
  { name: 'javascript', command: ['node', '--enable-source-maps', JAVASCRIPT].join(' ') },
  ...(hasChromium ? [browser] : [])
]
