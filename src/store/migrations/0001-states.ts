import type { Kysely } from 'kysely'

export async function up (db: Kysely<unknown>): Promise<void> {
  await db.schema.createTable('states')
    .addColumn('topic', 'text', column => column.primaryKey())
    .addColumn('channel', 'text', column => column.notNull())
    .addColumn('symbol', 'text')
    .addColumn('user_id', 'text')
    .addColumn('data', 'text')
    .addColumn('epoch', 'bigint', column => column.notNull())
    .addColumn('sequence', 'bigint', column => column.notNull())
    .addColumn('timestamp', 'bigint', column => column.notNull())
    .execute()
}
