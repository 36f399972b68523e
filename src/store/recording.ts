import { CompiledQuery, type Kysely, sql } from 'kysely'
import type { Database } from './database.js'
import { type RecordedRow, type RecorderPosition, recordingTables, type Tables } from './tables.js'
import { insertion } from './upsert.js'

/** Another recorder has moved the position: what this one has read may be written already. */
export class StaleRecorder extends Error {
  override readonly name = 'StaleRecorder'

  constructor (shard: number) {
    super(`another recorder writes shard ${shard}`)
  }
}

/** A topic of the recording; `symbol` is empty for a channel without symbols. */
export type RecordedTopic = Pick<RecordedRow, 'channel' | 'symbol'>
/** A place among the rows of a topic, in their order. */
export type RecordedPlace = Pick<RecordedRow, 'timestamp' | 'era' | 'sequence'>

/** Which rows of a topic, by the log's time in ms: from `from` on, before `to`, and after a place. */
export interface RecordedRange {
  readonly from?: number | undefined
  readonly to: number
  readonly after?: RecordedPlace | undefined
}

/**
 * The time that one query spans at first, and by how much more each further one: DuckDB reads all rows of
 * that time, whichever topic they are of.
 */
const SPAN_MS = 600_000
const SPAN_GROWTH = 8
/** Offsets whose rows one statement deletes. */
const REWIND_STEP = 50_000
/** Old rows that one statement deletes. */
const FORGET_STEP = 20_000

/** What is recorded, and how far. Reads and writes; both reject while the database is away. */
export class Recording {
  private readonly insert: string

  constructor (private readonly database: Omit<Database, 'write' | 'close'>) {
    this.insert = insertion('recorded', recordingTables.recorded, database.json)
  }

  /** Whether `append` failed because of what a row holds. */
  isRefusal (error: unknown): boolean {
    return this.database.isRefusal(error)
  }

  /** Returns how far a shard was recorded; undefined if it never was. */
  async position (shard: number): Promise<RecorderPosition | undefined> {
    const { reader } = this.database
    return await reader.selectFrom('recorder_positions').selectAll().where('shard', '=', shard)
      .executeTakeFirst()
  }

  /**
   * Appends rows and moves the position, both or neither.
   * @param position its version is the one that was read or written last; 0 for the first
   * @returns the position as it is now
   * @throws StaleRecorder if the position has another version. If it throws anything else, it may have
   * succeeded; the same call then throws StaleRecorder
   */
  async append (rows: readonly RecordedRow[], position: RecorderPosition): Promise<RecorderPosition> {
    return await this.move(rows, position)
  }

  private async move (
    rows: readonly RecordedRow[],
    position: RecorderPosition,
    also: (transaction: Kysely<Tables>) => Promise<void> = async () => {}
  ): Promise<RecorderPosition> {
    const { shard, version, ...values } = position
    const next = { ...values, version: version + 1 }
    await this.database.writer.transaction().execute(async transaction => {
      if (version === 0) {
        const first = { shard, ...values, version: 0 }
        await transaction.insertInto('recorder_positions').values(first)
          .onConflict(conflict => conflict.column('shard').doNothing()).execute()
      }
      const moved = await transaction.updateTable('recorder_positions').set(next)
        .where('shard', '=', shard).where('version', '=', version).executeTakeFirst()
      if (moved.numUpdatedRows !== 1n) throw new StaleRecorder(shard)
      const parameters = [JSON.stringify(rows)]
      if (rows.length > 0) await transaction.executeQuery(CompiledQuery.raw(this.insert, parameters))
      await also(transaction)
    })
    return { shard, ...next }
  }

  /**
   * Returns by topic what its last row beyond a position has: that of a recorder which ended while it was
   * catching up.
   */
  async beyond ({ shard, era, log_offset: offset, timestamp }: RecorderPosition): Promise<
    ReadonlyArray<RecordedTopic & Pick<RecordedRow, 'sequence' | 'log_offset' | 'timestamp'>>
  > {
    const { fn } = this.database.reader
    return await this.database.reader.selectFrom('recorded')
      .select([
        'channel', 'symbol', fn.max('sequence').as('sequence'), fn.max('log_offset').as('log_offset'),
        fn.max('timestamp').as('timestamp')
      ])
      // The time finds the rows quickly: a shard's time grows with its offsets.
      .where('timestamp', '>=', timestamp)
      .where('shard', '=', shard).where('era', '=', era).where('log_offset', '>', offset)
      .groupBy(['channel', 'symbol']).execute()
  }

  /**
   * Deletes the rows beyond a position, which is then not catching up any more.
   * @returns the position as it is now
   * @throws as `append`
   */
  async rewind (position: RecorderPosition): Promise<RecorderPosition> {
    const { shard, era, log_offset: offset, timestamp } = position
    const rows = await this.beyond(position)
    let now = position
    // In steps that the database ends in time.
    for (let top = Math.max(offset, ...rows.map(row => row.log_offset)); top > offset;) {
      const bottom = Math.max(offset, top - REWIND_STEP)
      now = await this.move([], { ...now, catching_up: bottom > offset ? 1 : 0 }, async transaction => {
        await transaction.deleteFrom('recorded').where('timestamp', '>=', timestamp)
          .where('shard', '=', shard).where('era', '=', era)
          .where('log_offset', '>', bottom).where('log_offset', '<=', top).execute()
      })
      top = bottom
    }
    return now.catching_up === 0 ? now : await this.move([], { ...now, catching_up: 0 })
  }

  /** Returns the newest row of a topic; undefined if it has none. */
  async last ({ channel, symbol }: RecordedTopic): Promise<RecordedRow | undefined> {
    return await this.database.reader.selectFrom('recorded').selectAll()
      .where('channel', '=', channel).where('symbol', '=', symbol)
      .orderBy('timestamp', 'desc').orderBy('era', 'desc').orderBy('sequence', 'desc')
      .limit(1).executeTakeFirst()
  }

  /** Reads rows of a topic in their order: the first `limit` of a range. */
  async read (topic: RecordedTopic, range: RecordedRange, limit: number): Promise<readonly RecordedRow[]> {
    const { to, after } = range
    let start = Math.max(range.from ?? -Infinity, after?.timestamp ?? -Infinity)
    if (start === -Infinity) start = await this.oldest(topic) ?? to
    const rows: RecordedRow[] = []
    for (let span = SPAN_MS; start < to && rows.length < limit; span *= SPAN_GROWTH) {
      const end = Math.min(start + span, to)
      rows.push(...await this.readSpan(topic, start, end, after, limit - rows.length))
      start = end
    }
    return rows
  }

  /**
   * Returns the bars whose start is from `from` on and before `to`, oldest first, of each the latest version.
   * @param limit of the newest
   */
  async bars (
    topic: RecordedTopic, from: number, to: number, limit: number
  ): Promise<readonly RecordedRow[]> {
    const { reader } = this.database
    const age = sql<number>`row_number() over
      (partition by "time" order by "timestamp" desc, era desc, sequence desc)`
    const versions = reader.selectFrom('recorded').selectAll()
      .select(age.as('age'))
      .where('channel', '=', topic.channel).where('symbol', '=', topic.symbol)
      .where('time', '>=', from).where('time', '<', to)
    const columns = Object.keys(recordingTables.recorded) as ReadonlyArray<keyof RecordedRow>
    const newestFirst = await reader.selectFrom(versions.as('versions')).select(columns)
      .where('age', '=', 1).orderBy('time', 'desc').limit(limit).execute()
    return newestFirst.reverse()
  }

  /**
   * Deletes rows that the log took before a time, in steps that the database ends in time. What was deleted
   * stays deleted if a later step fails.
   * @param signal ends it between two steps
   * @param stepRows how many rows a step deletes at most
   * @returns how many
   */
  async forget (before: number, signal?: AbortSignal, stepRows = FORGET_STEP): Promise<number> {
    const { writer, rowId } = this.database
    const row = sql<unknown>`${sql.ref(rowId)}`
    const old = writer.selectFrom('recorded').select(row.as('row'))
      .where('timestamp', '<', before).limit(stepRows)
    let deleted = 0
    while (signal?.aborted !== true) {
      const { numDeletedRows } = await writer.deleteFrom('recorded').where(row, 'in', old).executeTakeFirst()
      if (numDeletedRows === 0n) break
      deleted += Number(numDeletedRows)
    }
    return deleted
  }

  private async oldest ({ channel, symbol }: RecordedTopic): Promise<number | undefined> {
    const row = await this.database.reader.selectFrom('recorded')
      .select(({ fn }) => fn.min('timestamp').as('timestamp'))
      .where('channel', '=', channel).where('symbol', '=', symbol).executeTakeFirst()
    return row?.timestamp ?? undefined
  }

  private async readSpan (
    { channel, symbol }: RecordedTopic,
    start: number,
    end: number,
    after: RecordedPlace | undefined,
    limit: number
  ): Promise<readonly RecordedRow[]> {
    let query = this.database.reader.selectFrom('recorded').selectAll()
      .where('channel', '=', channel).where('symbol', '=', symbol)
      .where('timestamp', '>=', start).where('timestamp', '<', end)
    if (after !== undefined) {
      const { timestamp, era, sequence } = after
      query = query.where(({ eb, and, or }) => or([
        eb('timestamp', '>', timestamp),
        and([eb('timestamp', '=', timestamp), eb('era', '>', era)]),
        and([eb('timestamp', '=', timestamp), eb('era', '=', era), eb('sequence', '>', sequence)])
      ]))
    }
    return await query.orderBy('timestamp').orderBy('era').orderBy('sequence').limit(limit).execute()
  }
}
