import { type AnyRow, isNewer, keyOf, type TableDefinition } from '../tables.js'

/** A row that waits to be written. */
export interface WaitingRow {
  readonly row: AnyRow
  readonly bytes: number
  /** Grows with each row that comes. A row that replaces a waiting one takes its number and its turn. */
  readonly number: number
}

export interface Bounds {
  readonly rows: number
  readonly bytes: number
}

/** What a row costs beside its text: numbers, and what holds it. */
const ROW_OVERHEAD_BYTES = 200

export function bytesOf (row: AnyRow): number {
  let bytes = ROW_OVERHEAD_BYTES
  for (const column in row) {
    const value = row[column]
    if (typeof value === 'string') bytes += Buffer.byteLength(value)
  }
  return bytes
}

/** The rows of one table that wait, oldest first, within bounds: of each key only the newest. */
export class WaitingRows {
  private rows = new Map<string, WaitingRow>()
  bytes = 0

  /** @param onDrop is given each row that has to go because more came than fits */
  constructor (
    private readonly table: TableDefinition,
    private readonly bounds: Bounds,
    private readonly onDrop: (row: WaitingRow) => void
  ) {}

  get count (): number {
    return this.rows.size
  }

  /** The number of the oldest. */
  get first (): number | undefined {
    return this.rows.values().next().value?.number
  }

  add (row: AnyRow, bytes: number, number: number): void {
    const key = keyOf(this.table, row)
    const known = this.rows.get(key)
    if (known !== undefined && !isNewer(this.table, row, known.row)) return
    this.bytes += bytes - (known?.bytes ?? 0)
    this.rows.set(key, { row, bytes, number: known?.number ?? number })
    this.drop()
  }

  /** Takes the oldest rows out, within bounds; at least one, if there is any. */
  take ({ rows, bytes }: Bounds): WaitingRow[] {
    const taken: WaitingRow[] = []
    let sum = 0
    for (const [key, waiting] of this.rows) {
      sum += waiting.bytes
      if (taken.length > 0 && (taken.length === rows || sum > bytes)) break
      taken.push(waiting)
      this.bytes -= waiting.bytes
      this.rows.delete(key)
    }
    return taken
  }

  /**
   * Puts rows back that were taken and not written, before all others; newer ones of their keys take their
   * turn.
   */
  putBack (taken: readonly WaitingRow[]): void {
    const later = this.rows
    this.rows = new Map()
    for (const waiting of taken) {
      const key = keyOf(this.table, waiting.row)
      const known = later.get(key)
      later.delete(key)
      const isSuperseded = known !== undefined && isNewer(this.table, known.row, waiting.row)
      if (known !== undefined) this.bytes -= known.bytes
      const kept = isSuperseded ? { ...known, number: waiting.number } : waiting
      this.rows.set(key, kept)
      this.bytes += kept.bytes
    }
    for (const [key, waiting] of later) this.rows.set(key, waiting)
    this.drop()
  }

  private drop (): void {
    while (this.rows.size > this.bounds.rows || this.bytes > this.bounds.bytes) {
      for (const waiting of this.take({ rows: 1, bytes: 0 })) this.onDrop(waiting)
    }
  }
}
