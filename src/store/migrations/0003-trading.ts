import { type Kysely, sql } from 'kysely'

type Columns = Readonly<Record<string, 'id' | 'text' | 'text?' | 'bigint'>>

const VERSION = { sequence: 'bigint', timestamp: 'bigint' } as const
const PLACE = { epoch: 'bigint', log_offset: 'bigint', ...VERSION } as const

const TABLES: Readonly<Record<string, { readonly columns: Columns, readonly key: readonly string[] }>> = {
  orders: {
    columns: {
      user_id: 'id',
      order_id: 'id',
      client_order_id: 'text?',
      symbol: 'text',
      side: 'text',
      order_type: 'text',
      time_in_force: 'text?',
      status: 'text',
      quantity: 'text',
      filled_qty: 'text',
      limit_price: 'text?',
      stop_price: 'text?',
      avg_price: 'text?',
      currency: 'text?',
      reason: 'text?',
      created_at: 'bigint',
      updated_at: 'bigint',
      ...PLACE
    },
    key: ['user_id', 'order_id']
  },
  fills: {
    columns: {
      user_id: 'id',
      exec_id: 'id',
      order_id: 'text',
      client_order_id: 'text?',
      symbol: 'text',
      side: 'text',
      quantity: 'text',
      price: 'text',
      fee: 'text?',
      currency: 'text?',
      time: 'bigint',
      ...PLACE
    },
    key: ['user_id', 'exec_id']
  },
  accounts: { columns: { user_id: 'id', data: 'text', ...VERSION }, key: ['user_id'] },
  strategies: {
    columns: { strategy_id: 'id', user_id: 'text', name: 'text', status: 'text', data: 'text', ...VERSION },
    key: ['strategy_id']
  },
  trading_positions: {
    columns: { shard: 'bigint', epoch: 'bigint', log_offset: 'bigint', timestamp: 'bigint' },
    key: ['shard']
  }
}

export async function up (db: Kysely<unknown>): Promise<void> {
  const { rows: [is] } = await sql<{ version: string }>`select version() as version`.execute(db)
  const isPostgres = is?.version.startsWith('PostgreSQL') === true
  // Ids are ordered by their code points, as DuckDB does and readers do, whatever the database's language is.
  const id = isPostgres ? sql`text collate "C"` : sql`text`
  for (const [name, { columns, key }] of Object.entries(TABLES)) {
    let table = db.schema.createTable(name)
    for (const [column, type] of Object.entries(columns)) {
      const sqlType = type === 'id' ? id : type === 'bigint' ? sql`bigint` : sql`text`
      table = table.addColumn(column, sqlType, added => type === 'text?' ? added : added.notNull())
    }
    await table.addPrimaryKeyConstraint(`${name}_key`, key as never).execute()
  }
  // DuckDB reads a user's rows fast enough without.
  if (!isPostgres) return
  await db.schema.createIndex('orders_of_user').on('orders')
    .columns(['user_id', 'created_at', 'order_id']).execute()
  await db.schema.createIndex('fills_of_user').on('fills')
    .columns(['user_id', 'time', 'sequence', 'exec_id']).execute()
}
