import type { ThirdPartyClient } from './clients.js'
import type { Result } from './run.js'
import { versionOf } from './toolchains.js'

export interface NotRun {
  readonly client: ThirdPartyClient
  readonly reason: string
}

const HEAD = ['client', 'version', 'over', 'resumed by itself', 'by cursor', 'duplicates', 'gaps', 'lost', 'broke off when quiet', 'longest text', 'result']

/** A table in Markdown that can be read as it is. */
export function table (results: readonly Result[], notRun: readonly NotRun[]): string[] {
  const rows = [
    ...results.map(({
      client, byLibrary, byProgram, duplicates, gaps, missing, ownBreaks, longest, faults
    }) => [
      nameOf(client),
      versionOf(client),
      client.wire,
      byLibrary,
      byProgram,
      duplicates,
      gaps,
      missing,
      ownBreaks.length,
      longest,
      faults.length === 0 ? 'holds' : 'FAILED'
    ].map(String)),
    ...notRun.map(({ client }) => [nameOf(client), versionOf(client), client.wire, ...Array<string>(7).fill(''), 'not run'])
  ]
  const widths = HEAD.map((title, column) => Math.max(title.length, ...rows.map(row => row[column]!.length)))
  const line = (cells: readonly string[]): string => `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`
  return [line(HEAD), line(widths.map(width => '-'.repeat(width))), ...rows.map(line)]
}

/** The library as its registry names it. */
const nameOf = ({ language, library, name }: ThirdPartyClient): string => library === undefined ? `${name} (${language})` : `${library} (${language})`
