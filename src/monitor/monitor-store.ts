import { type Config, ConfigError } from '../config.js'
import { LateStore } from '../store/late-store.js'
import { monitorTableNames } from '../store/monitor-tables.js'
import { openStore, type StoreSettings } from '../store/open-store.js'
import type { Store, StoreAccess, StoreLog } from '../store/store.js'

/** How long rows are kept unless `MONITOR_DAYS` says so. */
const DEFAULT_DAYS = 30
const DAY_MS = 86_400_000

export type MonitorStoreSettings = StoreSettings & Pick<Config, 'MONITOR_DAYS'>
type AllSettings = MonitorStoreSettings & Pick<Config, 'REDIS_URL'>

/**
 * Checks that there can be the store that the settings ask for.
 * @throws ConfigError
 */
export function checkMonitorSettings ({ MONITOR_DAYS, DATABASE_URL, REDIS_URL }: AllSettings): void {
  if (!MONITOR_DAYS || REDIS_URL === undefined || DATABASE_URL !== undefined) return
  throw new ConfigError('MONITOR_DAYS needs DATABASE_URL where several servers share a log: ' +
    'they keep what must last in one PostgreSQL')
}

/** The store of the monitor: one that the server has anyway, or its own. */
export class MonitorStore {
  readonly keepMs: number
  /** Rows that were lost before the store was given them. */
  private neverGiven = 0

  private constructor (
    private readonly access: StoreAccess,
    private readonly own: LateStore | undefined,
    days: number,
    /** Whether there is a store, or there should be: what comes before it is open must wait for it. */
    readonly isExpected: boolean
  ) {
    this.keepMs = days * DAY_MS
  }

  /**
   * Returns the store of the monitor; undefined if nothing is to be kept. With `MONITOR_DAYS` it opens one,
   * and with `DATABASE_URL`; else rows go to the store that is opened for something else, once it is.
   * @param others stores that the server has anyway, which others close
   */
  static async open (
    settings: MonitorStoreSettings,
    { isShared, log }: { readonly isShared: boolean, readonly log: StoreLog },
    others: ReadonlyArray<StoreAccess | undefined>
  ): Promise<MonitorStore | undefined> {
    const { MONITOR_DAYS: days = DEFAULT_DAYS, DATABASE_URL: url } = settings
    if (days === 0) return undefined
    const isAsked = settings.MONITOR_DAYS !== undefined || url !== undefined
    const access = others.find(other => other !== undefined)
    if (access !== undefined) {
      if (isAsked && access.current === undefined) await access.demand()
      return new MonitorStore(access, undefined, days, isAsked || access.mayHoldRows)
    }
    if (!isAsked) return undefined
    const options = { isShared, log }
    const late = new LateStore(() => openStore(settings, options), log, { mayHoldRows: true })
    // If the database is away, the server streams without it.
    await late.demand()
    return new MonitorStore(late, late, days, true)
  }

  /** The store, once it is open. */
  get current (): Store | undefined {
    return this.access.current
  }

  /** Notes rows that could not wait for the store. */
  lose (rows: number): void {
    this.neverGiven += rows
  }

  /** Rows of the monitor that wait to be written, and that this server has lost since it started. */
  get counts (): { readonly waiting: number, readonly dropped: number, readonly refused: number } {
    const counts = { waiting: 0, dropped: this.neverGiven, refused: 0 }
    const tables = this.current?.health().tables
    if (tables === undefined) return counts
    for (const name of monitorTableNames) {
      const { waiting, dropped, refused } = tables[name]
      counts.waiting += waiting
      counts.dropped += dropped
      counts.refused += refused
    }
    return counts
  }

  get lost (): number {
    const { dropped, refused } = this.counts
    return dropped + refused
  }

  async close (): Promise<void> {
    await this.own?.close()
  }
}
