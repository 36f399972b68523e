import { type Kysely, sql } from 'kysely'

export async function up (db: Kysely<unknown>): Promise<void> {
  let recorded = db.schema.createTable('recorded')
    .addColumn('channel', 'text', column => column.notNull())
    .addColumn('symbol', 'text', column => column.notNull())
  const integers = [
    'time', 'timestamp', 'era', 'sequence', 'shard', 'epoch', 'log_offset', 'snapshot'
  ] as const
  for (const name of integers) recorded = recorded.addColumn(name, 'bigint', column => column.notNull())
  await recorded.addColumn('data', 'text', column => column.notNull()).execute()

  let positions = db.schema.createTable('recorder_positions')
    .addColumn('shard', 'bigint', column => column.primaryKey())
  const columns = [
    'era', 'epoch', 'log_offset', 'catching_up', 'timestamp', 'floor', 'version'
  ] as const
  for (const name of columns) positions = positions.addColumn(name, 'bigint', column => column.notNull())
  await positions.execute()

  // DuckDB finds rows by what each of its blocks holds at least and at most: rows come in the order of time.
  // An index there would have to fit into memory.
  const { rows: [is] } = await sql<{ version: string }>`select version() as version`.execute(db)
  if (is?.version.startsWith('PostgreSQL') !== true) return
  await db.schema.createIndex('recorded_order').unique().on('recorded')
    .columns(['channel', 'symbol', 'timestamp', 'era', 'sequence']).execute()
  await db.schema.createIndex('recorded_time').on('recorded').columns(['channel', 'symbol', 'time']).execute()
  await sql`create index recorded_age on recorded using brin (timestamp)`.execute(db)
}
