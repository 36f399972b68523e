/** `npm run bench -- <name>`: builds what is out of date, and runs one bench. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { main, prepare } from '../scripts/prepare.js'

/** Files that benches share. */
const HELPERS = ['run', 'report', 'redis']

const [name = '', ...rest] = process.argv.slice(2)
const file = new URL(`${name}.js`, import.meta.url)
if (!/^[a-z-]+$/.test(name) || HELPERS.includes(name) || !existsSync(file)) {
  const names = readdirSync(new URL('.', import.meta.url))
    .filter(entry => entry.endsWith('.js'))
    .map(entry => entry.slice(0, -3))
    .filter(entry => !HELPERS.includes(entry))
  console.error(`usage: npm run bench -- <name>; the names are: ${names.join(', ')}`)
  process.exit(name === '' || name === '--help' ? 0 : 2)
}
await main(prepare)
process.exitCode = spawnSync(process.execPath, [file.pathname, ...rest], { stdio: 'inherit' }).status ?? 1
