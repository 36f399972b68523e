// `npm test [-- files and folders]` prepares everything that the tests need, then runs the type tests and the
// tests. The last line holds only the counts.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { countsLine } from './counts.js'
import { filesOf, main, prepare, PrepareError, root, say } from './prepare.js'
import { searchLogs } from './search-logs.js'
import { provideServices } from './services.js'

const RECORDINGS = '../shared/recordings'

const USAGE = `usage: npm test [-- <file or folder> …]
  npm test                                    all tests, and the type tests
  npm test -- test/unit                       the tests of a folder
  npm test -- test/integration/head.test.ts   the tests of a file
TAP_GREP=<pattern> runs only the tests whose titles match.`

/** How long tests may take to clean up after an interrupt. */
const INTERRUPT_GRACE_MS = 5_000

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set()
/** @type {NodeJS.Signals | undefined} */
let interruptedBy

/**
 * Runs a program in a process group of its own, so that an interrupt ends also what the tests have started.
 * @param {string} script
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @param {'inherit' | 'pipe'} output where it goes: `pipe` keeps it until it is returned
 * @returns {Promise<{ code: number, text: string }>} its exit code, and what it printed
 */
function runNode (script, args, env, output = 'inherit') {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], {
      cwd: root, env, stdio: ['ignore', output, output], detached: true
    })
    running.add(child)
    let text = ''
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', chunk => { text += String(chunk) })
    child.on('error', reject)
    child.on('close', code => { resolve({ code: code ?? 1, text }) })
  })
}

/** @param {NodeJS.Signals} signal */
function interrupt (signal) {
  if (interruptedBy !== undefined) return
  interruptedBy = signal
  signalAll(signal)
  setTimeout(() => {
    signalAll('SIGKILL')
    process.exit(1)
  }, INTERRUPT_GRACE_MS).unref()
}

/** @param {NodeJS.Signals} signal */
function signalAll (signal) {
  for (const { pid } of running) {
    try {
      if (pid !== undefined) process.kill(-pid, signal)
    } catch {
      // The group has ended.
    }
  }
}

/**
 * Finds the test files that the arguments name, each once; without arguments, all test files.
 * @param {string[]} args files and folders
 */
function testFiles (args) {
  const all = filesOf('test').filter(file => file.endsWith('.test.ts')).sort()
  if (args.length === 0) return all
  return [...new Set(args.flatMap(arg => {
    const path = relative(root, resolve(root, arg))
    const named = all.filter(file => file === path || file.startsWith(`${path}/`) || path === '')
    if (named.length === 0) {
      throw new PrepareError(`${arg} is no test file and no folder with test files. ` +
        'Name one, such as test/unit or test/unit/pings.test.ts.')
    }
    return named
  }))]
}

function hasTypeTests () {
  const folder = join(root, 'test/types')
  return existsSync(folder) && readdirSync(folder).some(name => name.endsWith('.tst.ts'))
}

/**
 * @param {string[]} files
 * @param {NodeJS.ProcessEnv} env
 */
async function runTests (files, env) {
  const folder = mkdtempSync(join(tmpdir(), 'tickwire-test-'))
  const summary = join(folder, 'summary.json')
  const logs = join(folder, 'logs')
  mkdirSync(logs)
  try {
    const { code } = await runNode(
      join(root, 'scripts/run-tests.js'),
      files,
      { ...env, TICKWIRE_TEST_SUMMARY: summary, TEST_LOGS: logs }
    )
    // Without a summary the runner itself failed, and has said why.
    const counts = existsSync(summary)
      ? JSON.parse(readFileSync(summary, 'utf8'))
      : { passed: 0, failed: 1, skipped: 0 }
    judgeLogs(logs, counts)
    return { code, counts }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * Searches the logs of all servers of the run for secrets, and counts that as one test: a log may hold no
 * token, no ticket and nothing random.
 * @param {string} folder
 * @param {{ passed: number, failed: number }} counts
 */
function judgeLogs (folder, counts) {
  const { lines, findings } = searchLogs(folder)
  if (lines === 0) return
  const found = findings.length === 0 ? 'none' : `${findings.length} or more`
  process.stdout.write(`\n${lines} lines of servers' logs searched for secrets: ${found}\n`)
  for (const finding of findings) process.stderr.write(`${finding}\n`)
  if (findings.length === 0) counts.passed++
  else counts.failed++
}

async function test () {
  const args = process.argv.slice(2)
  if (args.includes('--help') || args.includes('-h')) {
    say(USAGE)
    return
  }
  const option = args.find(arg => arg.startsWith('-'))
  if (option !== undefined) throw new PrepareError(`there is no option ${option}.\n${USAGE}`)
  const files = testFiles(args)
  prepare({ tests: true })
  const env = { ...process.env }
  // Unit tests need neither, and a first run should not wait for a browser to be installed.
  if (files.some(file => !file.startsWith('test/unit'))) Object.assign(env, provideServices())
  if (env['RECORDINGS'] === undefined && existsSync(join(root, RECORDINGS))) {
    env['RECORDINGS'] = join(root, RECORDINGS)
  }

  // The type tests count as one test. They run beside the others.
  const typed = args.length === 0 && hasTypeTests()
    ? runNode(join(root, 'node_modules/tstyche/build/bin.js'), [], env, 'pipe')
    : Promise.resolve(undefined)
  const [types, { code, counts }] = await Promise.all([typed, runTests(files, env)])
  if (types !== undefined) process.stdout.write(`\n${types.text.trim()}\n`)
  // What a test left running (a server, a browser) would outlive the run.
  signalAll('SIGKILL')
  if (types?.code === 0) counts.passed++
  else if (types !== undefined) counts.failed++
  // A runner that failed although no test did must not look like success.
  if ((code !== 0 || interruptedBy !== undefined) && counts.failed === 0) counts.failed++

  if (counts.passed + counts.failed === 0) process.stderr.write('\nNo test ran.\n')
  process.stdout.write(`\n${countsLine(counts)}\n`)
  process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, interrupt)
await main(test)
