import { fileURLToPath } from 'node:url'
import { runCommand } from '../helpers/command.js'

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
  const patience = flags.includes('--patience') ? [] : ['--patience', PATIENCE_SECONDS]
  const { code, out, err } = await runCommand(['conformance', '--json', ...patience, ...flags, '--',
    ...driver])
  if (err !== '') throw new Error(err)
  const lines = out.trim().split('\n').map(line => JSON.parse(line) as Outcome)
  return { code, outcomes: lines.slice(0, -1) }
}

/** Runs whole groups, and returns what failed and how many passed. */
export async function runGroups (...groups: string[]): Promise<{ failures: string[], passed: number }> {
  const { outcomes } = await runSmallClient(groups.flatMap(group => ['--only', group]))
  const failures = outcomes.filter(({ ok }) => !ok)
    .map(({ scenario, transports, why }) => `${scenario} (${transports.join('+')}): ${why}`)
  return { failures, passed: outcomes.length - failures.length }
}
