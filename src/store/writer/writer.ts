import type { Database } from '../database.js'
import type { StoreHealth, StoreLog, TableHealth, Unwritten } from '../store.js'
import { type AnyRow, keyOf, type TableName, tableNames, tables } from '../tables.js'
import { type Bounds, bytesOf, WaitingRows, type WaitingRow } from './waiting-rows.js'
import { rowFault } from './row-fault.js'
import { WriterLog } from './writer-log.js'
import { wordsOf } from '../../errors.js'

export interface WriterLimits {
  /** What one statement writes at most. */
  readonly batch: Bounds
  /**
   * What waits at most, of each table: a table that is written often cannot drive out the rows of another.
   */
  readonly waiting: Bounds
  /** Of one row; a larger one is refused. */
  readonly rowBytes: number
  /** For how long rows are gathered into one statement. */
  readonly lingerMs: number
  /** The pause after a failure: doubled with each, and by chance up to half shorter. */
  readonly retry: { readonly leastMs: number, readonly mostMs: number }
  /** How often it says of one kind of trouble that it goes on. */
  readonly sayEveryMs: number
}

const KIBIBYTE = 1024
const MEBIBYTE = 1024 * KIBIBYTE

export const WRITER_LIMITS: WriterLimits = {
  batch: { rows: 500, bytes: 512 * KIBIBYTE },
  waiting: { rows: 50_000, bytes: 32 * MEBIBYTE },
  rowBytes: MEBIBYTE,
  lingerMs: 50,
  retry: { leastMs: 100, mostMs: 5_000 },
  sayEveryMs: 30_000
}

interface Flush {
  /** The number of the last row that it waits for. */
  readonly upTo: number
  /** One of them was dropped or refused. */
  hasLost: boolean
  done (): void
}

interface TableState extends Record<keyof Pick<TableHealth, 'written' | 'dropped' | 'refused'>, number> {
  readonly name: TableName
  readonly waiting: WaitingRows
  /** Taken out of those that wait, and on their way to the database. */
  underWay: readonly WaitingRow[]
}

/** Writes rows in batches, one statement at a time, for as long as any wait. */
export class Writer {
  /** In the order in which they are written. */
  private states: readonly TableState[]
  private readonly flushes = new Set<Flush>()
  private readonly log: WriterLog
  /** Numbers the rows that come. */
  private number = 0
  private failures = 0
  private error: string | undefined
  private running: Promise<void> | undefined
  private isClosed = false
  /** Nothing more is begun. */
  private isEnded = false
  /** Ends the present pause, of one of these kinds. */
  private pause: { readonly kind: 'gathering' | 'retry', end (): void } | undefined

  /** @param random from 0 to 1 */
  constructor (
    private readonly database: Database,
    log: StoreLog,
    private readonly limits: WriterLimits = WRITER_LIMITS,
    private readonly random: () => number = Math.random
  ) {
    this.log = new WriterLog(limits.sayEveryMs, log)
    this.states = tableNames.map(name => {
      const state: TableState = {
        name,
        written: 0,
        dropped: 0,
        refused: 0,
        underWay: [],
        waiting: new WaitingRows(tables[name], limits.waiting, row => { this.drop(state, row) })
      }
      return state
    })
  }

  add (table: TableName, rows: readonly AnyRow[]): void {
    const state = this.states.find(({ name }) => name === table)!
    for (const row of rows) {
      const waiting = { row, bytes: bytesOf(row), number: ++this.number }
      const { bytes, number } = waiting
      if (this.isClosed) this.drop(state, waiting)
      else if (bytes <= this.limits.rowBytes) state.waiting.add(row, bytes, number)
      else this.refuse(state, waiting, `it has ${bytes} bytes, of at most ${this.limits.rowBytes}`)
    }
    if (state.waiting.count === 0) return
    if (this.isFull(state)) this.endPause('gathering')
    this.running ??= this.run()
  }

  /** @returns whether all rows that were added before are written, at the end of the time at the latest */
  async flush (withinMs: number): Promise<boolean> {
    if (this.oldest === undefined) return true
    const flush: Flush = { upTo: this.number, hasLost: false, done: () => {} }
    const isInTime = await new Promise<boolean>(resolve => {
      const timer = setTimeout(() => { resolve(false) }, withinMs)
      flush.done = () => {
        clearTimeout(timer)
        resolve(true)
      }
      this.flushes.add(flush)
      this.endPause('gathering')
    })
    this.flushes.delete(flush)
    return isInTime && !flush.hasLost
  }

  health (): StoreHealth {
    const of = ({ waiting, underWay, written, dropped, refused }: TableState): TableHealth => ({
      waiting: waiting.count + underWay.length,
      waitingBytes: waiting.bytes + underWay.reduce((sum, { bytes }) => sum + bytes, 0),
      written,
      dropped,
      refused
    })
    const tables = Object.fromEntries(this.states.map(state => [state.name, of(state)]))
    return {
      state: this.isClosed ? 'closed' : this.error === undefined ? 'available' : 'unavailable',
      ...(this.error === undefined ? {} : { error: this.error }),
      tables: tables as Record<TableName, TableHealth>
    }
  }

  /**
   * @param endStatement ends the statement that is under way at the end of the time
   * @returns how many rows were not written
   */
  async close (withinMs: number, endStatement: () => Promise<void>): Promise<Unwritten> {
    this.isClosed = true
    const flushed = this.flush(withinMs)
    this.endPause('retry')
    await flushed
    this.isEnded = true
    this.endPause('retry')
    await endStatement()
    await this.running
    const left = this.states.filter(({ waiting }) => waiting.count > 0)
    const unwritten = Object.fromEntries(left.map(({ name, waiting }) => [name, waiting.count]))
    for (const state of left) {
      const rows = state.waiting.take({ rows: Infinity, bytes: Infinity })
      for (const row of rows) this.lose(row, state, 'dropped')
    }
    this.log.close(unwritten)
    return unwritten
  }

  private async run (): Promise<void> {
    while (!this.isEnded && this.states.some(({ waiting }) => waiting.count > 0)) {
      const isHurried = this.flushes.size > 0 || this.states.some(state => this.isFull(state))
      if (!isHurried) await this.wait('gathering', this.limits.lingerMs)
      try {
        for (const state of this.states) await this.writeBatch(state)
        this.failures = 0
        this.error = undefined
        this.log.succeeded()
      } catch (error) {
        this.error = wordsOf(error)
        this.log.failed(this.error)
        const { leastMs, mostMs } = this.limits.retry
        const pauseMs = Math.min(mostMs, leastMs * 2 ** this.failures++)
        if (!this.isEnded) await this.wait('retry', pauseMs * (1 - this.random() / 2))
      }
      this.settleFlushes()
    }
    // At once, so that rows which come behind the last look are not left to a run that has ended.
    this.running = undefined
  }

  private async writeBatch (state: TableState): Promise<void> {
    const table = tables[state.name]
    const sound = state.waiting.take(this.limits.batch).filter(waiting => {
      const fault = rowFault(table, waiting.row)
      if (fault !== undefined) this.refuse(state, waiting, fault)
      return fault === undefined
    })
    // In the order of the keys, so that two servers that write the same rows cannot deadlock.
    state.underWay = sound.sort((a, b) => keyOf(table, a.row) < keyOf(table, b.row) ? -1 : 1)
    try {
      await this.writeRows(state, state.underWay)
    } catch (error) {
      state.waiting.putBack([...state.underWay].sort((a, b) => a.number - b.number))
      // If only this table cannot be written, the others get their turn.
      this.states = [...this.states.filter(other => other !== state), state]
      throw error
    } finally {
      state.underWay = []
    }
  }

  /** Writes rows; if the database refuses one of them, all the others. */
  private async writeRows (state: TableState, rows: readonly WaitingRow[]): Promise<void> {
    if (rows.length === 0) return
    try {
      await this.database.write(state.name, rows.map(({ row }) => row))
      state.written += rows.length
    } catch (error) {
      if (!this.database.isRefusal(error)) throw error
      if (rows.length > 1) {
        const half = rows.length >> 1
        await this.writeRows(state, rows.slice(0, half))
        await this.writeRows(state, rows.slice(half))
        return
      }
      this.refuse(state, rows[0]!, wordsOf(error))
    }
    const done = new Set(rows)
    state.underWay = state.underWay.filter(waiting => !done.has(waiting))
  }

  private drop (state: TableState, waiting: WaitingRow): void {
    this.lose(waiting, state, 'dropped')
    this.log.dropped(state.name, state.waiting.count)
  }

  private refuse (state: TableState, waiting: WaitingRow, why: string): void {
    this.lose(waiting, state, 'refused')
    this.log.refused(state.name, keyOf(tables[state.name], waiting.row), why)
  }

  private lose ({ number }: WaitingRow, state: TableState, how: 'dropped' | 'refused'): void {
    state[how]++
    for (const flush of this.flushes) if (number <= flush.upTo) flush.hasLost = true
  }

  private settleFlushes (): void {
    const { oldest } = this
    for (const flush of this.flushes) if (oldest === undefined || oldest > flush.upTo) flush.done()
  }

  /** The number of the oldest row that is not written. */
  private get oldest (): number | undefined {
    let oldest: number | undefined
    for (const { waiting, underWay } of this.states) {
      for (const number of [waiting.first, ...underWay.map(({ number }) => number)]) {
        if (number !== undefined && (oldest === undefined || number < oldest)) oldest = number
      }
    }
    return oldest
  }

  private isFull ({ waiting }: TableState): boolean {
    const { rows, bytes } = this.limits.batch
    return waiting.count >= rows || waiting.bytes >= bytes
  }

  private async wait (kind: 'gathering' | 'retry', milliseconds: number): Promise<void> {
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, milliseconds)
      this.pause = {
        kind,
        end () {
          clearTimeout(timer)
          resolve()
        }
      }
    })
    this.pause = undefined
  }

  private endPause (kind: 'gathering' | 'retry'): void {
    if (this.pause?.kind === kind) this.pause.end()
  }
}
