// Makes a clone runnable: installs packages, builds TypeScript. Written in JavaScript on Node alone, because
// it runs before anything is installed.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, gzipSync } from 'node:zlib'

export const root = fileURLToPath(new URL('..', import.meta.url))

/** How many checks run at once: the smallest machine that this project supports has two cores. */
export const AT_ONCE = 2

const INSTALL_STAMP = join(root, 'node_modules', '.tickwire-install')
const BUILD_STAMP = join(root, 'dist', '.tickwire-build')
const TESTS_STAMP = join(root, 'dist', '.tickwire-tests')
const TESTS_STATE = join(root, 'dist', '.tsbuildinfo-test')
/** What of the server's pages is built by a bundler of their own, and where it goes. */
const PAGES = 'packages/dashboard'
const PAGES_OUTPUT = join(root, 'dist', 'dashboard')
const PAGES_STAMP = join(root, 'dist', '.tickwire-pages')
/** Smaller ones are not worth a second file. */
const COMPRESSED_FROM_BYTES = 1024
const VITE = join(root, 'node_modules/vite/bin/vite.js')
const TSC = join(root, 'node_modules/typescript/bin/tsc')
/** A program of its own or a script, as npm found best for this machine: so it is not given to Node. */
const ESBUILD = join(root, 'node_modules/.bin/esbuild')
const BUILT_FOLDERS = ['src', 'routes', 'plugins']
/** Modules that are served with all that they import, as one file: browsers know no packages. */
const BUNDLED_FILES = ['routes/page/assets/client.js']
/** Files outside the built folders that the server serves as they are. */
const SERVED_FILES = ['PROTOCOL.md']

/** A failure whose message says all that its reader needs; it is printed without a stack. */
export class PrepareError extends Error {}

/**
 * Installs and builds what is missing or stale, and says so in one line on stderr (stdout is for the server's
 * log).
 * @param {{ tests?: boolean }} [options] tests: whether to compile the tests, too
 */
export function prepare ({ tests = false } = {}) {
  const started = performance.now()
  requireNode()
  const steps = [install(), build(), buildPages(), tests ? buildTests() : undefined]
  const done = steps.filter(step => step !== undefined)
  const total = seconds(started)
  say(done.length === 0 ? `up to date (checked in ${total})` : `${done.join(', ')} (${total})`)
}

/** Returns the path of a source file's compiled form: dist/test/soak/main.js for test/soak/main.ts. */
export function compiled (file) {
  return join('dist', file.replace(/\.ts$/, '.js'))
}

/** Runs the body of a script; turns a PrepareError into one line and exit code 1. */
export async function main (body) {
  try {
    await body()
  } catch (error) {
    if (!(error instanceof PrepareError)) throw error
    say(error.message)
    process.exit(1)
  }
}

export function say (line) {
  process.stderr.write(`tickwire: ${line}\n`)
}

/** Returns the time since `started` (a time of performance.now()), in a form for people. */
export function seconds (started) {
  const ms = performance.now() - started
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}

function requireNode () {
  const wanted = readJson('package.json').engines.node.replace('>=', '')
  const [major, minor] = wanted.split('.').map(Number)
  const [haveMajor, haveMinor] = process.versions.node.split('.').map(Number)
  if (haveMajor > major || (haveMajor === major && haveMinor >= minor)) return
  throw new PrepareError(`Node ${wanted} or newer is needed; this is ${process.versions.node}.`)
}

function install () {
  const lock = read('package-lock.json')
  // Packages with native parts differ by platform, so a node_modules that was copied from another platform is
  // stale.
  const stamp = createHash('sha256').update(lock).update(process.platform + process.arch).digest('hex')
  if (readOrEmpty(INSTALL_STAMP) === stamp) return undefined
  if (installedByHand(JSON.parse(lock))) {
    writeFileSync(INSTALL_STAMP, stamp)
    return undefined
  }
  const started = performance.now()
  say('installing packages (npm ci), about half a minute…')
  // include=dev: the build needs TypeScript even if NODE_ENV=production.
  const npm = run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'])
  if (npm.error) throw new PrepareError(`npm did not start (${npm.error.message}); install Node with npm.`)
  if (npm.status !== 0) throw new PrepareError('npm ci failed, see above; nothing runs without packages.')
  writeFileSync(INSTALL_STAMP, stamp)
  return `installed packages in ${seconds(started)}`
}

/**
 * Tells whether somebody's own `npm install` left exactly what the lock asks for; `npm ci` would delete it
 * and fetch it again.
 */
function installedByHand (lock) {
  const text = readOrEmpty(join(root, 'node_modules', '.package-lock.json'))
  if (text === '') return false
  const installed = JSON.parse(text).packages
  return Object.entries(lock.packages).every(([path, wanted]) => {
    if (!path.includes('node_modules/') || wanted.optional || wanted.devOptional) return true
    return installed[path]?.version === wanted.version && installed[path]?.integrity === wanted.integrity
  })
}

function build () {
  const sources = [...sourceFiles()].sort()
  const stamp = sources.map(identity).join('\n')
  const before = readOrEmpty(BUILD_STAMP)
  if (stamp === before && outputs().every(existsSync)) return undefined
  const started = performance.now()
  const removed = before.split('\n').some(line => line !== '' && !existsSync(join(root, line.split(' ')[0])))
  // tsc leaves the output of a deleted source behind, where an import would still find it.
  if (removed || !outputs().every(existsSync)) {
    for (const folder of outputs()) rmSync(folder, { recursive: true, force: true })
  }
  const tsc = run(process.execPath, [TSC, '-b', 'tsconfig.build.json'])
  if (tsc.status !== 0) throw new PrepareError('the build failed, see the errors above.')
  for (const file of sources.filter(isAsset)) {
    if (BUNDLED_FILES.includes(file)) bundle(file)
    else copyAsset(file)
  }
  // npm makes a command executable only once, when it links it; a new build is not executable.
  for (const file of Object.values(readJson('package.json').bin)) chmodSync(join(root, file), 0o755)
  mkdirSync(dirname(BUILD_STAMP), { recursive: true })
  writeFileSync(BUILD_STAMP, stamp)
  return `built in ${seconds(started)}`
}

/** Bundles the pages, after the packages that they use, and compresses what is served. */
function buildPages () {
  const used = packages().flatMap(folder => filesOf(join(folder, 'src')))
  const inputs = filesOf(PAGES).concat(used, 'package-lock.json')
  const stamp = inputs.map(identity).join('\n')
  if (stamp === readOrEmpty(PAGES_STAMP) && existsSync(PAGES_OUTPUT)) return undefined
  const started = performance.now()
  const options = ['--config', join(PAGES, 'vite.config.js'), '--logLevel', 'warn']
  const vite = run(process.execPath, [VITE, 'build', PAGES, ...options])
  if (vite.status !== 0) throw new PrepareError('the pages could not be built, see the errors above.')
  for (const file of filesOf('dist/dashboard/assets').map(file => join(root, file))) {
    const content = readFileSync(file)
    if (content.length < COMPRESSED_FROM_BYTES) continue
    writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }))
    writeFileSync(`${file}.br`, brotliCompressSync(content))
  }
  writeFileSync(PAGES_STAMP, stamp)
  return `built the pages in ${seconds(started)}`
}

/**
 * Compiles the tests into dist/test, beside the code that they import. tsc finds out by itself what has
 * changed.
 */
function buildTests () {
  const inputs = filesOf('test').concat('tsconfig.json', 'tsconfig.test.json', 'package-lock.json')
  const stamp = inputs.map(identity).join('\n') + readOrEmpty(BUILD_STAMP)
  if (stamp === readOrEmpty(TESTS_STAMP)) return undefined
  const started = performance.now()
  const output = join(root, 'dist', 'test')
  // tsc leaves the output of a deleted test behind. Without its state file, tsc compiles everything again.
  const hasSource = file => existsSync(join(root, relative('dist', file).replace(/\.js$/, '.ts')))
  if (existsSync(output) && filesOf('dist/test').some(file => file.endsWith('.js') && !hasSource(file))) {
    rmSync(output, { recursive: true })
    rmSync(TESTS_STATE, { force: true })
  }
  const tsc = run(process.execPath, [TSC, '-b', 'tsconfig.test.json'])
  if (tsc.status !== 0) throw new PrepareError('the tests do not compile, see the errors above.')
  writeFileSync(TESTS_STAMP, stamp)
  return `built the tests in ${seconds(started)}`
}

function identity (file) {
  const { mtimeMs, size } = statSync(join(root, file))
  return `${file} ${size} ${mtimeMs}`
}

function packages () {
  return readdirSync(join(root, 'packages')).map(name => join('packages', name))
    .filter(folder => folder !== PAGES && existsSync(join(root, folder, 'tsconfig.json')))
}

function outputs () {
  return ['dist', ...packages().map(folder => join(folder, 'dist'))].map(folder => join(root, folder))
}

function * sourceFiles () {
  for (const folder of [...BUILT_FOLDERS, ...packages().map(name => join(name, 'src'))]) {
    if (existsSync(join(root, folder))) yield * filesOf(folder)
  }
  for (const folder of packages()) {
    yield join(folder, 'tsconfig.json')
    yield join(folder, 'package.json')
  }
  yield * SERVED_FILES
  yield * ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json']
}

/** Returns all files below a folder of the project, as paths in the project. */
export function filesOf (folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile()).map(entry => relative(root, join(entry.parentPath, entry.name)))
}

/**
 * Tells whether a file is copied as it is, like the Redis scripts, which their module reads from beside
 * itself.
 */
function isAsset (file) {
  if (SERVED_FILES.includes(file)) return true
  return BUILT_FOLDERS.some(folder => file.startsWith(`${folder}/`)) && !file.endsWith('.ts')
}

function copyAsset (file) {
  cpSync(join(root, file), join(root, 'dist', file))
}

/** Bundles a module. It stays readable, for those who want to know how the page is made. */
function bundle (file) {
  const output = `--outfile=${join('dist', file)}`
  const options = ['--bundle', '--format=esm', '--target=es2022', '--log-level=warning', output]
  if (run(ESBUILD, [file, ...options]).status !== 0) throw new PrepareError(`${file} could not be bundled.`)
}

function run (command, args) {
  // stdout goes to stderr, so that a program can read what the caller prints on stdout.
  return spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] })
}

function readJson (file) {
  return JSON.parse(read(file))
}

function read (file) {
  return readFileSync(join(root, file), 'utf8')
}

function readOrEmpty (path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(prepare)
