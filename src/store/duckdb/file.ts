import { mkdirSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type * as duckdbApi from '@duckdb/node-api'
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { ConfigError } from '../../config.js'
import { wordsOf } from '../../errors.js'

export type DuckDB = typeof duckdbApi

/** A server may load DuckDB while clients wait: `import` takes twice the time. */
const load = createRequire(import.meta.url)

/**
 * The files that this process has open. DuckDB locks a file against other processes only; opening one twice
 * in a process would destroy it.
 */
const openFiles = new Set<string>()

/** Tells whether this process has a file open, by its path without symbolic links. */
export const isOpenHere = (path: string): boolean => openFiles.has(path)

/**
 * DuckDB shares the machine with the streaming: one thread computes, in bounded memory, and it reads and
 * fetches nothing but its own database.
 */
export const CONFINED = {
  threads: '1',
  memory_limit: '512MB',
  enable_external_access: 'false',
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false'
}
/** DuckDB moves written changes into the file itself (a checkpoint) when there are so many bytes of them. */
const OPTIONS = { ...CONFINED, checkpoint_threshold: '16MB' }

/**
 * After a failure of this kind DuckDB answers nothing any more until the file is opened anew: a full disk is
 * one.
 */
export const IS_FATAL = /^FATAL Error|database has been invalidated/
const IS_LOCKED = /Could not set lock on file|being used by another process/i
const IS_FOREIGN = /not a valid DuckDB database file|Serialization Error|version number/i

/** A statement that begins just when the store is closed is interrupted the next time. */
const INTERRUPT_EVERY_MS = 50

/** A database file that one process has open; it is opened anew where a failure demands it. */
export class DuckDBFile {
  private readonly connections = new Set<DuckDBConnection>()
  /** Connections, and those that are being made. */
  private inUse = 0
  private instance: DuckDBInstance | undefined
  private opening: Promise<DuckDBInstance> | undefined
  private hasFailed = false
  private isClosed = false
  /** Called when nothing is in use. */
  private readonly waiters: (() => void)[] = []

  private constructor (readonly path: string, private readonly duckdb: DuckDB) {}

  /** @throws ConfigError that says what to do */
  static async open (path: string): Promise<DuckDBFile> {
    const advice = ', or set DATABASE_URL to a PostgreSQL'
    const duckdb = loadDuckDB('without DATABASE_URL the store needs', advice)
    const real = prepareFolder(path)
    if (openFiles.has(real)) {
      throw new ConfigError(`${path} is open in this process already: ` +
        'each server needs a DATA_DIR of its own, or DATABASE_URL')
    }
    openFiles.add(real)
    const file = new DuckDBFile(real, duckdb)
    try {
      file.instance = await duckdb.DuckDBInstance.create(real, OPTIONS)
      return file
    } catch (error) {
      openFiles.delete(real)
      throw openError(path, wordsOf(error))
    }
  }

  /** A connection, which is to be released. It waits where the file must be opened anew. */
  async connect (): Promise<DuckDBConnection> {
    let instance = await this.usable()
    while (instance !== this.instance || this.hasFailed || this.isClosed) instance = await this.usable()
    this.inUse++
    try {
      const connection = await instance.connect()
      this.connections.add(connection)
      return connection
    } catch (error) {
      this.leave()
      throw error
    }
  }

  release (connection: DuckDBConnection): void {
    this.connections.delete(connection)
    connection.closeSync()
    this.leave()
  }

  /** Takes note of how a statement failed. */
  noteFailure (error: unknown): void {
    if (error instanceof Error && IS_FATAL.test(error.message)) this.hasFailed = true
  }

  async close (): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    while (this.inUse > 0 || this.opening !== undefined) {
      for (const connection of this.connections) connection.interrupt()
      await Promise.race([this.unused(), delay(INTERRUPT_EVERY_MS, undefined, { ref: false })])
      await this.opening?.catch(() => {})
    }
    await this.checkpoint()
    this.instance?.closeSync()
    openFiles.delete(this.path)
  }

  private async usable (): Promise<DuckDBInstance> {
    if (this.isClosed) throw new Error('the store is closed')
    if (!this.hasFailed && this.instance !== undefined) return this.instance
    return await (this.opening ??= this.openAnew().finally(() => { this.opening = undefined }))
  }

  private async openAnew (): Promise<DuckDBInstance> {
    await this.unused()
    this.instance?.closeSync()
    this.instance = undefined
    this.instance = await this.duckdb.DuckDBInstance.create(this.path, OPTIONS)
    this.hasFailed = false
    return this.instance
  }

  private async unused (): Promise<void> {
    while (this.inUse > 0) await new Promise<void>(resolve => { this.waiters.push(resolve) })
  }

  private leave (): void {
    this.inUse--
    if (this.inUse === 0) for (const wake of this.waiters.splice(0)) wake()
  }

  /** Done by closing as well, where it would hold up the event loop. */
  private async checkpoint (): Promise<void> {
    try {
      const connection = await this.instance?.connect()
      await connection?.run('checkpoint').finally(() => { connection.closeSync() })
    } catch {
      // The changes are safe where they are, and the next start reads them.
    }
  }
}

/**
 * Loads the optional dependency.
 * @param need and `advice`: how the error begins and ends
 * @throws ConfigError if it is not there
 */
export function loadDuckDB (need: string, advice: string): DuckDB {
  try {
    return load('@duckdb/node-api') as DuckDB
  } catch (error) {
    throw new ConfigError(`${need} DuckDB, an optional dependency that is not installed or does not load ` +
      `here: npm install @duckdb/node-api${advice}`, { cause: error })
  }
}

/** @returns the file's path without symbolic links, so that no other name for it is taken for another file */
function prepareFolder (path: string): string {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    return join(realpathSync(dirname(path)), basename(path))
  } catch (error) {
    const why = wordsOf(error)
    throw new ConfigError(`DATA_DIR: the folder ${dirname(path)} cannot be made: ${why}`)
  }
}

function openError (path: string, message: string): ConfigError {
  if (IS_LOCKED.test(message)) {
    const holder = /PID (\d+)/.exec(message)?.[1]
    const whom = holder === undefined ? '' : ` (${holder})`
    return new ConfigError(`${path} is in use by another process${whom}, and DuckDB allows one: ` +
      'stop the other server, give this one a DATA_DIR of its own, or share a PostgreSQL with DATABASE_URL')
  }
  const what = IS_FOREIGN.test(message)
    ? 'is no database of this version of DuckDB; move it away, or choose another DATA_DIR'
    : 'cannot be opened'
  return new ConfigError(`${path} ${what}: ${message.split('\n')[0]}`)
}
