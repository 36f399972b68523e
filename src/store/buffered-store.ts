import type { Database } from './database.js'
import { forgetMonitored } from './monitor-rows.js'
import { Recording } from './recording.js'
import { forgetRemoved } from './states.js'
import type { Query, Store, StoreHealth, StoreLog, Unwritten } from './store.js'
import type { AnyRow, LostMessages, Row, TableName } from './tables.js'
import { deleteLost } from './trading-rows.js'
import { Writer, type WriterLimits } from './writer/writer.js'

const FLUSH_MS = 10_000
const CLOSE_MS = 5_000
const FORGET_EVERY_MS = 3_600_000

export interface StoreOptions {
  readonly log: StoreLog
  readonly limits?: WriterLimits
  /** From 0 to 1. */
  readonly random?: () => number
  /** In milliseconds since 1970. */
  readonly now?: () => number
}

/** A store on one database, whose rows wait in memory until they are written. */
export class BufferedStore implements Store {
  readonly recording: Recording
  private readonly writer: Writer
  private readonly forgetting: NodeJS.Timeout

  /** @param database is closed with the store */
  constructor (private readonly database: Database, { log, limits, random, now = Date.now }: StoreOptions) {
    this.recording = new Recording(database)
    this.writer = new Writer(database, log, limits, random)
    this.forgetting = setInterval(() => { void this.forget(now()) }, FORGET_EVERY_MS).unref()
    void this.forget(now())
  }

  write<Name extends TableName>(table: Name, rows: Row<Name> | readonly Row<Name>[]): void {
    this.writer.add(table, (Array.isArray(rows) ? rows : [rows]) as readonly AnyRow[])
  }

  get query (): Query {
    return this.database.reader
  }

  async deleteLost (lost: readonly LostMessages[]): Promise<void> {
    await deleteLost(this.database.writer, lost)
  }

  async forgetMonitored (before: number): Promise<number> {
    return await forgetMonitored(this.database, before)
  }

  async flush (withinMs = FLUSH_MS): Promise<boolean> {
    return await this.writer.flush(withinMs)
  }

  health (): StoreHealth {
    return this.writer.health()
  }

  async close (withinMs = CLOSE_MS): Promise<Unwritten> {
    clearInterval(this.forgetting)
    return await this.writer.close(withinMs, () => this.database.close())
  }

  private async forget (now: number): Promise<void> {
    try {
      await forgetRemoved(this.database.writer, now)
    } catch {
      // There is no hurry: next time.
    }
  }
}
