/** Buckets of a latency grow by a factor of 2 in this many steps: a percentile is at most 2.2 % too high. */
const STEPS = 32
const LEAST_MS = 1 / 16
/** Up to 65 seconds; what takes longer counts as that. */
const DOUBLINGS = 20
const BUCKETS = 1 + STEPS * DOUBLINGS

export interface Percentiles {
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** Counts latencies in buckets: one costs an increment, and all of them together 2.5 kB. */
export class Latencies {
  private readonly counts = new Uint32Array(BUCKETS)
  private total = 0

  get count (): number {
    return this.total
  }

  /** @param ms in milliseconds, not negative */
  add (ms: number): void {
    const bucket = ms <= LEAST_MS ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log2(ms / LEAST_MS) * STEPS))
    this.counts[bucket]!++
    this.total++
  }

  addAll (others: Latencies): void {
    for (const [bucket, count] of others.counts.entries()) this.counts[bucket]! += count
    this.total += others.total
  }

  /** Returns the percentiles, in milliseconds; undefined if nothing was counted. */
  percentiles (): Percentiles | undefined {
    if (this.total === 0) return undefined
    return { p50: this.percentile(0.5), p95: this.percentile(0.95), p99: this.percentile(0.99) }
  }

  reset (): void {
    if (this.total === 0) return
    this.counts.fill(0)
    this.total = 0
  }

  private percentile (share: number): number {
    const rank = Math.ceil(this.total * share)
    let seen = 0
    const bucket = this.counts.findIndex(count => (seen += count) >= rank)
    const ms = LEAST_MS * 2 ** (bucket / STEPS)
    return Math.round(ms * 1000) / 1000
  }
}
