import { type Kysely, sql } from 'kysely'

type Columns = Readonly<Record<string, 'id' | 'text' | 'text?' | 'bigint' | 'bigint?'>>

const TRAFFIC = {
  messages_sent: 'bigint', bytes_sent: 'bigint', messages_received: 'bigint', bytes_received: 'bigint'
} as const

const TABLES: Readonly<Record<string, { readonly columns: Columns, readonly key: readonly string[] }>> = {
  websocket_connections: {
    columns: {
      connection_id: 'id',
      user_id: 'text?',
      transport: 'text',
      node: 'text',
      node_name: 'text',
      address: 'text',
      connected_at: 'bigint',
      last_heartbeat: 'bigint',
      disconnected_at: 'bigint?',
      disconnect_code: 'bigint?',
      disconnect_reason: 'text?',
      ...TRAFFIC,
      updated_at: 'bigint'
    },
    key: ['connection_id']
  },
  websocket_subscriptions: {
    columns: {
      connection_id: 'id',
      subscription_id: 'id',
      channel: 'text',
      symbols: 'text?',
      throttle_ms: 'bigint',
      depth: 'bigint',
      since: 'bigint',
      until: 'bigint?',
      updated_at: 'bigint'
    },
    key: ['connection_id', 'subscription_id']
  },
  websocket_metrics: {
    columns: {
      node: 'id',
      minute: 'bigint',
      channel: 'id',
      node_name: 'text',
      started: 'bigint',
      messages: 'bigint',
      bytes: 'bigint',
      p50: 'bigint?',
      p95: 'bigint?',
      p99: 'bigint?',
      lost: 'bigint',
      updated_at: 'bigint'
    },
    key: ['node', 'minute', 'channel']
  },
  rate_limits: {
    columns: {
      node: 'id',
      kind: 'id',
      key_kind: 'id',
      key_value: 'id',
      since: 'bigint',
      count: 'bigint',
      max: 'bigint',
      window_ms: 'bigint',
      last_at: 'bigint'
    },
    key: ['node', 'kind', 'key_kind', 'key_value', 'since']
  }
}

export async function up (db: Kysely<unknown>): Promise<void> {
  const { rows: [is] } = await sql<{ version: string }>`select version() as version`.execute(db)
  const isPostgres = is?.version.startsWith('PostgreSQL') === true
  const id = isPostgres ? sql`text collate "C"` : sql`text`
  for (const [name, { columns, key }] of Object.entries(TABLES)) {
    let table = db.schema.createTable(name)
    for (const [column, type] of Object.entries(columns)) {
      const sqlType = type === 'id' ? id : type.startsWith('bigint') ? sql`bigint` : sql`text`
      table = table.addColumn(column, sqlType, added => type.endsWith('?') ? added : added.notNull())
    }
    await table.addPrimaryKeyConstraint(`${name}_key`, key as never).execute()
  }
  // DuckDB reads what is old, or of one minute, fast enough without.
  if (!isPostgres) return
  // In the order in which ended ones are read, which a plain index would not have: it puts nulls first.
  await sql`create index websocket_connections_end on websocket_connections
    (disconnected_at desc nulls last, connection_id)`.execute(db)
  for (const name of ['websocket_connections', 'websocket_subscriptions']) {
    await db.schema.createIndex(`${name}_age`).on(name).column('updated_at').execute()
  }
  await db.schema.createIndex('websocket_metrics_minute').on('websocket_metrics').column('minute').execute()
}
