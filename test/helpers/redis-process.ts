import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ended } from './ended.js'

/** The program that `npm test` has found or installed. */
export const redisProgram = process.env['TEST_REDIS_SERVER']

/** How many characters of what it printed are shown. */
const SHOWN_OUTPUT = 2000

const open = new Set<RedisProcess>()
process.once('exit', () => { for (const program of open) program.endAtOnce() })

/** A Redis program in a folder of its own; it does not keep a test running, and ends with it. */
export class RedisProcess {
  readonly folder = mkdtempSync(join(tmpdir(), 'tickwire-redis-'))
  private child: ChildProcess | undefined

  constructor () {
    open.add(this)
  }

  private get output (): string {
    return join(this.folder, 'output.txt')
  }

  get pid (): number {
    return this.child!.pid!
  }

  get isRunning (): boolean {
    return this.child !== undefined
  }

  start (args: readonly string[]): void {
    // It writes to a file: a pipe would keep the test running.
    const output = openSync(this.output, 'w')
    this.child = spawn(redisProgram!, args, { stdio: ['ignore', output, output] })
    closeSync(output)
    this.child.unref()
  }

  /** Rejects when the program ends, with what it printed last: while it starts, that says why it cannot. */
  async ending (): Promise<never> {
    const { child } = this
    await ended(child!)
    throw new Error(`Redis ended: ${readFileSync(this.output, 'utf8').slice(-SHOWN_OUTPUT)}`)
  }

  async end (signal: NodeJS.Signals): Promise<void> {
    const { child } = this
    if (child === undefined) return
    child.ref()
    child.kill(signal)
    await ended(child)
    this.child = undefined
  }

  async close (): Promise<void> {
    await this.end('SIGKILL')
    open.delete(this)
    await rm(this.folder, { recursive: true, force: true })
  }

  endAtOnce (): void {
    this.child?.kill('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }
}
