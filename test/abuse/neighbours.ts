import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('neighbours-process.ts', import.meta.url))
const KEPT_OUTPUT = 4000

export interface NeighbourOptions {
  readonly origin: string
  /** May publish trades. */
  readonly token: string
  readonly topics: number
  /** Messages a second. */
  readonly rate: number
}

/** What the neighbours saw for a time; milliseconds from when a message was due to be published to when it was read. */
export interface Phase {
  readonly delivered: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export interface Verdict {
  readonly published: number
  readonly readers: number
  /** What came wrong, twice, not at all, or was told; nothing where all is well. */
  readonly faults: readonly string[]
}

export interface Question {
  readonly id: number
  readonly ask: 'phase' | 'finish'
}

/** Honest clients beside whatever is done to a server: see neighbours-process.ts. */
export class Neighbours {
  private asked = 0
  private output = ''
  private readonly answers = new Map<number, { resolve (answer: unknown): void, reject (error: Error): void }>()
  private readonly onExit = (): void => { this.child.kill('SIGKILL') }

  private constructor (private readonly child: ChildProcess) {
    process.once('exit', this.onExit)
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', chunk => { this.output = (this.output + String(chunk)).slice(-KEPT_OUTPUT) })
    child.on('message', (message: { id: number, answer: unknown }) => {
      this.answers.get(message.id)?.resolve(message.answer)
      this.answers.delete(message.id)
    })
    child.once('exit', code => {
      for (const { reject } of this.answers.values()) reject(new Error(`the neighbours ended with ${code ?? child.signalCode}: ${this.output}`))
      this.answers.clear()
    })
  }

  /** Resolves when they read and write. */
  static async start (options: NeighbourOptions): Promise<Neighbours> {
    const child = fork(PROGRAM, [JSON.stringify(options)], {
      execArgv: ['--import', '@tapjs/typescript/import'], env: { PATH: process.env['PATH'] }, stdio: ['ignore', 'pipe', 'pipe', 'ipc']
    })
    const neighbours = new Neighbours(child)
    await neighbours.answer(0)
    return neighbours
  }

  /** The figures since this was asked last. */
  async phase (): Promise<Phase> {
    return await this.ask('phase') as Phase
  }

  /** Publishes no more, and says whether all of it was read. */
  async finish (): Promise<Verdict> {
    return await this.ask('finish') as Verdict
  }

  async close (): Promise<void> {
    process.off('exit', this.onExit)
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const ended = new Promise(resolve => { this.child.once('exit', resolve) })
    this.child.kill('SIGKILL')
    await ended
  }

  private async ask (ask: Question['ask']): Promise<unknown> {
    const question: Question = { id: ++this.asked, ask }
    const answer = this.answer(question.id)
    this.child.send(question)
    return await answer
  }

  private async answer (id: number): Promise<unknown> {
    return await new Promise((resolve, reject) => { this.answers.set(id, { resolve, reject }) })
  }
}
