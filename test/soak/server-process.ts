import { type ChildProcess, fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { keepLog } from '../helpers/kept-log.js'

const PROGRAM = fileURLToPath(new URL('server/soak-server.js', import.meta.url))
const KEPT_OUTPUT = 4000

export interface FeedOptions {
  /** Messages a second, beside the bulk. */
  readonly rate: number
  readonly trades: number
  readonly quotes: number
  readonly books: number
  readonly bulks: number
  /** Bulk messages a second, of 32 KiB each. */
  readonly bulkRate: number
}

export const DEFAULT_FEED: FeedOptions = { rate: 300, trades: 300, quotes: 150, books: 50, bulks: 6, bulkRate: 16 }

export interface ServerOptions {
  readonly feed: FeedOptions
  /** As environment variables of the same names. */
  readonly settings: Readonly<Record<string, string | number>>
}

/** What the server says of itself on the way. */
export interface Gauges {
  readonly heap: number
  readonly connections: number
  readonly sent: number
  readonly lagging: number
  readonly lags: number
  readonly resets: Readonly<Record<string, number>>
  readonly published: number
  readonly refused: number
}

/** How many there are of what is counted, by its name. */
export type Census = Readonly<Record<string, number>>

/** The server that is soaked, asked over a channel of its own: a question over HTTP would be one more client. */
export class ServerProcess {
  origin = ''
  private asked = 0
  private output = ''
  private readonly answers = new Map<number, { resolve (answer: unknown): void, reject (error: Error): void }>()
  private readonly onExit = (): void => { this.child.kill('SIGKILL') }

  private constructor (private readonly child: ChildProcess) {
    process.once('exit', this.onExit)
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', chunk => {
        keepLog(String(chunk))
        this.output = (this.output + String(chunk)).slice(-KEPT_OUTPUT)
      })
    }
    child.on('message', (message: { id: number, answer: unknown }) => {
      this.answers.get(message.id)?.resolve(message.answer)
      this.answers.delete(message.id)
    })
    child.once('exit', code => {
      const error = new Error(`the server ended with ${code ?? child.signalCode}: ${this.output}`)
      for (const { reject } of this.answers.values()) reject(error)
      this.answers.clear()
    })
  }

  static async start (options: ServerOptions): Promise<ServerProcess> {
    const child = fork(PROGRAM, [JSON.stringify(options)], {
      execArgv: ['--expose-internals', '--no-warnings'], env: { PATH: process.env['PATH'] }, stdio: ['ignore', 'pipe', 'pipe', 'ipc']
    })
    const server = new ServerProcess(child)
    const { port } = await server.answer(0) as { port: number }
    server.origin = `http://127.0.0.1:${port}`
    return server
  }

  /** What it printed last: errors, as it says nothing else. */
  get lastWords (): string {
    return this.output
  }

  async startFeed (): Promise<void> {
    await this.ask('start')
  }

  async stopFeed (): Promise<void> {
    await this.ask('stop')
  }

  async gauges (): Promise<Gauges> {
    return await this.ask('gauges') as Gauges
  }

  /** Collects the garbage first, and takes a while. */
  async census (): Promise<Census> {
    return await this.ask('census') as Census
  }

  /** Bytes of it that are in memory. */
  residentBytes (): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'))?.[1]) * 1024
  }

  async close (): Promise<void> {
    process.off('exit', this.onExit)
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const ended = new Promise(resolve => { this.child.once('exit', resolve) })
    this.child.kill('SIGKILL')
    await ended
  }

  private async ask (question: string): Promise<unknown> {
    const id = ++this.asked
    const answer = this.answer(id)
    this.child.send({ id, ask: question })
    return await answer
  }

  private async answer (id: number): Promise<unknown> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) throw new Error(`the server has ended: ${this.output}`)
    return await new Promise((resolve, reject) => { this.answers.set(id, { resolve, reject }) })
  }
}
