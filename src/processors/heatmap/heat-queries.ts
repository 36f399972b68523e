import type { Heatmap, HeatmapKind } from '@tickwire/protocol'
import { wordsOf } from '../../errors.js'
import type { HeatDatabase, HeatRow } from '../../heatmap/heat-row.js'
import { heatmapOf, NonsenseRows } from '../../heatmap/rows.js'
import type { HeatmapCounters } from '../../metrics/heatmap-counters.js'
import type { SourceLogger } from '../../sources/source.js'

/** A failure that goes on is logged again after so long. */
const LOG_AGAIN_MS = 60_000
/** Failures that are remembered, so that they are not logged too often. */
const MAX_REMEMBERED = 1000

export interface HeatQueriesOptions {
  readonly counters: HeatmapCounters
  /** Opens where heatmaps of a kind are queried. @throws if that is not there */
  open (kind: HeatmapKind): Promise<HeatDatabase>
}

/** Returns the rows of our own model for a heatmap; none if there is nothing to make it of. */
type OwnRows = (symbol: string, kind: HeatmapKind) => Promise<readonly HeatRow[]>

/** Makes heatmaps by queries. A query that fails stops nothing: it is logged, counted, and asked again. */
export class HeatQueries {
  private readonly databases = new Map<HeatmapKind, HeatDatabase>()
  /** The heatmaps that failed when they were last asked for. */
  private readonly failing = new Set<string>()
  /** When each failure was logged last: many symbols may fail for one reason. */
  private readonly loggedAt = new Map<string, number>()
  private isInterrupted = false

  constructor (
    private readonly options: HeatQueriesOptions,
    private readonly logger: Pick<SourceLogger, 'error' | 'info'>
  ) {}

  /**
   * Makes a heatmap.
   * @param now in milliseconds since 1970
   * @returns undefined if nothing is known of the symbol, or if the query fails
   * @throws what `ownRows` throws
   */
  async make (
    symbol: string, kind: HeatmapKind, now: number, ownRows: OwnRows
  ): Promise<Heatmap | undefined> {
    const database = await this.attempt(symbol, kind, () => this.database(kind))
    if (database === undefined) return undefined
    const rows = database.isOwn ? await ownRows(symbol, kind) : undefined
    if (rows?.length === 0) return undefined
    const made = await this.attempt(symbol, kind, async () => {
      if (rows !== undefined) await database.fill(symbol, kind, rows)
      const began = performance.now()
      try {
        return { heatmap: heatmapOf(symbol, kind, await database.query(symbol, kind), new Date(now)) }
      } finally {
        this.options.counters.query(performance.now() - began)
      }
    })
    if (made !== undefined) this.noteSuccess(symbol, kind)
    return made?.heatmap
  }

  /** Ends the query under way, so that nothing waits for it any more; no other begins. That is no failure. */
  interrupt (): void {
    this.isInterrupted = true
    for (const database of this.databases.values()) database.interrupt()
  }

  /** Lets others write to a user's file until the next query. */
  rest (): void {
    for (const database of this.databases.values()) database.rest()
  }

  close (): void {
    for (const database of this.databases.values()) database.close()
    this.databases.clear()
  }

  private async database (kind: HeatmapKind): Promise<HeatDatabase> {
    let database = this.databases.get(kind)
    if (database === undefined) this.databases.set(kind, database = await this.options.open(kind))
    return database
  }

  private async attempt<Result> (
    symbol: string, kind: HeatmapKind, work: () => Promise<Result>
  ): Promise<Result | undefined> {
    if (this.isInterrupted) return undefined
    try {
      return await work()
    } catch (error) {
      if (!this.isInterrupted) this.noteFailure(symbol, kind, error)
      return undefined
    }
  }

  private noteFailure (symbol: string, kind: HeatmapKind, error: unknown): void {
    const { options: { counters }, logger } = this
    counters.failures[error instanceof NonsenseRows ? 'nonsense' : 'query']++
    const [text = ''] = wordsOf(error).split('\n')
    for (const remembered of [this.failing, this.loggedAt]) {
      if (remembered.size >= MAX_REMEMBERED) remembered.clear()
    }
    this.failing.add(`${kind} ${symbol}`)
    const now = performance.now()
    if (now - (this.loggedAt.get(text) ?? -Infinity) < LOG_AGAIN_MS) return
    this.loggedAt.set(text, now)
    logger.error({ event: 'heatmap', kind, symbol, reason: text },
      'a heatmap could not be made: its subscribers keep the last one, and the server tries again')
  }

  private noteSuccess (symbol: string, kind: HeatmapKind): void {
    if (!this.failing.delete(`${kind} ${symbol}`) || this.failing.size > 0) return
    this.loggedAt.clear()
    this.logger.info({ event: 'heatmap' }, 'all heatmaps are made again')
  }
}
