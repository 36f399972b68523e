import { type ChildProcess, spawn } from 'node:child_process'
import { until } from '../helpers/clients.js'
import { type Command, type DriverEvent, type Given, type StateTold, type Told, topicOf } from './events.js'

/** A busy machine takes a while to start a browser or a Python. */
const START_TIMEOUT_MS = 60_000
const CLOSE_TIMEOUT_MS = 60_000
const KEPT_ERRORS = 2000

/** A client under test, behind its driver: a program that is spoken to by lines of JSON. */
export class Driver {
  readonly told: Told[] = []
  /** What a driver must not do. */
  readonly faults: string[] = []
  /** By topic, the newest message that the application was given. */
  readonly newest = new Map<string, Given>()
  state: StateTold | undefined
  /** What it wrote on stderr last. */
  errors = ''
  private rest = ''
  private isReady = false
  private saidClosed = false
  private isClosing = false
  /** Its exit code; null if a signal ended it, undefined while it runs. */
  private exit: number | null | undefined

  private readonly child: ChildProcess
  private readonly onExit = (): void => { this.signal('SIGKILL') }

  private constructor (command: string) {
    // In a group of its own, so that what it starts sleeps and ends with it.
    const child = this.child = spawn('/bin/sh', ['-c', `exec ${command}`], {
      detached: true, stdio: ['pipe', 'pipe', 'pipe']
    })
    process.once('exit', this.onExit)
    child.stdin!.on('error', () => {})
    child.stdout!.setEncoding('utf8').on('data', (chunk: string) => { this.read(chunk) })
    child.stderr!.on('data', chunk => { this.errors = (this.errors + String(chunk)).slice(-KEPT_ERRORS) })
    child.on('exit', code => {
      this.exit = code
      if (!this.isClosing) this.faults.push(`the driver ended by itself (${code ?? child.signalCode}): ${this.errors}`)
    })
  }

  /** @param command of a shell; it needs no quotes but those of its own arguments */
  static async start (command: string): Promise<Driver> {
    const driver = new Driver(command)
    await until(`the driver says ready: ${command}`, () => driver.isReady || driver.hasEnded, START_TIMEOUT_MS)
    return driver
  }

  get hasEnded (): boolean {
    return this.exit !== undefined
  }

  /** Whether the client has stopped for good by an error, or its driver has ended. */
  get isOver (): boolean {
    return this.hasEnded || (this.state?.state === 'closed' && this.state.code !== undefined)
  }

  do (command: Command): void {
    this.child.stdin!.write(`${JSON.stringify(command)}\n`)
  }

  signal (name: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): void {
    if (this.hasEnded) return
    try {
      process.kill(-this.child.pid!, name)
    } catch {
      // It has ended meanwhile.
    }
  }

  /** Has it close its client and end; whoever does not is ended, and that is a fault. */
  async close (): Promise<void> {
    if (!this.hasEnded) {
      this.isClosing = true
      this.do({ do: 'close' })
      await until('the driver has ended', () => this.hasEnded, CLOSE_TIMEOUT_MS).catch((error: Error) => {
        this.faults.push(error.message)
      })
      if (!this.saidClosed) this.faults.push('the driver did not say closed')
      if (this.exit !== 0) this.faults.push(`the driver ended with ${this.exit}: ${this.errors}`)
    }
    this.kill()
  }

  kill (): void {
    this.isClosing = true
    this.signal('SIGKILL')
    process.off('exit', this.onExit)
  }

  /** Not by `readline`: that ends lines at U+2028 as well. */
  private read (chunk: string): void {
    const at = Date.now()
    const lines = (this.rest + chunk).split('\n')
    this.rest = lines.pop()!
    for (const line of lines) this.take(line, at)
  }

  private take (line: string, at: number): void {
    let event: DriverEvent
    try {
      event = JSON.parse(line) as DriverEvent
    } catch {
      this.faults.push(`a line of the driver is no JSON: ${line.slice(0, 200)}`)
      return
    }
    this.told.push({ at, event })
    switch (event.event) {
      case 'ready': this.isReady = true; break
      case 'closed': this.saidClosed = true; break
      case 'state': this.state = event; break
      case 'message': this.newest.set(topicOf(event), event); break
      default:
        // The judge reads the others.
    }
  }
}
