import { wordsOf } from '../errors.js'
import type { Log } from '../log/log.js'
import type { Source, SourceLogger } from '../sources/source.js'
import { LateStore } from '../store/late-store.js'
import { openStore, type StoreSettings } from '../store/open-store.js'
import { accessTo, type Store, type StoreAccess, type StoreLog } from '../store/store.js'
import { TradingProjector } from './projector.js'
import { TradingReader, type TradingReaderOptions } from './reader.js'

/** The name of what writes orders to the store, among the sources. */
const TRADING_RECORDS = 'trading-records'

/** How long a server that closes writes what its log in memory has. */
const FINISH_MS = 5_000

export interface TradingRecordsOptions {
  readonly log: Log
  readonly settings: StoreSettings
  readonly logger: SourceLogger
  /** Whether the log ends with this server, so that nobody else can write the rest of it. */
  readonly endsWithLog: boolean
}

/** Stores that the server has anyway, which others close. */
export interface OtherStores {
  /** That of the compacted topics of a log in memory. */
  readonly compacted: StoreAccess | undefined
  /** That of the recorder. */
  readonly opened: Store | undefined
}

export interface TradingTerms extends Pick<TradingReaderOptions, 'openingBalances' | 'currency'> {
  /** Whether orders are taken, so that there is something to keep. */
  readonly isTrading: boolean
}

/** The records of trading: orders, fills and accounts, beyond what the log retains. */
export class TradingRecords {
  private readonly projector: TradingProjector | undefined

  /** @param own a store that is closed with the records */
  private constructor (
    private readonly options: TradingRecordsOptions,
    private readonly terms: TradingTerms,
    private readonly store: StoreAccess | undefined,
    private readonly own: LateStore | undefined
  ) {
    this.projector = store === undefined || !terms.isTrading
      ? undefined
      : new TradingProjector({ ...options, store })
  }

  /**
   * Finds the store of the records, and tries to open it if it may have some. Servers that share a log must
   * share the store; without one that they can share, there are only the records of the log.
   */
  static async open (
    options: TradingRecordsOptions, { compacted, opened }: OtherStores, terms: TradingTerms
  ): Promise<TradingRecords> {
    const { settings, logger } = options
    const access = compacted ?? (opened === undefined ? undefined : accessTo(opened))
    if (access !== undefined || !terms.isTrading) return new TradingRecords(options, terms, access, undefined)
    if (settings.DATABASE_URL === undefined) {
      logger.info({ event: 'store' },
        'orders and fills can be read for as long as the log retains them: to keep them, set DATABASE_URL')
      return new TradingRecords(options, terms, undefined, undefined)
    }
    const log: StoreLog = (level, fields, message) => { logger[level](fields, message) }
    const late = new LateStore(() => openStore(settings, { isShared: true, log }), log, { mayHoldRows: true })
    // If the database is away, orders go on without it.
    await late.demand()
    return new TradingRecords(options, terms, late, late)
  }

  /** Where the records are kept; undefined if they are kept nowhere. */
  get access (): StoreAccess | undefined {
    return this.store
  }

  /** What writes to the store, as a source: one of several servers runs it. */
  get sources (): readonly Source[] {
    const { projector } = this
    if (projector === undefined) return []
    return [{
      name: TRADING_RECORDS,
      manual: false,
      instruments: async () => [],
      run: async ({ signal }) => { await projector.run(signal) }
    }]
  }

  /** @param turns shares out the time of the event loop among readers */
  reader (turns: TradingReaderOptions['turns']): TradingReader {
    return new TradingReader({ ...this.terms, log: this.options.log, store: this.store, turns })
  }

  /** Call it when nobody appends any more. */
  async close (): Promise<void> {
    const { endsWithLog, logger } = this.options
    try {
      if (endsWithLog) await this.projector?.finish(AbortSignal.timeout(FINISH_MS))
    } catch (error) {
      logger.error({ event: 'store', error: wordsOf(error) },
        'the server closed before it could write all orders to the store')
    }
    await this.own?.close()
  }
}
