import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import { runCommand } from '../helpers/command.js'
import { PACKAGE, providePython } from '../helpers/python-client.js'

const NODE_DRIVER = fileURLToPath(new URL('../drivers/node-driver.js', import.meta.url))
const SMALL_CLIENT = fileURLToPath(new URL('small-client.js', import.meta.url))

/** Long enough for a machine that is busy beside this. */
const PATIENCE_SECONDS = '90'

export interface Outcome {
  readonly scenario: string
  readonly transports: string[]
  readonly ok: boolean
  readonly why?: string
}

/** Runs scenarios against the small client, with a fault built in or without one. */
export async function runSmallClient (
  flags: readonly string[], fault?: string
): Promise<{ code: number | null, outcomes: Outcome[] }> {
  const driver = [process.execPath, SMALL_CLIENT, ...fault === undefined ? [] : ['--fault', fault]]
  return await runDriver(driver, flags)
}

async function runDriver (
  driver: readonly string[], flags: readonly string[]
): Promise<{ code: number | null, outcomes: Outcome[] }> {
  const patience = flags.includes('--patience') ? [] : ['--patience', PATIENCE_SECONDS]
  const { code, out, err } = await runCommand(['conformance', '--json', ...patience, ...flags, '--',
    ...driver])
  if (err !== '') throw new Error(err)
  const lines = out.trim().split('\n').map(line => JSON.parse(line) as Outcome)
  return { code, outcomes: lines.slice(0, -1) }
}

/** The drivers of the project's own clients, each as a command; or why there is none. */
const clients: Readonly<Record<string, () => Promise<readonly string[] | string>>> = {
  JavaScript: async () => [process.execPath, '--enable-source-maps', NODE_DRIVER],
  Python: async () => {
    const python = await providePython()
    if ('missing' in python) return python.missing
    return ['env', `PYTHONPATH=${join(PACKAGE, 'src')}`, python.program, '-m', 'tickwire.driver']
  }
}

/** Declares a test for each client: it passes all scenarios of these groups. */
export function testClients (groups: readonly string[], least: number): void {
  for (const [name, provide] of Object.entries(clients)) {
    test(`the client in ${name} passes the scenarios of ${groups.join(', ')}`, async t => {
      const driver = await provide()
      if (typeof driver === 'string') {
        t.pass(driver, { skip: driver })
        return
      }
      const { outcomes } = await runDriver(driver, groups.flatMap(group => ['--only', group]))
      const failures = outcomes.filter(({ ok }) => !ok)
        .map(({ scenario, transports, why }) => `${scenario} (${transports.join('+')}): ${why}`)
      t.same(failures, [])
      t.ok(outcomes.length >= least, `${outcomes.length} were played`)
    })
  }
}
