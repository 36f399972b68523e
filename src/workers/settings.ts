import { availableParallelism } from 'node:os'
import { type Config, ConfigError } from '../config.js'

type Settings = Pick<Config, 'WORKERS' | 'RECORD' | 'MONITOR_DAYS' | 'DATABASE_URL'>

const INSTEAD = 'set DATABASE_URL to a PostgreSQL, postgres://user:password@host:5432/database'

/** Returns the setting that several workers cannot share: one process at a time can open a DuckDB file. */
function ofOneProcess ({ RECORD, MONITOR_DAYS, DATABASE_URL }: Settings): string | undefined {
  if (DATABASE_URL !== undefined) return undefined
  return RECORD !== undefined ? 'RECORD' : MONITOR_DAYS ? 'MONITOR_DAYS' : undefined
}

/**
 * Returns how many processes shall serve clients; with one, it is the process that was started.
 * @throws ConfigError if several cannot share what the settings ask for
 */
export function workersOf (settings: Settings): number {
  const { WORKERS } = settings
  const name = ofOneProcess(settings)
  if (WORKERS === 'auto') return name === undefined ? availableParallelism() : 1
  if (name === undefined || WORKERS === 1) return WORKERS
  throw new ConfigError(`${name} needs DATABASE_URL with WORKERS=${WORKERS}: ` +
    `${WORKERS} workers cannot write one DuckDB file; ${INSTEAD}, or WORKERS=1`)
}

/** Returns the warning that one process serves all although there may be more cores. */
export function workerNotices (settings: Settings): string[] {
  const name = ofOneProcess(settings)
  if (settings.WORKERS !== 'auto' || name === undefined) return []
  return [`WORKERS=auto: one process serves all clients, because ${name} is kept in a DuckDB file; ` +
    `to use all cores, ${INSTEAD}`]
}
