import type { HeatmapKind } from '@tickwire/protocol'

/**
 * A level of a heatmap as a table has it: what our own models make, and what our own table stores. The
 * columns are those that a user's table may have (docs/heatmaps.md).
 */
export interface HeatRow {
  readonly symbol: string
  readonly kind: HeatmapKind
  readonly price: string
  readonly a: string
  readonly b: string
  readonly price_step: string
  readonly current_price: string
  /** ISO 8601. */
  readonly as_of: string
  readonly positions_created: number | null
  readonly positions_consumed: number | null
}

/** A row as a query returns it: numbers, texts and nulls, by the name of the column. */
export type QueryRow = Readonly<Record<string, string | number | null>>

/** Where heatmaps are queried. Only one query runs at a time. */
export interface HeatDatabase {
  /** Whether it has our own table, which must be filled; a user's table has been filled by others. */
  readonly isOwn: boolean
  /** Replaces the rows of a heatmap in our own table. */
  fill (symbol: string, kind: HeatmapKind, rows: readonly HeatRow[]): Promise<void>
  /**
   * Runs the query for a heatmap.
   * @throws if it fails, runs for too long, or returns too much
   */
  query (symbol: string, kind: HeatmapKind): Promise<readonly QueryRow[]>
  /** Ends the query that runs, which then fails, and so does each that begins later. */
  interrupt (): void
  /** Ends a round of queries, after which others may write to a user's file. */
  rest (): void
  close (): void
}
