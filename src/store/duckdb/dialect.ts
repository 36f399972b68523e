import type { DuckDBConnection, DuckDBMaterializedResult, DuckDBValue } from '@duckdb/node-api'
import {
  CompiledQuery, type DatabaseConnection, type DatabaseIntrospector, type Dialect, DialectAdapterBase,
  type Driver, type Kysely, PostgresQueryCompiler, type QueryResult, sql, type TableMetadata
} from 'kysely'
import { exactInteger } from '../exact-integer.js'
import type { DuckDBFile } from './file.js'

export interface DialectLimits {
  /** Connections that are in use at once: each statement takes a thread of Node's pool, which has four. */
  readonly atOnce: number
  /** After which a statement is interrupted. */
  readonly statementMs: number
}

/** DuckDB for the query builder: it speaks PostgreSQL's language. Only what the store needs. */
export class DuckDBDialect implements Dialect {
  constructor (private readonly file: DuckDBFile, private readonly limits: DialectLimits) {}

  createDriver (): Driver {
    return new DuckDBDriver(this.file, this.limits)
  }

  createQueryCompiler (): PostgresQueryCompiler {
    return new PostgresQueryCompiler()
  }

  createAdapter (): DuckDBAdapter {
    return new DuckDBAdapter()
  }

  createIntrospector (db: Kysely<unknown>): DatabaseIntrospector {
    return {
      getSchemas: async () => [],
      getTables: async () => await tablesOf(db),
      getMetadata: async () => ({ tables: await tablesOf(db) })
    }
  }
}

class DuckDBAdapter extends DialectAdapterBase {
  override get supportsTransactionalDdl (): boolean {
    return true
  }

  override get supportsReturning (): boolean {
    return true
  }

  // No other process has the file open.
  override async acquireMigrationLock (): Promise<void> {}
  override async releaseMigrationLock (): Promise<void> {}
}

async function tablesOf (db: Kysely<unknown>): Promise<TableMetadata[]> {
  const names = sql<{ name: string }>`select table_name as name from information_schema.tables`
  const { rows } = await names.execute(db)
  return rows.map(({ name }) => ({ name, isView: false, isForeign: false, columns: [] }))
}

class DuckDBDriver implements Driver {
  private inUse = 0
  private readonly queue: (() => void)[] = []

  constructor (private readonly file: DuckDBFile, private readonly limits: DialectLimits) {}

  async init (): Promise<void> {}
  async destroy (): Promise<void> {}

  async acquireConnection (): Promise<DuckDBStatements> {
    if (this.inUse === this.limits.atOnce) await new Promise<void>(resolve => { this.queue.push(resolve) })
    else this.inUse++
    try {
      return new DuckDBStatements(this.file, await this.file.connect(), this.limits.statementMs)
    } catch (error) {
      this.leave()
      throw error
    }
  }

  async releaseConnection ({ connection }: DuckDBStatements): Promise<void> {
    this.file.release(connection)
    this.leave()
  }

  async beginTransaction (connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin transaction'))
  }

  async commitTransaction (connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'))
  }

  async rollbackTransaction (connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('rollback'))
  }

  private leave (): void {
    const next = this.queue.shift()
    if (next === undefined) this.inUse--
    else next()
  }
}

class DuckDBStatements implements DatabaseConnection {
  constructor (
    private readonly file: DuckDBFile,
    readonly connection: DuckDBConnection,
    private readonly statementMs: number
  ) {}

  async executeQuery<Row> (query: CompiledQuery): Promise<QueryResult<Row>> {
    const timer = setTimeout(() => { this.connection.interrupt() }, this.statementMs)
    try {
      const prepared = await this.connection.prepare(query.sql)
      try {
        prepared.bind(query.parameters as DuckDBValue[])
        const result = await prepared.run()
        return { rows: await rowsOf(result) as Row[], numAffectedRows: BigInt(result.rowsChanged) }
      } finally {
        prepared.destroySync()
      }
    } catch (error) {
      this.file.noteFailure(error)
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  async * streamQuery<Row> (): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error('the store streams no rows: ask for pages')
  }
}

/** Rows as PostgreSQL's client has them: integers of 64 bits as numbers, larger ones and decimals as text. */
async function rowsOf (result: DuckDBMaterializedResult): Promise<Record<string, unknown>[]> {
  const names = result.deduplicatedColumnNames()
  const types = result.columnTypes().map(String)
  const rows = await result.getRows()
  return rows.map(values => (
    Object.fromEntries(values.map((value, index) => [names[index]!, plain(value, types[index]!)]))))
}

function plain (value: DuckDBValue, type: string): unknown {
  if (typeof value === 'bigint') return type === 'BIGINT' ? exactInteger(String(value)) : String(value)
  return type.startsWith('DECIMAL') && value !== null ? String(value) : value
}
