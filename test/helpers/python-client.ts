import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { installPythonPackages, Unavailable } from '../clients/toolchains.js'
import { until } from './clients.js'
import { ROOT } from './root.js'

export const PACKAGE = join(ROOT, 'clients/python')
const REQUIREMENTS = join(PACKAGE, 'tests/requirements.txt')
const CACHE = join(tmpdir(), `tickwire-clients-${process.getuid?.() ?? 0}`)
/** What a driver may take to end: a second is for the server's answer to a close. */
const END_MS = 60_000

/** Python with the packages that the client needs; or why there is none. */
export type Python = { readonly program: string } | { readonly missing: string }

/**
 * Finds Python, and installs the packages unless an earlier run has. They are those of the manifest: the
 * folder's name changes with it.
 */
export async function providePython (): Promise<Python> {
  const python = process.env['TEST_PYTHON']
  if (python === undefined) return { missing: 'there is no Python' }
  const digest = createHash('sha256').update(readFileSync(REQUIREMENTS)).update(python).digest('hex').slice(0, 16)
  const folder = join(CACHE, `python-client-${digest}`)
  const program = join(folder, 'venv/bin/python')
  if (existsSync(program)) return { program }
  mkdirSync(CACHE, { recursive: true })
  // Two files of tests may install at the same time; the first to be done wins.
  const own = mkdtempSync(join(CACHE, 'installing-'))
  try {
    copyFileSync(REQUIREMENTS, join(own, 'requirements.txt'))
    await installPythonPackages(own, python)
    renameSync(own, folder)
  } catch (error) {
    rmSync(own, { recursive: true, force: true })
    if (existsSync(program)) return { program }
    if (error instanceof Unavailable) return { missing: error.message.split('\n').slice(0, 3).join(' ') }
    throw error
  }
  return { program }
}

const environment = (path: string): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  PYTHONPATH: path,
  PYTHONDONTWRITEBYTECODE: '1',
  PYTHONUNBUFFERED: '1',
  VECTORS: join(ROOT, 'packages/protocol/vectors/signing.json')
})

/** Runs Python with the client's source; its input, if any, is a file's worth of text. */
export async function runPython (
  program: string, args: readonly string[], input = '', path = join(PACKAGE, 'src')
): Promise<{ readonly stdout: string, readonly stderr: string }> {
  const running = promisify(execFile)(program, [...args], {
    cwd: PACKAGE, env: environment(path), encoding: 'utf8', maxBuffer: 1 << 28
  })
  running.child.stdin!.end(input)
  return await running
}

export interface DriverEvent {
  readonly event: string
  readonly channel?: string
  readonly symbol?: string
  readonly symbols?: readonly string[]
  readonly sequence?: number
  readonly snapshot?: true
  readonly data?: Readonly<Record<string, unknown>>
  readonly reason?: string
  readonly code?: string
  readonly state?: string
  readonly transport?: string
}

/** A client in a process of its own, which lines of JSON drive (python -m tickwire.driver). */
export class PythonDriver {
  readonly events: DriverEvent[] = []
  private errors = ''

  private constructor (private readonly child: ChildProcess) {
    const lines = createInterface({ input: child.stdout! })
    lines.on('line', line => { this.events.push(JSON.parse(line) as DriverEvent) })
    child.stderr!.on('data', chunk => { this.errors += String(chunk) })
  }

  static start (t: Test, program: string): PythonDriver {
    const child = spawn(program, ['-m', 'tickwire.driver'], {
      env: environment(join(PACKAGE, 'src')), stdio: ['pipe', 'pipe', 'pipe']
    })
    t.teardown(() => { child.kill('SIGKILL') })
    return new PythonDriver(child)
  }

  do (command: object): void {
    this.child.stdin!.write(`${JSON.stringify(command)}\n`)
  }

  /** The events of one kind, or all that fit. */
  all (fits: Partial<DriverEvent>): DriverEvent[] {
    const names = Object.keys(fits) as Array<keyof DriverEvent>
    return this.events.filter(event => names.every(name => event[name] === fits[name]))
  }

  /** The numbers that a feed has written into the messages of a topic, in the order in which they came. */
  numbers (channel: string, symbol?: string): string[] {
    return this.all({ event: 'message', channel, ...(symbol === undefined ? {} : { symbol }) })
      .map(({ data }) => String(data!['price'] ?? data!['bid'] ?? data!['headline']))
  }

  async until (what: string, holds: () => boolean): Promise<void> {
    await until(what, holds, END_MS).catch((error: unknown) => {
      const last = this.events.slice(-15).map(event => JSON.stringify(event)).join('\n')
      throw new Error(`${String(error)}; the last events:\n${last}\n${this.errors}`)
    })
  }

  async seen (fits: Partial<DriverEvent>, times = 1): Promise<void> {
    await this.until(`${JSON.stringify(fits)} came ${times} times`, () => this.all(fits).length >= times)
  }

  /** Ends it in good order. @return its exit code */
  async close (): Promise<number | null> {
    this.do({ do: 'close' })
    const { child } = this
    await this.until('the driver has ended', () => child.exitCode !== null || child.signalCode !== null)
    return child.exitCode
  }
}
