import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { COMMAND } from '../helpers/command.js'
import { keepLog } from '../helpers/kept-log.js'
import { freePort } from '../helpers/free-port.js'

/** A node's last words are kept: what it said when it should not have ended. */
const KEPT_OUTPUT = 4000
const START_TIMEOUT_MS = 60_000
const STARTED = /^tickwire listens on .*\n|^tickwire: to operate this server .*\n.*\n/gm

/** A node in a process of its own, at the same address whenever it is started again. */
export class NodeProcess {
  private child: ChildProcess | undefined
  private output = ''
  private readonly onExit = (): void => { this.child?.kill('SIGKILL') }

  private constructor (readonly name: string, private readonly port: number, private readonly env: Readonly<Record<string, string>>, private readonly program: readonly string[]) {
    process.once('exit', this.onExit)
  }

  /** One that is to be started. @param program what Node is to run: the server, or one of a test's own that listens on PORT */
  static async create (name: string, env: Readonly<Record<string, string>>, program: readonly string[] = [COMMAND, 'start']): Promise<NodeProcess> {
    return new NodeProcess(name, await freePort(), env, program)
  }

  get origin (): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** What it printed last. */
  get lastWords (): string {
    return this.output
  }

  /** What it printed last besides what every server prints as it starts: where it listens, and the link to its page. */
  get complaints (): string {
    return this.output.replace(STARTED, '').trim()
  }

  async start (): Promise<void> {
    const child = spawn(process.execPath, [...this.program], {
      env: { PATH: process.env['PATH'], ...this.env, PORT: String(this.port) }, stdio: ['ignore', 'pipe', 'pipe']
    })
    this.child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', chunk => {
        keepLog(String(chunk))
        this.output = (this.output + String(chunk)).slice(-KEPT_OUTPUT)
      })
    }
    const deadline = Date.now() + START_TIMEOUT_MS
    while (!await this.answers()) {
      if (child.exitCode !== null) throw new Error(`${this.name} ended with ${child.exitCode}: ${this.output}`)
      if (Date.now() > deadline) throw new Error(`${this.name} did not start in ${START_TIMEOUT_MS} ms: ${this.output}`)
      await delay(25)
    }
  }

  /** Whether it ended by itself. */
  get failed (): boolean {
    return this.child !== undefined && (this.child.exitCode !== null || this.child.signalCode !== null)
  }

  /** Bytes of it that are in memory. */
  residentBytes (): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.child!.pid}/status`, 'utf8'))?.[1]) * 1024
  }

  signal (name: 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): void {
    this.child?.kill(name)
  }

  async kill (): Promise<void> {
    const { child } = this
    if (child === undefined || this.failed) return
    this.child = undefined
    const ended = new Promise(resolve => { child.once('exit', resolve) })
    child.kill('SIGKILL')
    await ended
  }

  async close (): Promise<void> {
    await this.kill()
    process.off('exit', this.onExit)
  }

  private async answers (): Promise<boolean> {
    try {
      const response = await fetch(`${this.origin}/readyz`, { signal: AbortSignal.timeout(1000) })
      await response.arrayBuffer()
      return response.ok
    } catch {
      return false
    }
  }
}
