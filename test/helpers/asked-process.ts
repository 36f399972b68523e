import { type ChildProcess, fork, type ForkOptions } from 'node:child_process'
import { ended } from './ended.js'

const KEPT_OUTPUT = 4000

export interface AskedProcessOptions {
  /** What its end is told by: `the server`. */
  readonly name: string
  readonly program: string
  /** Given as JSON. */
  readonly options: object
  readonly execArgv: NonNullable<ForkOptions['execArgv']>
  readonly onOutput?: (text: string) => void
}

/**
 * A process of ours that answers questions over a channel of its own. Its first answer, to number 0, says
 * that it is ready.
 */
export class AskedProcess {
  private readonly child: ChildProcess
  private asked = 0
  private output = ''
  private readonly answers = new Map<number, {
    resolve (answer: unknown): void
    reject (error: Error): void
  }>()

  private readonly onExit = (): void => { this.child.kill('SIGKILL') }

  constructor (private readonly given: AskedProcessOptions) {
    const { name, program, options, execArgv, onOutput } = given
    const child = this.child = fork(program, [JSON.stringify(options)], { execArgv, env: { PATH: process.env['PATH'] }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
    process.once('exit', this.onExit)
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', chunk => {
        onOutput?.(String(chunk))
        this.output = (this.output + String(chunk)).slice(-KEPT_OUTPUT)
      })
    }
    child.on('message', (message: { id: number, answer: unknown }) => {
      this.answers.get(message.id)?.resolve(message.answer)
      this.answers.delete(message.id)
    })
    child.once('exit', code => {
      const error = new Error(`${name} ended with ${code ?? child.signalCode}: ${this.output}`)
      for (const { reject } of this.answers.values()) reject(error)
      this.answers.clear()
    })
  }

  /** What it printed last. */
  get lastWords (): string {
    return this.output
  }

  get pid (): number | undefined {
    return this.child.pid
  }

  /** Its first answer. */
  async ready (): Promise<unknown> {
    return await this.answer(0)
  }

  async ask (question: string): Promise<unknown> {
    const id = ++this.asked
    const answer = this.answer(id)
    this.child.send({ id, ask: question })
    return await answer
  }

  async close (): Promise<void> {
    process.off('exit', this.onExit)
    this.child.kill('SIGKILL')
    await ended(this.child)
  }

  private get hasEnded (): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  private async answer (id: number): Promise<unknown> {
    if (this.hasEnded) throw new Error(`${this.given.name} has ended: ${this.output}`)
    return await new Promise((resolve, reject) => { this.answers.set(id, { resolve, reject }) })
  }
}
