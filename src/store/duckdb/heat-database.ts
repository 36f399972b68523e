import { realpathSync } from 'node:fs'
import type { DuckDBConnection, DuckDBInstance, DuckDBPreparedStatement, DuckDBValue } from '@duckdb/node-api'
import { wordsOf } from '../../errors.js'
import type { HeatDatabase, HeatRow, QueryRow } from '../../heatmap/heat-row.js'
import { CONFINED, type DuckDB, IS_FATAL, isOpenHere, loadDuckDB } from './file.js'

/** The query without `HEATMAP_QUERY`: of our own table, or of a table of that name in a user's file. */
const DEFAULT_QUERY = 'select * from heatmap where symbol = $symbol and kind = $kind'
/** Prices are text, because they have as many digits as their source gave them. */
const OWN_TABLE = `create table heatmap (
  symbol varchar, kind varchar, price varchar, a double, b double, price_step varchar,
  current_price varchar, as_of timestamp, positions_created bigint, positions_consumed bigint
)`
const INSERT = `insert into heatmap select unnest(r, recursive := false) from (
  select unnest(from_json($1, '[{
    "symbol": "VARCHAR", "kind": "VARCHAR", "price": "VARCHAR", "a": "DOUBLE", "b": "DOUBLE",
    "price_step": "VARCHAR", "current_price": "VARCHAR", "as_of": "TIMESTAMP",
    "positions_created": "BIGINT", "positions_consumed": "BIGINT"
  }]')) as r
)`

/** DuckDB may take this long for a query, in milliseconds; then the server interrupts it. */
const QUERY_MS = 5000
/**
 * How often the server checks whether it must interrupt a query, in milliseconds. DuckDB ignores an interrupt
 * that comes between two statements, so a single one might have no effect.
 */
const LOOK_MS = 20
/** Rows of a heatmap: far more than a client can be sent. */
const MAX_ROWS = 10_000
const INTERRUPTED = 'the query was interrupted'

export interface HeatSettings {
  /** A user's query; default: of the table `heatmap`. */
  readonly query?: string | undefined
  /** A user's file, which is only read; default: a table of our own in memory. */
  readonly path?: string | undefined
  readonly queryMs?: number
}

/** @throws ConfigError if DuckDB is not there, or if the file is the server's own */
export async function openHeatDatabase (settings: HeatSettings): Promise<HeatDatabase> {
  const duckdb = loadDuckDB('heatmaps need', '; all other channels work without it')
  return new DuckDBHeat(duckdb, settings)
}

class DuckDBHeat implements HeatDatabase {
  readonly isOwn: boolean
  private readonly sql: string
  private readonly queryMs: number
  private readonly path: string | undefined
  private instance: DuckDBInstance | undefined
  private isInterrupted = false

  constructor (
    private readonly duckdb: DuckDB,
    { query = DEFAULT_QUERY, path, queryMs = QUERY_MS }: HeatSettings
  ) {
    this.sql = query
    this.queryMs = queryMs
    this.path = path
    this.isOwn = path === undefined
  }

  async fill (symbol: string, kind: string, rows: readonly HeatRow[]): Promise<void> {
    await this.connected(async connection => {
      await connection.run('begin transaction')
      await connection.run('delete from heatmap where symbol = $1 and kind = $2', [symbol, kind])
      if (rows.length > 0) await connection.run(INSERT, [JSON.stringify(rows)])
      await connection.run('commit')
    })
  }

  async query (symbol: string, kind: string): Promise<readonly QueryRow[]> {
    return await this.connected(async connection => {
      const prepared = await connection.prepare(this.sql)
      try {
        if (prepared.statementType !== this.duckdb.StatementType.SELECT) {
          throw new Error('HEATMAP_QUERY must be one SELECT: the server only reads')
        }
        bindNames(prepared, { symbol, kind })
        const reader = await prepared.streamAndReadUntil(MAX_ROWS + 1)
        if (reader.currentRowCount > MAX_ROWS) {
          throw new Error(`the query returns more than ${MAX_ROWS} rows; group its rows by price`)
        }
        return reader.getRowObjects().map(row => this.plain(row))
      } finally {
        prepared.destroySync()
      }
    })
  }

  interrupt (): void {
    this.isInterrupted = true
  }

  rest (): void {
    if (!this.isOwn) this.close()
  }

  close (): void {
    this.instance?.closeSync()
    this.instance = undefined
  }

  /** Works with a connection of its own, which is interrupted on demand, or when it takes too long. */
  private async connected<Result> (work: (connection: DuckDBConnection) => Promise<Result>): Promise<Result> {
    const connection = await (this.instance ??= await this.open()).connect()
    const deadline = performance.now() + this.queryMs
    let isLate = false
    const timer = setInterval(() => {
      isLate = performance.now() >= deadline
      if (isLate || this.isInterrupted) connection.interrupt()
    }, LOOK_MS)
    try {
      if (this.isInterrupted) throw new Error(INTERRUPTED)
      return await work(connection)
    } catch (error) {
      if (this.isInterrupted) throw new Error(INTERRUPTED, { cause: error })
      if (isLate) throw new Error(`the query took longer than ${this.queryMs} ms`, { cause: error })
      if (IS_FATAL.test(wordsOf(error))) queueMicrotask(() => { this.close() })
      throw error
    } finally {
      clearInterval(timer)
      connection.closeSync()
    }
  }

  private async open (): Promise<DuckDBInstance> {
    const { path, duckdb } = this
    if (path === undefined) {
      const instance = await duckdb.DuckDBInstance.create(':memory:', CONFINED)
      const connection = await instance.connect()
      await connection.run(OWN_TABLE).finally(() => { connection.closeSync() })
      return instance
    }
    if (isOpenHere(realPath(path))) {
      throw new Error(`DUCKDB_PATH: ${path} is the store of this server; use a file of its own`)
    }
    return await duckdb.DuckDBInstance.create(path, { ...CONFINED, access_mode: 'READ_ONLY' })
  }

  private plain (row: Readonly<Record<string, DuckDBValue>>): QueryRow {
    const { duckdb } = this
    const fields = Object.entries(row).map(([name, value]): [string, string | number | null] => {
      if (value === null || typeof value === 'number') return [name, value]
      const isTime = value instanceof duckdb.DuckDBTimestampValue ||
        value instanceof duckdb.DuckDBTimestampTZValue
      if (isTime && value.isFinite) return [name, new Date(Number(value.micros / 1000n)).toISOString()]
      return [name, String(value)]
    })
    return Object.fromEntries(fields)
  }
}

function bindNames (prepared: DuckDBPreparedStatement, values: Readonly<Record<string, string>>): void {
  for (let index = 1; index <= prepared.parameterCount; index++) {
    const name = prepared.parameterName(index)
    const value = values[name]
    if (value === undefined) {
      throw new Error(`HEATMAP_QUERY has the parameter $${name}; its parameters are $symbol and $kind`)
    }
    prepared.bindVarchar(index, value)
  }
}

/** @throws Error if there is no such file */
function realPath (path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    throw new Error(`DUCKDB_PATH: ${path} cannot be read: ${wordsOf(error)}`)
  }
}
