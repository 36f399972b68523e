import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The program that `npm test` has found or installed. */
export const redisProgram = process.env['TEST_REDIS_SERVER']

const open = new Set<RedisProcess>()
process.once('exit', () => { for (const program of open) program.endAtOnce() })

/** A Redis program in a folder of its own; it does not keep a test running, and ends with it. */
export class RedisProcess {
  readonly folder = mkdtempSync(join(tmpdir(), 'tickwire-redis-'))
  private child: ChildProcess | undefined

  constructor () {
    open.add(this)
  }

  get pid (): number {
    return this.child!.pid!
  }

  get isRunning (): boolean {
    return this.child !== undefined
  }

  start (args: readonly string[]): void {
    this.child = spawn(redisProgram!, args, { stdio: 'ignore' })
    this.child.unref()
  }

  async end (signal: NodeJS.Signals): Promise<void> {
    const { child } = this
    if (child === undefined) return
    child.ref()
    const ended = new Promise(resolve => { child.once('exit', resolve) })
    child.kill(signal)
    await ended
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
