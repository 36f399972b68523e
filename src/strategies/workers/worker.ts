import { Worker } from 'node:worker_threads'
import type { Answer, Request } from './requests.js'

/** The program of a worker. */
const THREAD = new URL('./thread.js', import.meta.url)
/** How long a strategy may take to be loaded and to begin: its module may have much to import. */
const START_MS = 10_000
/** What all strategies of a worker may keep. */
const MEMORY = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 }

/** The strategy itself is to blame: it threw, took too long, or ended its worker. */
export class StrategyFailure extends Error {
  override readonly name = 'StrategyFailure'
}

/** Another strategy of the same worker is to blame: this one must start again in another worker. */
export class WorkerGone extends Error {
  override readonly name = 'WorkerGone'
}

interface Call {
  readonly request: Request
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
}

/**
 * A worker that runs some strategies. It has one call at a time, so that whoever hangs it or ends it is known
 * by name. Nobody waits for it but those who have called it.
 */
export class StrategyWorker {
  /** The ids of its strategies. */
  readonly ids = new Set<string>()
  private readonly worker: Worker
  private readonly waiting: Call[] = []
  private current: Call | undefined
  private timer: NodeJS.Timeout | undefined
  private gone = false

  /** @param callMs how long a call may take, in milliseconds */
  constructor (private readonly callMs: number) {
    // A strategy sees none of the server's settings, which hold secrets; what it prints goes nowhere.
    this.worker = new Worker(THREAD, { env: {}, resourceLimits: MEMORY, stdout: true, stderr: true })
    this.worker.stdout.resume()
    this.worker.stderr.resume()
    this.worker.on('message', (answer: Answer) => { this.answered(answer) })
    this.worker.on('error', error => { this.end(reasonOf(error)) })
    this.worker.on('exit', () => { this.end('it has ended its worker') })
  }

  /** Whether it takes no more calls. */
  get isGone (): boolean {
    return this.gone
  }

  /** @throws StrategyFailure, WorkerGone */
  async call (request: Request): Promise<Answer> {
    return await new Promise((resolve, reject) => {
      this.waiting.push({ request, resolve, reject })
      if (this.gone) this.rejectWaiting()
      else if (this.current === undefined) this.next()
    })
  }

  /** Removes a strategy. */
  forget (id: string): void {
    this.ids.delete(id)
    if (!this.gone) this.worker.postMessage({ type: 'forget', id })
  }

  async close (): Promise<void> {
    this.end('the server closes')
    await this.worker.terminate()
  }

  private next (): void {
    const call = this.current = this.waiting.shift()
    if (call === undefined) return
    this.worker.postMessage(call.request)
    const limitMs = call.request.type === 'start' ? Math.max(START_MS, this.callMs) : this.callMs
    this.timer = setTimeout(() => { this.overdue(call, limitMs) }, limitMs).unref()
  }

  /** If this thread itself was held up, the answer is here already: it comes before the next immediate. */
  private overdue (call: Call, limitMs: number): void {
    setImmediate(() => {
      if (this.current !== call) return
      this.end(`a call has taken longer than ${limitMs} ms`)
      void this.worker.terminate()
    })
  }

  private answered (answer: Answer): void {
    clearTimeout(this.timer)
    const call = this.current
    this.current = undefined
    if (answer.error === undefined) call?.resolve(answer)
    else call?.reject(new StrategyFailure(answer.error))
    if (!this.gone) this.next()
  }

  /** @param reason what the strategy has done whose call is under way */
  private end (reason: string): void {
    if (this.gone) return
    this.gone = true
    clearTimeout(this.timer)
    this.current?.reject(new StrategyFailure(reason))
    this.current = undefined
    this.rejectWaiting()
  }

  private rejectWaiting (): void {
    for (const { reject } of this.waiting.splice(0)) reject(new WorkerGone())
  }
}

function reasonOf (error: unknown): string {
  const { code, message } = error as { code?: string, message?: string }
  return code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'it uses too much memory' : String(message).slice(0, 200)
}
