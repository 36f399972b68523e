import type { RunReport } from './run.js'

/** What the runs of one venue have shown. */
export class Summary {
  readonly failures: string[] = []
  private runs = 0
  private readonly byHarm = new Map<string, number>()
  private readonly totals = {
    books: 0, staleBooks: 0, trades: 0, quotes: 0, connections: 0, wrongBooks: 0, olderBooks: 0, lostTrades: 0
  }

  private slowestMs = 0

  constructor (private readonly venue: string) {}

  add ({ seed, verdict, failures, done, connections, recoveredMs }: RunReport): void {
    this.runs++
    this.slowestMs = Math.max(this.slowestMs, recoveredMs)
    for (const [harm, times] of done) this.byHarm.set(harm, (this.byHarm.get(harm) ?? 0) + times)
    const { books, staleBooks, trades, quotes, unknowable } = verdict
    const counts = { books, staleBooks, trades, quotes, connections, ...unknowable }
    for (const name of Object.keys(counts) as Array<keyof typeof counts>) this.totals[name] += counts[name]
    this.failures.push(...failures.map(failure => `${this.venue}, --seed ${seed} --runs 1: ${failure}`))
  }

  get harms (): number {
    return [...this.byHarm.values()].reduce((sum, times) => sum + times, 0)
  }

  get progress (): string {
    const { books, staleBooks } = this.totals
    const wrong = this.failures.length === 0 ? '' : `, ${this.failures.length} FAILURES, the last: ${this.failures.at(-1)}`
    return `${this.venue}: ${this.runs} runs, ${books} messages of books, ${staleBooks} of them stale${wrong}`
  }

  get lines (): string[] {
    const { books, staleBooks, trades, quotes, connections, wrongBooks, olderBooks, lostTrades } = this.totals
    const harms = [...this.byHarm].sort(([, a], [, b]) => b - a).map(([harm, times]) => `${harm} ${times}`)
    return [
      `${this.venue}: ${this.runs} runs, ${connections} connections`,
      `  books ${books}, of them stale ${staleBooks}; trades ${trades}; quotes ${quotes}`,
      `  what nobody could know: ${wrongBooks} messages made a wrong book, ${olderBooks} an older one; ` +
        `${lostTrades} trades did not come`,
      `  all well again after at most ${(this.slowestMs / 1000).toFixed(1)} s of good behaviour`,
      `  harms: ${harms.join(', ')}`
    ]
  }
}
