import type { Kysely } from 'kysely'
import type { Recording } from './recording.js'
import type { LostMessages, Row, TableName, Tables } from './tables.js'

/**
 * The contract of a store: what must outlive the log, and can be queried (ADR 40). Callers never wait: the
 * store writes rows in batches in the background. If the database is slow or away, rows wait up to a bound;
 * beyond it the store drops the oldest, and says so.
 */
export interface Store {
  /**
   * Takes rows to be written, and returns at once; it never throws. Of each key the newest row is kept
   * (`version` in tables.ts), so that rows may be written again.
   */
  write<Name extends TableName>(table: Name, rows: Row<Name> | readonly Row<Name>[]): void
  /**
   * Reads what has been written: `await store.query.selectFrom('states').selectAll().execute()`. Rejects if
   * the database is away.
   */
  readonly query: Query
  /** Deletes orders and fills of messages that the log has lost. Rejects if the database is away. */
  deleteLost(lost: readonly LostMessages[]): Promise<void>
  /**
   * Deletes rows of the monitor from before a time, in milliseconds since 1970. Rejects if the database is
   * away.
   * @returns how many
   */
  forgetMonitored(before: number): Promise<number>
  /** Messages of the log, which the recorder writes by itself. */
  readonly recording: Recording
  /**
   * Waits until the rows that wait now are in the database.
   * @param withinMs how long it waits
   * @returns whether all of them are: false if one is dropped or refused meanwhile, or still waits at the end
   * of the time
   */
  flush(withinMs?: number): Promise<boolean>
  health(): StoreHealth
  /**
   * Writes what still waits, and closes the database. Rows that come later are dropped.
   * @param withinMs how long to try
   * @returns how many rows were not written, by table; empty if all were
   */
  close(withinMs?: number): Promise<Unwritten>
}

/** A store that may not be open yet. */
export interface StoreAccess {
  /** The store, once it is open. */
  readonly current: Store | undefined
  /** Whether there may be rows in it before it is open, which nobody can read then. */
  readonly mayHoldRows: boolean
  /** Tries to open the store. Resolves when it is open, or could not be: then it is tried again. */
  demand (): Promise<void>
  /** Opens the store, and returns it once it is open. Rejects if the signal is aborted before. */
  opened (signal: AbortSignal): Promise<Store>
}

/** Gives access to a store that is open. */
export const accessTo = (store: Store): StoreAccess =>
  ({ current: store, mayHoldRows: true, demand: async () => {}, opened: async () => store })

/** How many rows were not written, by table. */
export type Unwritten = Readonly<Partial<Record<TableName, number>>>

export type Query = Pick<Kysely<Tables>, 'selectFrom'>

export interface StoreHealth {
  /** `unavailable`: the last write failed, and the store tries again. */
  readonly state: 'available' | 'unavailable' | 'closed'
  /** Why it is unavailable. */
  readonly error?: string
  readonly tables: Readonly<Record<TableName, TableHealth>>
}

/** Of a table's rows. The last three only grow. */
export interface TableHealth {
  readonly waiting: number
  readonly waitingBytes: number
  readonly written: number
  /** For want of room or time. */
  readonly dropped: number
  /** Each by itself, because the database does not take it. */
  readonly refused: number
}

/** Is told what happens to a store, at most once a period for each kind of event. */
export type StoreLog = (level: 'info' | 'warn' | 'error', fields: LogFields, message: string) => void
export type LogFields = Readonly<Record<string, string | number>>
