import { mkdirSync } from 'node:fs'
import { languages, type ThirdPartyClient } from './clients.js'
import type { NotRun } from './report.js'
import type { Contest } from './run.js'
import { install, type Say, Unavailable } from './toolchains.js'

/** The exit code where all that ran hold, and some did not run. */
const NOT_ALL_RUN = 3

/**
 * Installs what the clients need. A client whose language is not available here does not run, and the reason
 * is returned.
 */
export async function prepareContests (
  clients: readonly ThirdPartyClient[],
  cache: string,
  say: Say
): Promise<{ contests: Contest[], notRun: NotRun[] }> {
  const contests: Contest[] = []
  const notRun: NotRun[] = []
  mkdirSync(cache, { recursive: true })
  for (const language of languages) {
    const some = clients.filter(client => client.language === language)
    if (some.length === 0) continue
    try {
      const programOf = await install(language, cache, say)
      for (const client of some) contests.push({ client, program: programOf(client) })
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error
      for (const client of some) notRun.push({ client, reason: error.message })
    }
  }
  return { contests, notRun }
}

/** Nothing that did not run is a success. */
export function exitCode (ran: number, failed: number, notRun: number): number {
  if (failed > 0 || ran === 0) return 1
  return notRun > 0 ? NOT_ALL_RUN : 0
}
