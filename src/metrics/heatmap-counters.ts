/** How a heatmap could not be made: its query failed, or what the query returned is not a heatmap. */
export type HeatmapFailure = 'query' | 'nonsense'

/** What the heatmaps of a node cost since it started. */
export class HeatmapCounters {
  queries = 0
  /** Heatmaps that were published, and those that were not because nothing had changed. */
  sent = 0
  unchanged = 0
  /** Bytes of levels that were cut, so that clients do not get too much. */
  cutBytes = 0
  readonly failures: Record<HeatmapFailure, number> = { query: 0, nonsense: 0 }
  /** Called for each query with how long it took, in milliseconds. */
  onQuery: (tookMs: number) => void = () => {}

  query (tookMs: number): void {
    this.queries++
    this.onQuery(tookMs)
  }
}
