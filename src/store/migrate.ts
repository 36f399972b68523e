import { type Kysely, type Migration, Migrator, sql } from 'kysely'
import { ConfigError } from '../config.js'

/** Named after this program: others may use the same library in the same database. */
const MIGRATION_TABLE = 'tickwire_migrations'
const MIGRATION_LOCK_TABLE = 'tickwire_migrations_lock'

/**
 * Brings a database to the schema of this program, in one transaction: if a migration fails, no table is changed.
 * @param db used by nobody else
 * @param where names the database in messages
 * @throws ConfigError if the schema is newer than this program; or else what the migration that failed has thrown, with its name
 */
export async function migrate (db: Kysely<unknown>, migrations: Readonly<Record<string, Migration>>, where: string): Promise<void> {
  await refuseNewer(db, migrations, where)
  const migrator = new Migrator({
    db, provider: { getMigrations: async () => ({ ...migrations }) }, migrationTableName: MIGRATION_TABLE, migrationLockTableName: MIGRATION_LOCK_TABLE
  })
  const { error, results } = await migrator.migrateToLatest()
  if (error === undefined) return
  // Another server may have brought a newer schema meanwhile.
  await refuseNewer(db, migrations, where)
  const failed = results?.find(({ status }) => status === 'Error')
  if (failed === undefined) throw error
  throw new MigrationError(`${where}: the migration ${failed.migrationName} failed, and nothing was changed: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
}

/** A migration that failed; `cause` is the database's error. */
export class MigrationError extends ConfigError {}

async function refuseNewer (db: Kysely<unknown>, migrations: Readonly<Record<string, Migration>>, where: string): Promise<void> {
  const done = await executedMigrations(db)
  const unknown = done.filter(name => !Object.hasOwn(migrations, name))
  if (unknown.length === 0) return
  throw new ConfigError(`${where} has a newer schema than this version of the server (${unknown.join(', ')}): run the version that wrote it, or a newer one`)
}

async function executedMigrations (db: Kysely<unknown>): Promise<string[]> {
  const there = await db.introspection.getTables({ withInternalKyselyTables: true })
  if (!there.some(({ name }) => name === MIGRATION_TABLE)) return []
  const { rows } = await sql<{ name: string }>`select name from ${sql.table(MIGRATION_TABLE)} order by name`.execute(db)
  return rows.map(({ name }) => name)
}
