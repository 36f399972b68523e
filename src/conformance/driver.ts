import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Failure, type Watch } from './watch.js'

/** A line that a driver writes (docs/clients/conformance.md, The driver). */
export interface DriverEvent {
  readonly event: string
  readonly [field: string]: unknown
}

/** How much of what a driver writes to its standard error a failure shows. */
const ERROR_CHARACTERS = 600

/** A process that wraps a client: it takes commands and writes events, one JSON object a line. */
export class Driver {
  readonly events: DriverEvent[] = []
  /** The exit code, or the signal; undefined while the process runs. */
  ended: number | string | undefined
  private fault: string | undefined
  private errors = ''
  private readonly child: ChildProcess

  constructor ([program, ...args]: readonly string[], private readonly watch: Watch) {
    this.child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    const { stdin, stdout, stderr } = this.child
    // A driver that has died takes no commands; its exit code says so.
    stdin!.on('error', () => {})
    createInterface({ input: stdout! }).on('line', line => { this.read(line) })
    stderr!.on('data', chunk => { this.errors = (this.errors + String(chunk)).slice(-ERROR_CHARACTERS) })
    this.child.on('error', error => {
      this.fault = `the driver does not start: ${error.message}`
      this.watch.changed()
    })
    this.child.on('close', (code, signal) => {
      this.ended = code ?? signal ?? 'unknown'
      this.watch.changed()
    })
  }

  tell (command: object): void {
    this.child.stdin!.write(`${JSON.stringify(command)}\n`)
  }

  /** @throws Failure if the driver cannot be used any more */
  check (): void {
    if (this.fault !== undefined) throw new Failure(this.fault)
    if (this.ended !== undefined) {
      throw new Failure(`the driver ended with ${this.ended}${this.said}`)
    }
  }

  /** Returns what the driver wrote last to its standard error, to be added to a sentence. */
  get said (): string {
    return this.errors === '' ? '' : `; its standard error ends: ${this.errors.trim()}`
  }

  async kill (): Promise<void> {
    if (this.ended !== undefined || this.child.pid === undefined) return
    const closed = once(this.child, 'close')
    this.child.kill('SIGKILL')
    await closed
  }

  private read (line: string): void {
    try {
      const event = JSON.parse(line) as DriverEvent
      if (typeof event.event !== 'string') throw new TypeError('no event')
      this.events.push(event)
    } catch {
      this.fault = `the driver wrote a line that is not an event: ${line.slice(0, ERROR_CHARACTERS)}`
    }
    this.watch.changed()
  }
}
