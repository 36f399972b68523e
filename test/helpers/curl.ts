import { execFile, spawnSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { temporaryFolder } from './temporary-folder.js'

/** As much of curl as the commands of the console use, for machines without it. */
const SMALL_CURL = `#!/usr/bin/env node
const [headers, init, rest] = [{}, {}, process.argv.slice(2)]
let url
while (rest.length > 0) {
  const option = rest.shift()
  if (option === '-H') {
    const [, name, value] = /^([^:]*): *(.*)$/.exec(rest.shift())
    headers[name] = value
  } else if (option === '-d') Object.assign(init, { body: rest.shift(), method: init.method ?? 'POST' })
  else if (option === '-X') init.method = rest.shift()
  else if (!option.startsWith('-')) url = option
}
fetch(url, { ...init, headers }).then(answer => answer.text()).then(text => process.stdout.write(text))
`

/** Runs a command of a shell that calls curl. @returns what it prints */
export async function runCurl (t: Test, command: string, env: Record<string, string>): Promise<string> {
  let path = process.env['PATH'] ?? ''
  if (spawnSync('curl', ['--version']).error !== undefined) {
    const folder = temporaryFolder(t)
    writeFileSync(join(folder, 'curl'), SMALL_CURL)
    chmodSync(join(folder, 'curl'), 0o755)
    path = `${folder}:${path}`
  }
  const { stdout } = await promisify(execFile)('bash', ['-c', command], { env: { ...process.env, ...env, PATH: path } })
  return stdout
}
