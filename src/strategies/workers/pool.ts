import { StrategyWorker } from './worker.js'

/** How many workers share the strategies of a server. Each has a thread and memory of its own. */
const MAX_WORKERS = 4
/** Strategies of a worker before another one is started. */
const STRATEGIES_OF_A_WORKER = 5

/** The workers of a server. They start when they are needed, and end with their last strategy. */
export class WorkerPool {
  private workers: StrategyWorker[] = []

  constructor (private readonly callMs: number) {}

  /** Returns a worker for a strategy: the one with the fewest, or another one if each has several. */
  seat (id: string): StrategyWorker {
    this.workers = this.workers.filter(({ isGone }) => !isGone)
    const [emptiest] = this.workers.toSorted((a, b) => a.ids.size - b.ids.size)
    const isFull = emptiest === undefined ||
      (emptiest.ids.size >= STRATEGIES_OF_A_WORKER && this.workers.length < MAX_WORKERS)
    const worker = isFull ? new StrategyWorker(this.callMs) : emptiest
    if (isFull) this.workers.push(worker)
    worker.ids.add(id)
    return worker
  }

  leave (worker: StrategyWorker, id: string): void {
    worker.forget(id)
    if (worker.ids.size === 0) void worker.close()
  }

  async close (): Promise<void> {
    await Promise.all(this.workers.map(worker => worker.close()))
  }
}
