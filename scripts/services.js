// Finds Redis, PostgreSQL, Chromium, nginx and Python for the tests: on PATH, or else by docker compose, or
// else by apt-get. If none of these works, it says clearly what is missing.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { PrepareError, root, say, seconds } from './prepare.js'

/** How long a docker engine may take to answer before it counts as absent. */
const DOCKER_ANSWER_MS = 10_000

const COMPOSE_FILE = join('scripts', 'docker-compose.test.yml')

/** Where Debian keeps servers; not on the PATH of everybody. */
const SERVER_FOLDERS = ['/usr/local/sbin', '/usr/sbin']
/** Debian keeps each version of PostgreSQL in a folder of its own, which is on nobody's PATH. */
const POSTGRES_FOLDER = '/usr/lib/postgresql'

/** Tells Debian's package to start no server of its own. */
const NO_CLUSTER = 'mkdir -p /etc/postgresql-common && ' +
  'echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf'

/**
 * @typedef {object} Service
 * @property {string} name
 * @property {string[]} programs
 * @property {string} aptPackage
 * @property {string} [beforeApt] what the shell runs before the package is installed
 * @property {string} binary the environment variable that names the program to the tests, which start it as
 *   often as they like
 * @property {{ service: string, url: string, address: string }} [docker] set where the one instance that
 *   docker runs does as well: its name in COMPOSE_FILE, and the environment variable that tells the tests its
 *   address
 */

/** @type {Service[]} */
const SERVICES = [
  {
    name: 'Redis',
    programs: ['redis-server'],
    aptPackage: 'redis-server',
    binary: 'TEST_REDIS_SERVER',
    docker: { service: 'redis', url: 'TEST_REDIS_URL', address: 'redis://127.0.0.1:6399' },
  },
  {
    // initdb lies in the same folder.
    name: 'PostgreSQL',
    programs: ['postgres'],
    aptPackage: 'postgresql',
    beforeApt: NO_CLUSTER,
    binary: 'TEST_POSTGRES',
    docker: { service: 'postgres', url: 'TEST_POSTGRES_URL', address: 'postgres://postgres:tickwire@127.0.0.1:5499/postgres' },
  },
  {
    name: 'Chromium',
    programs: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
    aptPackage: 'chromium',
    binary: 'TEST_CHROMIUM',
    docker: { service: 'chromium', url: 'TEST_CHROMIUM_URL', address: 'http://127.0.0.1:9222' },
  },
  {
    // Each test starts it with a configuration of its own.
    name: 'nginx',
    programs: ['nginx'],
    aptPackage: 'nginx',
    binary: 'TEST_NGINX',
  },
  {
    // Packages of PyPI go into an environment of their own; Debian has what makes one in this package.
    name: 'Python',
    programs: ['python3'],
    aptPackage: 'python3-venv',
    binary: 'TEST_PYTHON',
  },
]

/**
 * Returns the environment variables that tell the tests where the services are.
 * @returns {Record<string, string>}
 */
export function provideServices () {
  return Object.assign({}, ...SERVICES.map(provide))
}

/**
 * @param {Service} wanted
 * @returns {Record<string, string>}
 */
function provide (wanted) {
  const { binary, docker } = wanted
  // A variable that is set already was set by hand, and stays.
  const isSet = process.env[binary] !== undefined ||
    (docker !== undefined && process.env[docker.url] !== undefined)
  if (isSet) return {}
  const found = onPath(wanted.programs)
  if (found !== undefined) return { [binary]: found }
  if (docker !== undefined && startInDocker(wanted.name, docker.service)) {
    return { [docker.url]: docker.address }
  }
  const installed = installWithApt({ ...wanted, packages: [wanted.aptPackage] })
  if (installed !== undefined) return { [binary]: installed }
  const noEngine = docker === undefined ? '' : ' no docker engine answers,'
  const variables = docker === undefined ? binary : `${binary} or ${docker.url}`
  throw new PrepareError(
    `${wanted.name} is missing: no ${wanted.programs[0]} on PATH,${noEngine} and apt-get cannot ` +
    `install it here. Install ${wanted.aptPackage}, or set ${variables}. ` +
    'Tests that need none of these run with: npm test -- test/unit'
  )
}

/** @param {string[]} programs */
function onPath (programs) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SERVER_FOLDERS, ...postgresFolders()]
  for (const program of programs) {
    for (const folder of folders) {
      const path = join(folder, program)
      try {
        accessSync(path, constants.X_OK)
        return path
      } catch {}
    }
  }
  return undefined
}

/** The newest version first. */
function postgresFolders () {
  try {
    const versions = readdirSync(POSTGRES_FOLDER).filter(name => /^\d+$/.test(name)).sort((a, b) => Number(b) - Number(a))
    return versions.map(version => join(POSTGRES_FOLDER, version, 'bin'))
  } catch {
    return []
  }
}

/**
 * @param {string} name
 * @param {string} service
 */
function startInDocker (name, service) {
  if (onPath(['docker']) === undefined) return false
  if (spawnSync('docker', ['info'], { stdio: 'ignore', timeout: DOCKER_ANSWER_MS }).status !== 0) return false
  const started = performance.now()
  say(`${name} is not on PATH; starting it with docker compose…`)
  if (!succeeds('docker', ['compose', '-f', COMPOSE_FILE, 'up', '--detach', '--wait', service])) return false
  say(`${name} runs in docker (${seconds(started)})`)
  return true
}

/**
 * Returns the path of the first of these programs that is installed; installs one with apt-get if none is.
 * @param {{ name: string, programs: string[], packages: string[] }} wanted
 * @returns {string | undefined} undefined where it cannot be installed
 */
export function findOrInstall (wanted) {
  return onPath(wanted.programs) ?? installWithApt(wanted)
}

/** @param {{ name: string, programs: string[], packages: string[], beforeApt?: string }} wanted */
function installWithApt ({ name, programs, packages, beforeApt }) {
  if (onPath(['apt-get']) === undefined) return undefined
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  if (sudo.length > 0 && onPath(['sudo']) === undefined) return undefined
  const started = performance.now()
  say(`${name} is missing; installing ${packages.join(' ')} with apt-get…`)
  if (beforeApt !== undefined) {
    const [command, ...args] = [...sudo, 'sh', '-c', beforeApt]
    if (!succeeds(command, args)) return undefined
  }
  const apt = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq', '-o', 'Dpkg::Use-Pty=0']
  for (const args of [['update'], ['install', '--yes', '--no-install-recommends', ...packages]]) {
    const [command, ...rest] = [...apt, ...args]
    if (!succeeds(command, rest)) return undefined
  }
  say(`${name} installed (${seconds(started)})`)
  return onPath(programs)
}

/**
 * Runs a program; what it printed is shown only if it failed.
 * @param {string} command
 * @param {string[]} args
 */
function succeeds (command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe']
  })
  if (status === 0) return true
  process.stderr.write(error === undefined ? stdout + stderr : `${error.message}\n`)
  return false
}
