/** Milliseconds. */
export interface Latencies {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** NaN where there are none. */
export function latenciesOf (values: readonly number[]): Latencies {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number): number => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
    return Number(value.toFixed(2))
  }
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) }
}
