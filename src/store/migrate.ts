import { type Kysely, Migrator, sql } from 'kysely'
import { ConfigError } from '../config.js'
import type { Migrations } from './migrations/index.js'
import { wordsOf } from '../errors.js'

/** Named after this program: others may use the same library in the same database. */
const MIGRATION_TABLE = 'tickwire_migrations'
const MIGRATION_LOCK_TABLE = 'tickwire_migrations_lock'

/**
 * Brings a database to the schema of this program, in one transaction: if a migration fails, no table is
 * changed.
 * @param db used by nobody else
 * @param where names the database in messages
 * @throws ConfigError if the schema is newer than this program; or a migration fails, with the database's
 * error as its cause
 */
export async function migrate (db: Kysely<unknown>, migrations: Migrations, where: string): Promise<void> {
  await refuseNewer(db, migrations, where)
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...migrations }) },
    migrationTableName: MIGRATION_TABLE,
    migrationLockTableName: MIGRATION_LOCK_TABLE
  })
  const { error, results } = await migrator.migrateToLatest()
  if (error === undefined) return
  // Another server may have brought a newer schema meanwhile.
  await refuseNewer(db, migrations, where)
  const failed = results?.find(({ status }) => status === 'Error')
  if (failed === undefined) throw error
  const why = wordsOf(error)
  const { migrationName: name } = failed
  const message = `${where}: the migration ${name} failed, and nothing was changed: ${why}`
  throw new ConfigError(message, { cause: error })
}

async function refuseNewer (db: Kysely<unknown>, migrations: Migrations, where: string): Promise<void> {
  const done = await executedMigrations(db)
  const unknown = done.filter(name => !Object.hasOwn(migrations, name))
  if (unknown.length === 0) return
  const names = unknown.join(', ')
  throw new ConfigError(`${where} has a newer schema than this version of the server (${names}): ` +
    'run the version that wrote it, or a newer one')
}

async function executedMigrations (db: Kysely<unknown>): Promise<string[]> {
  const there = await db.introspection.getTables({ withInternalKyselyTables: true })
  if (!there.some(({ name }) => name === MIGRATION_TABLE)) return []
  const executed = sql<{ name: string }>`select name from ${sql.table(MIGRATION_TABLE)} order by name`
  const { rows } = await executed.execute(db)
  return rows.map(({ name }) => name)
}
