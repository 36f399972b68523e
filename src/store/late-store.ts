import type { Store, StoreAccess, StoreLog } from './store.js'
import type { Row } from './tables.js'

/** How long to wait before the store is opened again, if it could not be. */
const RETRY_MS = 5_000

/**
 * A store that opens when somebody needs it: at the first state that is written, or when it is asked for. So
 * a server that keeps nothing makes no file and needs no database. If the store cannot be opened, it is tried
 * again.
 */
export class LateStore implements StoreAccess {
  /** By topic, the newest state while the store is not open. */
  private readonly waiting = new Map<string, Row<'states'>>()
  /** Are given the store once it is open. */
  private readonly waiters = new Set<(store: Store) => void>()
  private store: Store | undefined
  private opening: Promise<void> | undefined
  private retry: NodeJS.Timeout | undefined
  private closed = false

  readonly mayHoldRows: boolean
  private readonly retryMs: number

  constructor (
    private readonly open: () => Promise<Store>,
    private readonly log: StoreLog,
    { retryMs = RETRY_MS, mayHoldRows = false }: { retryMs?: number, mayHoldRows?: boolean } = {}
  ) {
    this.retryMs = retryMs
    this.mayHoldRows = mayHoldRows
  }

  get current (): Store | undefined {
    return this.store
  }

  write (table: 'states', row: Row<'states'>): void {
    if (this.store !== undefined) {
      this.store.write(table, row)
      return
    }
    this.waiting.set(row.topic, row)
    void this.demand()
  }

  /** Tries to open the store. Returns when it is open, or could not be: then it is tried again. */
  async demand (): Promise<void> {
    if (this.store !== undefined || this.retry !== undefined || this.closed) return
    await (this.opening ??= this.tryToOpen())
  }

  async opened (signal: AbortSignal): Promise<Store> {
    signal.throwIfAborted()
    if (this.store !== undefined) return this.store
    void this.demand()
    return await new Promise((resolve, reject) => {
      const done = (): void => {
        this.waiters.delete(take)
        signal.removeEventListener('abort', stop)
      }
      const take = (store: Store): void => {
        done()
        resolve(store)
      }
      const stop = (): void => {
        done()
        reject(new Error('the store was not opened in time', { cause: signal.reason }))
      }
      this.waiters.add(take)
      signal.addEventListener('abort', stop)
    })
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
      for (const take of [...this.waiters]) take(store)
    } catch (error) {
      const { message } = error as Error
      const { size } = this.waiting
      this.log('error', { event: 'store', error: message, waiting: size }, 'the store cannot be opened: ' +
        `the server tries again${size === 0 ? '' : ', and forgets these changes if it stops first'}`)
      if (!this.closed) this.retry = setTimeout(() => { this.tryAgain() }, this.retryMs).unref()
    } finally {
      this.opening = undefined
    }
  }

  private tryAgain (): void {
    this.retry = undefined
    void this.demand()
  }
}
