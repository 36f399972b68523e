// `npm run check`: runs everything that reads the code without running it. All checks run, so that one run
// shows all failures.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { AT_ONCE, main, prepare, root, say, seconds } from './prepare.js'

const SOURCES = ['src', 'routes', 'plugins', 'packages'].filter(folder => existsSync(join(root, folder)))

/** @type {[name: string, bin: string, ...args: string[]][]} */
const CHECKS = [
  ['lint', 'eslint', '.', '--max-warnings=0'],
  ['types', 'tsc', '-b', 'tsconfig.test.json'],
  ['types of scripts', 'tsc', '--noEmit', '-p', 'scripts'],
  ['types of pages', 'tsc', '--noEmit', '-p', 'packages/dashboard'],
  ['import rules', 'depcruise', ...SOURCES],
  ['unused code', 'knip', '--no-config-hints'],
  ['sizes', process.execPath, join(root, 'scripts', 'sizes.js')],
  ...publishedPackages().map(folder =>
    /** @type {[string, string, string, string]} */ ([`package ${folder}`, 'publint', folder, '--strict'])),
  ...publishedPackages().filter(folder => folder !== '.').map(folder =>
    /** @type {[string, string, ...string[]]} */
    ([`types of ${folder}`, 'attw', '--pack', folder, '--profile', 'esm-only'])),
]

function publishedPackages () {
  return ['.', ...readdirSync(join(root, 'packages')).map(name => join('packages', name))].filter(folder => {
    const file = join(root, folder, 'package.json')
    return existsSync(file) && (folder === '.' || JSON.parse(readFileSync(file, 'utf8')).private !== true)
  })
}

/**
 * Runs one check. Prints its output when it ends, so that the output of two does not mix.
 * @param {[string, string, ...string[]]} check
 * @returns {Promise<boolean>} whether it passed
 */
function check ([name, bin, ...args]) {
  const started = performance.now()
  return new Promise(resolve => {
    const program = isAbsolute(bin) ? bin : join(root, 'node_modules', '.bin', bin)
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const collect = (/** @type {Buffer} */ chunk) => { output += chunk.toString() }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.on('error', error => { output += error.message })
    child.on('close', code => {
      console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${name} (${seconds(started)})`)
      if (code !== 0) console.log(output.trimEnd().replace(/^/gm, '  '))
      resolve(code === 0)
    })
  })
}

await main(prepare)
const started = performance.now()
const queue = [...CHECKS]
let failed = 0
await Promise.all(Array.from({ length: AT_ONCE }, async () => {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    if (!await check(next)) failed++
  }
}))
const all = `${CHECKS.length} checks`
const result = failed === 0 ? `all ${all} passed` : `${failed} of ${all} failed`
say(`${result} (${seconds(started)})`)
process.exitCode = failed === 0 ? 0 : 1
