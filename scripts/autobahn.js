// `npm run autobahn`: runs the Autobahn test suite against an echo on this server's WebSocket stack. It needs
// Python 2.7, and once PyPI, to install `autobahntestsuite`.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { main, prepare, PrepareError, say, seconds } from './prepare.js'
import { passSignals } from './program.js'

const USAGE = `usage: npm run autobahn -- [--cases 1.*,9.*] [--python path]

Runs the fuzzing client of autobahntestsuite (PyPI, Python 2.7) against an echo route with the options of
plugins/wires.ts. The exit code is 1 if a case failed, or if the suite cannot be installed or run; the
output says which.`

/** The last release for Python 2.7 whose parts install without a compiler. */
const PACKAGES = ['autobahntestsuite==0.8.2']
const CACHE = join(tmpdir(), `tickwire-autobahn-${process.getuid?.() ?? 0}`)
/** The suite sends messages of up to 16 MiB. */
const MAX_MESSAGE_BYTES = 32 * 1024 * 1024
const PASSED = new Set(['OK', 'NON-STRICT', 'INFORMATIONAL', 'UNIMPLEMENTED'])

const values = readOptions()

/** Reads the options. If one is unknown, prints which one and the usage, and ends the program. */
function readOptions () {
  try {
    return parseArgs({
      options: {
        cases: { type: 'string', default: '*' },
        python: { type: 'string' },
        help: { type: 'boolean', default: false }
      }
    }).values
  } catch (error) {
    console.error(`tickwire: ${/** @type {Error} */ (error).message}\n${USAGE}`)
    process.exit(2)
  }
}

/** Prints the path of the interpreter if it is a Python 2.7. */
const IS_PYTHON_2_7 = 'import sys; sys.stdout.write(sys.executable if sys.version_info[:2] == (2, 7) else "")'

/** Returns the path of a Python 2.7. @throws PrepareError */
function findPython () {
  const onPath = ['python2.7', 'python2', 'pypy', 'pypy2', 'python']
  const candidates = values.python === undefined ? onPath : [values.python]
  for (const name of candidates) {
    const env = { ...process.env, PYENV_VERSION: pyenvVersion() }
    const { status, stdout } = spawnSync(name, ['-c', IS_PYTHON_2_7], { encoding: 'utf8', env })
    if (status === 0 && stdout !== '') return stdout
  }
  throw new PrepareError('Python 2.7 is needed, and none is on PATH (python2.7, python2, pypy): ' +
    'Debian 11 has it as python2.7, pyenv builds it, https://pypy.org has one that needs no installation. ' +
    'Give its path with --python. The suite has no release for Python 3.')
}

/** Returns a version for pyenv's command, which does nothing unless a version is chosen. */
function pyenvVersion () {
  const { stdout } = spawnSync('pyenv', ['versions', '--bare'], { encoding: 'utf8' })
  return stdout?.split('\n').find(version => version.startsWith('2.7')) ?? process.env.PYENV_VERSION ?? ''
}

/**
 * Installs the suite, unless it is there already, and returns its folder.
 * @param {string} python
 */
function installSuite (python) {
  const folder = join(CACHE, 'packages')
  if (existsSync(join(folder, 'autobahntestsuite'))) return folder
  const started = performance.now()
  say(`installing ${PACKAGES.join(' ')} from PyPI…`)
  mkdirSync(CACHE, { recursive: true })
  const options = ['--disable-pip-version-check', '--quiet', '--target', folder]
  const pip = spawnSync(python, ['-m', 'pip', 'install', ...options, ...PACKAGES], { encoding: 'utf8' })
  if (pip.status !== 0) {
    rmSync(folder, { recursive: true, force: true })
    const output = (pip.stderr || String(pip.error)).trimEnd().split('\n').slice(-15).join('\n')
    throw new PrepareError(`pip could not install ${PACKAGES.join(' ')}:\n${output}`)
  }
  say(`installed (${seconds(started)})`)
  return folder
}

/** Starts the WebSocket stack of the stream under a route that sends back whatever it gets. */
async function startEcho () {
  const { default: Fastify } = await import('fastify')
  const { wires } = await import(new URL('../dist/plugins/wires.js', import.meta.url).href)
  const extensions = new URL('../dist/src/transports/ws/extensions.js', import.meta.url)
  const { agreedExtension } = await import(extensions.href)
  const app = Fastify({ logger: { level: 'warn' } })
  await app.register(wires, {
    originAllowed: () => true, listedOrigins: new Set(), maxMessageBytes: MAX_MESSAGE_BYTES, compression: true
  })
  await app.register(async scope => {
    scope.get('/', {
      websocket: true,
      config: { transportOf: () => 'websocket' },
      // As routes/stream.ts does: agrees only to what shared frames fit.
      preValidation: async (/** @type {import('fastify').FastifyRequest} */ { raw }) => {
        const extension = agreedExtension(raw.headers['sec-websocket-extensions'])
        if (extension === undefined) delete raw.headers['sec-websocket-extensions']
        else raw.headers['sec-websocket-extensions'] = extension
      }
    }, (/** @type {import('@fastify/websocket').WebSocket} */ socket) => {
      socket.on('error', () => {})
      socket.on('message', (data, binary) => { socket.send(data, { binary }) })
    })
  })
  // The suite sends 4 MiB in fragments of 64 bytes. A stream's clients never do, and `ws` would refuse it by
  // default.
  const server = /** @type {unknown} */ (app.websocketServer)
  const { options } = /** @type {{ options: { maxFragments: number, maxBufferedChunks: number } }} */ (server)
  options.maxFragments = options.maxBufferedChunks = MAX_MESSAGE_BYTES
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { app, port: /** @type {import('node:net').AddressInfo} */ (app.server.address()).port }
}

/**
 * Runs the suite, and returns its report by case.
 * @param {string} python
 * @param {string} packages
 * @param {number} port
 */
async function runSuite (python, packages, port) {
  const outdir = join(CACHE, 'report')
  rmSync(outdir, { recursive: true, force: true })
  const spec = join(CACHE, 'fuzzingclient.json')
  writeFileSync(spec, JSON.stringify({
    outdir,
    servers: [{ agent: 'tickwire', url: `ws://127.0.0.1:${port}` }],
    cases: values.cases.split(','),
    'exclude-cases': [],
    'exclude-agent-cases': {}
  }))
  // `addsitedir` and not PYTHONPATH, because some of the packages share a namespace.
  const program = 'import site, sys; site.addsitedir(sys.argv.pop(1)); ' +
    'from autobahntestsuite.wstest import run; run()'
  const child = spawn(python, ['-c', program, packages, '-m', 'fuzzingclient', '-s', spec], {
    cwd: CACHE, stdio: ['ignore', 'pipe', 'pipe']
  })
  let output = ''
  const collect = (/** @type {Buffer} */ chunk) => { output = (output + String(chunk)).slice(-4000) }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', collect)
  passSignals(child)
  const code = await new Promise(resolve => { child.on('close', resolve) })
  const index = join(outdir, 'index.json')
  if (!existsSync(index)) throw new PrepareError(`the suite ended with ${code} and no report:\n${output}`)
  const { tickwire } = JSON.parse(readFileSync(index, 'utf8'))
  return /** @type {Record<string, { behavior: string, behaviorClose: string }>} */ (tickwire)
}

await main(async () => {
  if (values.help) {
    console.log(USAGE)
    return
  }
  prepare()
  const python = findPython()
  const packages = installSuite(python)
  const { app, port } = await startEcho()
  const started = performance.now()
  say(`running the suite with ${python} (cases ${values.cases}); all of it takes some minutes…`)
  const cases = await runSuite(python, packages, port).finally(() => app.close())
  /** @type {Record<string, number>} */
  const counts = {}
  const failed = Object.entries(cases).filter(([, { behavior, behaviorClose }]) => {
    counts[behavior] = (counts[behavior] ?? 0) + 1
    return !PASSED.has(behavior) || !PASSED.has(behaviorClose)
  })
  const found = Object.entries(counts).map(([behavior, count]) => `${count} ${behavior}`).join(', ')
  console.log(`${Object.keys(cases).length} cases (${seconds(started)}): ${found}`)
  for (const [name, { behavior, behaviorClose }] of failed) {
    console.log(`FAILED ${name}: ${behavior}, close ${behaviorClose}; see ${join(CACHE, 'report')}`)
  }
  const hasPassed = failed.length === 0 && Object.keys(cases).length > 0
  console.log(hasPassed ? 'no failed case' : `${failed.length} failed`)
  process.exitCode = hasPassed ? 0 : 1
})
