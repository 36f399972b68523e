import type { StoreLog, Unwritten } from '../store.js'
import { type TableName, tableNames } from '../tables.js'
import { Periodic } from './periodic.js'

interface Refusal {
  readonly key: string
  readonly why: string
}

/** What a store says of its database: at most one line a period of each kind, and table. */
export class WriterLog {
  private unavailableSince: number | undefined
  private readonly failures: Periodic<string>
  private readonly drops: Readonly<Record<TableName, Periodic<number>>>
  private readonly refusals: Readonly<Record<TableName, Periodic<Refusal>>>

  /** @param log once a period, of each kind */
  constructor (periodMs: number, private readonly log: StoreLog) {
    const perTable = <Value>(make: (table: TableName) => Value): Readonly<Record<TableName, Value>> => (
      Object.fromEntries(tableNames.map(name => [name, make(name)])) as Record<TableName, Value>)
    this.failures = new Periodic(periodMs, (attempts, error) => {
      log('warn', { event: 'store', error, attempts },
        'the store cannot write; rows wait, and it tries again')
    })
    this.drops = perTable(table => new Periodic(periodMs, (rows, waiting) => {
      log('error', { event: 'store', table, rows, waiting },
        'the store has dropped rows, the oldest that waited: more came than it could write')
    }))
    this.refusals = perTable(table => new Periodic(periodMs, (rows, { key, why }) => {
      log('error', { event: 'store', table, rows, key, error: why },
        'the database refuses rows; key names the last of them')
    }))
  }

  failed (error: string): void {
    this.unavailableSince ??= performance.now()
    this.failures.add(1, error)
  }

  /** @param waiting rows of the table that still wait */
  dropped (table: TableName, waiting: number): void {
    this.drops[table].add(1, waiting)
  }

  refused (table: TableName, key: string, why: string): void {
    this.refusals[table].add(1, { key, why })
  }

  succeeded (): void {
    if (this.unavailableSince === undefined) return
    // What was dropped is said before it is well again.
    for (const drops of Object.values(this.drops)) drops.close()
    this.failures.close()
    const after = Math.round(performance.now() - this.unavailableSince)
    this.log('info', { event: 'store', after_ms: after }, 'the store writes again')
    this.unavailableSince = undefined
  }

  /** @param unwritten how many rows were not written, by table */
  close (unwritten: Unwritten): void {
    const all = [this.failures, ...Object.values(this.drops), ...Object.values(this.refusals)]
    for (const periodic of all) periodic.close()
    for (const [table, rows] of Object.entries(unwritten)) {
      this.log('error', { event: 'store', table, rows },
        'the store was closed before it could write all rows')
    }
  }
}
