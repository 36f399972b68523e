import type { Store, StoreLog } from './store.js'
import type { Row } from './tables.js'

/** How long to wait before the store is opened again, if it could not be. */
const RETRY_MS = 5_000

/**
 * The states of a server that has kept nothing yet: the store opens at the first of them, so that a server
 * that keeps nothing makes no file and needs no database.
 */
export class LateStore {
  /** By topic, the newest state while the store is not open. */
  private readonly waiting = new Map<string, Row<'states'>>()
  private store: Store | undefined
  private opening: Promise<void> | undefined
  private retry: NodeJS.Timeout | undefined
  private closed = false

  constructor (
    private readonly open: () => Promise<Store>,
    private readonly log: StoreLog,
    private readonly retryMs = RETRY_MS
  ) {}

  write (table: 'states', row: Row<'states'>): void {
    if (this.store !== undefined) {
      this.store.write(table, row)
      return
    }
    this.waiting.set(row.topic, row)
    if (this.retry === undefined) this.opening ??= this.tryToOpen()
  }

  async close (): Promise<void> {
    this.closed = true
    clearTimeout(this.retry)
    await this.opening
    if (this.waiting.size > 0) {
      const fields = { event: 'store', table: 'states', rows: this.waiting.size }
      this.log('error', fields, 'the store was closed before it could write all rows')
    }
    await this.store?.close()
  }

  private async tryToOpen (): Promise<void> {
    try {
      const store = await this.open()
      for (const row of this.waiting.values()) store.write('states', row)
      this.waiting.clear()
      this.store = store
    } catch (error) {
      const { message } = error as Error
      this.log('error', { event: 'store', error: message, waiting: this.waiting.size },
        'the store cannot be opened: the server tries again, and forgets these changes if it stops first')
      if (!this.closed) this.retry = setTimeout(() => { this.tryAgain() }, this.retryMs).unref()
    } finally {
      this.opening = undefined
    }
  }

  private tryAgain (): void {
    this.retry = undefined
    this.opening = this.tryToOpen()
  }
}
