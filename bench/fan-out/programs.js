import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findOrInstall } from '../../scripts/services.js'

/** The core of the server that is measured, and the core of its clients. */
export const SERVER_CORE = 0
export const LOAD_CORE = 1

const STOP_MS = 5000

const folder = new URL('.', import.meta.url).pathname

/** Files that the programs include. */
const HEADERS = ['common.h', 'clients.h']

/**
 * Compiles a program of this folder, unless it is compiled. Returns its path.
 * @param {'load' | 'readers' | 'writer'} name
 */
export function compiled (name) {
  const source = join(folder, `${name}.c`)
  const hash = createHash('sha256')
  for (const file of [source, ...HEADERS.map(header => join(folder, header))]) hash.update(readFileSync(file))
  const built = join(tmpdir(), `tickwire-bench-${process.getuid?.()}`)
  const program = join(built, `${name}-${hash.digest('hex').slice(0, 16)}`)
  if (existsSync(program)) return program
  // libc6-dev has the headers; gcc alone does not install them.
  const gcc = findOrInstall({ name: 'a C compiler', programs: ['gcc'], packages: ['gcc', 'libc6-dev'] })
  if (gcc === undefined) throw new Error('this bench needs gcc on this machine')
  mkdirSync(built, { recursive: true })
  execFileSync(gcc, ['-O2', '-Wall', '-o', program, source])
  return program
}

/**
 * A program that reads commands, one a line, and answers each with a line.
 * @typedef {object} Program
 * @property {number} pid
 * @property {string} said its first line
 * @property {(line: string) => Promise<string>} ask
 * @property {() => Promise<void>} stop
 */

/**
 * Starts a program with a limit of open files that is high enough.
 * @param {readonly string[]} command
 * @param {{ core?: number, files: number }} needs core: the only one on which it runs; undefined: any
 * @returns {Promise<Program>}
 */
export async function start (command, { core, files }) {
  const isPinned = core !== undefined && availableParallelism() > 1
  const pinned = isPinned ? ['taskset', '-c', String(core), ...command] : command
  const [program, ...rest] = [...fileLimit(files), ...pinned]
  const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
  const kill = () => { child.kill('SIGKILL') }
  process.once('exit', kill)
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const next = async () => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`${command[0]} ended: ${child.exitCode ?? child.signalCode}`)
    return value
  }
  const ended = new Promise(resolve => { child.once('exit', resolve) })
  return {
    // prlimit and taskset replace themselves with the program that they start.
    pid: /** @type {number} */ (child.pid),
    said: await next(),
    ask: async line => {
      child.stdin.write(line + '\n')
      return await next()
    },
    // The program ends with its input. It then writes what Node was told to write at the end, such as a
    // profile.
    stop: async () => {
      child.stdin.end()
      const late = setTimeout(kill, STOP_MS)
      await ended
      clearTimeout(late)
      process.off('exit', kill)
    }
  }
}

/**
 * Returns what must precede a command so that it may open so many files; nothing if it may.
 * @param {number} wanted
 */
export function fileLimit (wanted) {
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim()
  if (limit === 'unlimited' || Number(limit) >= wanted) return []
  if (process.getuid?.() === 0) return ['prlimit', `--nofile=${wanted}:${wanted}`]
  throw new Error(
    `this needs ${wanted} open files, and the limit is ${limit}: ` +
    `raise it (ulimit -Hn ${wanted}, as root), or choose smaller shapes`
  )
}

/** Returns the bytes of a process in RAM. @param {number} pid */
export function residentBytes (pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

/** Returns the CPU seconds that a core has worked, for any program. @param {number} core */
export function coreSeconds (core) {
  const line = new RegExp(`^cpu${core} (.*)$`, 'm').exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? ''
  const [user = 0, nice = 0, system = 0, , , interrupts = 0, softInterrupts = 0] = line.split(' ').map(Number)
  return (user + nice + system + interrupts + softInterrupts) / 100
}
