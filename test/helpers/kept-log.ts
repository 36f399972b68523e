import { openSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The folder that `npm test` searches at its end for secrets (scripts/search-logs.js); undefined outside of
 * `npm test`.
 */
const folder = process.env['TEST_LOGS']
let file: number | undefined

/** What the command shows in its terminal, and may show nowhere else. */
const LINK = /^ {2}https?:\/\/\S+\/#code=\S+\n/gm

/** Keeps what a server has logged for that search. */
export function keepLog (text: string): void {
  if (folder === undefined) return
  file ??= openSync(join(folder, `${process.pid}.log`), 'a')
  writeSync(file, text.replace(LINK, ''))
}

const FAILURE = /"level":[56]0/

/** Where a server of a test writes its log: it is kept, and what went wrong is shown. */
export const keptLog = {
  write (line: string): void {
    keepLog(line)
    if (FAILURE.test(line)) process.stdout.write(line)
  }
}
