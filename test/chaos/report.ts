import { latenciesOf } from '../fleet/latencies.js'
import type { RunReport } from './run.js'

/** Upper ends of a histogram's bars, in seconds. */
const BARS_S = [0.1, 0.3, 1, 2, 3, 5, 10, 20, 30, Infinity]
const WIDTH = 40
const COUNTED = ['messages', 'snapshots', 'duplicates', 'resets', 'gaps', 'losses'] as const

/** What the runs of one client have shown. */
export class Summary {
  readonly failures: string[] = []
  private readonly totals = {
    runs: 0, messages: 0, snapshots: 0, duplicates: 0, resets: 0, gaps: 0, losses: 0, connections: 0
  }

  private readonly live = new Map<string, number>()
  private readonly faults = new Map<string, { times: number, back: number[] }>()
  private readonly back: number[] = []
  private readonly fresh: number[] = []

  constructor (private readonly client: string) {}

  add (report: RunReport): void {
    const { totals } = this
    totals.runs++
    for (const name of COUNTED) totals[name] += report[name]
    totals.connections += report.proxied['connections'] ?? 0
    for (const [transport, times] of report.live) {
      this.live.set(transport, (this.live.get(transport) ?? 0) + times)
    }
    for (const { name, backMs, freshMs } of report.returns) {
      const fault = this.faults.get(name) ?? { times: 0, back: [] }
      this.faults.set(name, fault)
      fault.times++
      if (backMs !== undefined) {
        this.back.push(backMs)
        fault.back.push(backMs)
      }
      if (freshMs !== undefined) this.fresh.push(freshMs)
    }
    const { seed, log, transports } = report
    this.failures.push(...report.failures.map(failure =>
      `${this.client}, --seed ${seed} --runs 1 --log ${log}, over ${transports.join(', ')}: ${failure}`))
  }

  get disturbances (): number {
    return [...this.faults.values()].reduce((sum, { times }) => sum + times, 0)
  }

  get resets (): number {
    return this.totals.resets
  }

  get progress (): string {
    const { runs, messages, resets } = this.totals
    const wrong = this.failures.length === 0 ? '' : `, ${this.failures.length} FAILURES, the last: ${this.failures.at(-1)}`
    return `${this.client}: ${runs} runs, ${this.disturbances} faults, ${messages} messages, ${resets} resets${wrong}`
  }

  get lines (): string[] {
    const { runs, messages, snapshots, duplicates, resets, gaps, losses, connections } = this.totals
    const live = [...this.live].map(([transport, times]) => `${transport} ${times}`)
    return [
      `${this.client}: ${runs} runs, ${this.disturbances} faults, ${losses} of them lost messages; ${connections} connections`,
      `  ${messages} messages, of them ${snapshots} snapshots; ${resets} resets, ${gaps} gaps, ${duplicates} duplicates`,
      `  live ${live.join(', ')}`,
      `  live again after the end of a fault${quantiles(this.back)}`,
      ...histogram(this.back),
      `  new messages after the end of a fault${quantiles(this.fresh)}`,
      ...histogram(this.fresh),
      '  by fault: how often, and live again after',
      ...[...this.faults].sort(([a], [b]) => a < b ? -1 : 1)
        .map(([name, { times, back }]) => `    ${String(times).padStart(4)}  ${name}${quantiles(back)}`)
    ]
  }
}

const inSeconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

function quantiles (times: readonly number[]): string {
  if (times.length === 0) return ': it never said otherwise, or the next fault came first'
  const { count, p50, p99, max } = latenciesOf(times)
  return `: ${count} times, median ${inSeconds(p50)}, 99 % ${inSeconds(p99)}, at most ${inSeconds(max)}`
}

function histogram (times: readonly number[]): string[] {
  const counts = BARS_S.map((end, at) =>
    times.filter(ms => ms < end * 1000 && ms >= (BARS_S[at - 1] ?? 0) * 1000).length)
  const most = Math.max(1, ...counts)
  return counts.flatMap((count, at) => {
    if (count === 0) return []
    const end = BARS_S[at]!
    const label = end === Infinity ? `from ${BARS_S[at - 1]} s` : `to ${end} s`
    return [`    ${label.padStart(9)} ${'#'.repeat(Math.ceil(count / most * WIDTH))} ${count}`]
  })
}
