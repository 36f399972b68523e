import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely'
import pg from 'pg'
import { exactInteger } from '../exact-integer.js'

const CONNECT_MS = 5_000
/** The server ends a statement by itself; one that does not answer at all is given up so much later. */
const ANSWER_GRACE_MS = 2_000

/** By type: the client would leave these as text. */
const PARSERS = { [pg.types.builtins.INT8]: exactInteger }

/** As the query builder types it: with cursors, too, which the store does not use. */
type Query = <R>(text: unknown, values?: readonly unknown[]) => Promise<PostgresQueryResult<R>> & never

export interface PoolOptions {
  readonly url: string
  readonly connections: number
  /** After which a statement is ended; without it, none is. */
  readonly statementMs: number | undefined
  /** Whether a failure says nothing about the connection, which is then kept. */
  isHarmless (error: unknown): boolean
}

/**
 * Connections to one PostgreSQL. One that failed is not used again: behind the same name there may be another
 * server by now.
 */
export class Pool implements PostgresPool {
  private readonly pool: pg.Pool
  private readonly inUse = new Set<pg.PoolClient>()

  constructor (private readonly options: PoolOptions) {
    const { statementMs } = options
    this.pool = new pg.Pool({
      connectionString: options.url,
      max: options.connections,
      connectionTimeoutMillis: CONNECT_MS,
      keepAlive: true,
      application_name: 'tickwire',
      types: {
        getTypeParser: (oid, format) => (
          (format !== 'binary' && PARSERS[oid]) || pg.types.getTypeParser(oid, format))
      },
      ...(statementMs === undefined
        ? {}
        : { statement_timeout: statementMs, query_timeout: statementMs + ANSWER_GRACE_MS })
    })
    // What fails while nobody waits for it is found out by the next statement.
    this.pool.on('error', () => {})
    this.pool.on('connect', client => { client.on('error', () => {}) })
  }

  async connect (): Promise<PostgresPoolClient> {
    const client = await this.pool.connect()
    this.inUse.add(client)
    let hasFailed = false
    const query = async (text: string, values: readonly unknown[]): Promise<unknown> => {
      try {
        return await client.query(text, [...values])
      } catch (error) {
        hasFailed ||= !this.options.isHarmless(error)
        throw error
      }
    }
    return {
      query: query as Query,
      release: (destroy = false) => {
        if (this.inUse.delete(client)) client.release(destroy || hasFailed)
      }
    }
  }

  /** Ends at once also what is in use. */
  async end (): Promise<void> {
    for (const client of this.inUse) client.release(true)
    this.inUse.clear()
    await this.pool.end()
  }
}
