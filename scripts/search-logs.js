// What the servers of a test run have logged, searched for what no log may hold (ADR 23).
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** @type {[what: string, pattern: RegExp][]} */
const FORBIDDEN = [
  ['a token (JWT)', /eyJ[\w-]{6,}\.[\w-]*/],
  ['a query with a credential', /[?&](?:token|ticket)=[^\s"&]/],
  ['a header with a credential', /\bBearer +[\w-]+\.|"(?:authorization|cookie|set-cookie)":/i],
  ["the tests' secret", /a secret for tests only/],
  // Tickets, cookies' values, signatures and cursors are random, and long; ids of connections have no capitals.
  ['something random', /(?<![\w-])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*\d)[\w-]{32,}(?![\w-])/]
]

/** Most findings that are shown. */
const MAX_SHOWN = 20

/**
 * @param {string} folder
 * @returns {{ lines: number, findings: string[] }} each finding with its line, without what was found
 */
export function searchLogs (folder) {
  const findings = []
  let lines = 0
  for (const name of readdirSync(folder)) {
    for (const line of readFileSync(join(folder, name), 'utf8').split('\n')) {
      if (line === '') continue
      lines++
      for (const [what, pattern] of FORBIDDEN) {
        if (pattern.test(line) && findings.length < MAX_SHOWN) findings.push(`${what}: ${line.replace(new RegExp(pattern, pattern.flags + 'g'), '…').slice(0, 1000)}`)
      }
    }
  }
  return { lines, findings }
}
