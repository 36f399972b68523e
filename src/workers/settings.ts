import { availableParallelism } from 'node:os'
import { type Config, ConfigError } from '../config.js'

type Settings = Pick<Config, 'WORKERS' | 'RECORD' | 'MONITOR_DAYS' | 'DATABASE_URL'>

/** Returns how many processes shall serve clients; with one, it is the process that was started. */
export const workersOf = ({ WORKERS }: Pick<Config, 'WORKERS'>): number =>
  WORKERS === 'auto' ? availableParallelism() : WORKERS

/**
 * Checks that several workers can share what the settings ask for: one process at a time can open the file of
 * a DuckDB.
 * @throws ConfigError
 */
export function checkWorkers (settings: Settings): void {
  const count = workersOf(settings)
  if (count === 1 || settings.DATABASE_URL !== undefined) return
  const name = settings.RECORD !== undefined ? 'RECORD' : settings.MONITOR_DAYS ? 'MONITOR_DAYS' : undefined
  if (name === undefined) return
  throw new ConfigError(`${name} needs DATABASE_URL with WORKERS=${settings.WORKERS}: ` +
    `${count} workers cannot write one DuckDB file; ` +
    'set DATABASE_URL to a PostgreSQL, postgres://user:password@host:5432/database, or WORKERS=1')
}
