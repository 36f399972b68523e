import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { COMMAND } from '../helpers/command.js'
import { ended } from '../helpers/ended.js'
import { freePort } from '../helpers/free-port.js'
import { keepLog } from '../helpers/kept-log.js'
import { SECRET } from '../helpers/tokens.js'
import { residentBytes } from './memory.js'

/** How many characters of a node's output are kept, to show why the node ended. */
const KEPT_OUTPUT = 4000
const START_TIMEOUT_MS = 60_000
const LOOK_MS = 25
const STARTED = /^tickwire listens on .*\n|^tickwire: to operate this server .*\n.*\n/gm

/** What every node has, where nothing else is said: no messages but those that are published to it. */
const SETTINGS = { LOG_LEVEL: 'error', SOURCES: 'none', BARS: 'none', UNKNOWN_SYMBOLS: 'accept', JWT_SECRET: SECRET }

/** For clients that are many, and all of them of one address and user. */
export const MANY_CLIENTS = {
  MAX_CONNECTIONS_PER_IP: '100000', MAX_CONNECTIONS_PER_USER: '100000', RATE_LIMIT_REQUESTS: '1000000'
}

/** A node in a process of its own, at the same address whenever it is started again. */
export class NodeProcess {
  /** The exit code of each stop; null if a signal ended the process. */
  readonly exitCodes: Array<number | null> = []
  private child: ChildProcess | undefined
  private output = ''
  /** What it keeps beside the log, however often it is started. */
  private readonly folder = join(tmpdir(), `tickwire-node-${randomUUID()}`)
  private readonly onExit = (): void => {
    this.child?.kill('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }

  private constructor (
    readonly name: string, readonly port: number, private readonly env: Readonly<Record<string, string>>,
    private readonly program: readonly string[]
  ) {
    process.once('exit', this.onExit)
  }

  /**
   * One that is to be started.
   * @param program what Node is to run: the server, or one of a test's own that listens on PORT
   */
  static async create (
    name: string, env: Readonly<Record<string, string>>, program: readonly string[] = [COMMAND, 'start']
  ): Promise<NodeProcess> {
    return new NodeProcess(name, await freePort(), env, program)
  }

  get origin (): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** What it printed last. */
  get lastWords (): string {
    return this.output
  }

  /** What it printed last, but for where it listens and the link to its page, which every server prints. */
  get complaints (): string {
    return this.output.replace(STARTED, '').trim()
  }

  /** Resolves when it is ready for clients. */
  async start (): Promise<void> {
    const child = spawn(process.execPath, [...this.program], {
      env: {
        PATH: process.env['PATH'], DATA_DIR: this.folder, ...SETTINGS, ...this.env, PORT: String(this.port)
      },
      stdio: ['ignore', 'pipe', 'pipe']
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
      const { name, output } = this
      const end = child.exitCode ?? child.signalCode
      if (end !== null) throw new Error(`${name} ended with ${end}: ${output}`)
      if (Date.now() > deadline) throw new Error(`${name} did not start in ${START_TIMEOUT_MS} ms: ${output}`)
      await delay(LOOK_MS)
    }
  }

  /** Whether it ended by itself. */
  get failed (): boolean {
    return this.child !== undefined && (this.child.exitCode !== null || this.child.signalCode !== null)
  }

  residentBytes (): number {
    return residentBytes(this.child!.pid)
  }

  signal (name: 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): void {
    this.child?.kill(name)
  }

  /** Ends it in good order. */
  async stop (): Promise<void> {
    const { child } = this
    if (child === undefined) return
    child.kill('SIGTERM')
    this.exitCodes.push(await ended(child))
    this.child = undefined
  }

  /** Ends it at once. */
  async kill (): Promise<void> {
    const { child } = this
    if (child === undefined || this.failed) return
    this.child = undefined
    child.kill('SIGKILL')
    await ended(child)
  }

  async close (): Promise<void> {
    await this.kill()
    process.off('exit', this.onExit)
    rmSync(this.folder, { recursive: true, force: true })
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
