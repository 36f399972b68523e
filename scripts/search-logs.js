// Searches the logs of a test run's servers for what no log may contain (ADR 23).
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** @type {[what: string, pattern: RegExp][]} */
const FORBIDDEN = [
  ['a token (JWT)', /eyJ[\w-]{6,}\.[\w-]*/],
  ['a query with a credential', /[?&](?:token|ticket)=[^\s"&]/],
  ['a header with a credential', /\bBearer +[\w-]+\.|"(?:authorization|cookie|set-cookie)":/i],
  ["the tests' secret", /a secret for tests only/],
  // Tickets, values of cookies, signatures and cursors are long and random; ids of connections have no
  // capitals.
  ['something random', /(?<![\w-])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*\d)[\w-]{32,}(?![\w-])/]
]

/** The most findings to show. */
const MAX_SHOWN = 20

/**
 * Searches the logs in a folder.
 * @param {string} folder
 * @returns {{ lines: number, findings: string[] }} each finding with its line, but without the secret itself
 */
export function searchLogs (folder) {
  const findings = []
  let lines = 0
  for (const name of readdirSync(folder)) {
    for (const line of readFileSync(join(folder, name), 'utf8').split('\n')) {
      if (line === '') continue
      lines++
      for (const [what, pattern] of FORBIDDEN) {
        if (!pattern.test(line) || findings.length >= MAX_SHOWN) continue
        const shown = line.replace(new RegExp(pattern, pattern.flags + 'g'), '…').slice(0, 1000)
        findings.push(`${what}: ${shown}`)
      }
    }
  }
  return { lines, findings }
}
