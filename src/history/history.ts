import type { Source, SourceLogger } from '../sources/source.js'
import type { Store } from '../store/store.js'
import { wordsOf } from '../errors.js'
import { HistoryReader } from './history-reader.js'
import { Recorder, type RecorderOptions } from './recorder.js'

/** The name of the recorder among the sources. */
export const RECORDER = 'recorder'

const FORGET_EVERY_MS = 3_600_000
/** How long a server that closes writes what its log in memory has. */
const FINISH_MS = 5_000

export interface HistoryOptions extends Pick<RecorderOptions, 'log' | 'channels' | 'count'> {
  /** Absent: nothing is recorded. */
  readonly store?: Store | undefined
  readonly logger: SourceLogger
  /** How long what is recorded is kept, in ms; undefined: for ever. */
  readonly keepMs?: number | undefined
  /** Whether the log ends with this server, so that nobody else can record the rest of it. */
  readonly endsWithLog: boolean
  /** Whether the store is closed with it. */
  readonly ownsStore: boolean
}

/** The histories of topics, and what records them. */
export class History {
  readonly reader: HistoryReader
  private readonly recorder: Recorder | undefined

  constructor (private readonly options: HistoryOptions) {
    const { log, store, channels } = options
    this.reader = new HistoryReader(log, channel => channels.has(channel) ? store?.recording : undefined)
    this.recorder = store === undefined ? undefined : new Recorder({ ...options, recording: store.recording })
  }

  /** The recorder as a source: one of several servers runs it. */
  get sources (): readonly Source[] {
    const { recorder } = this
    if (recorder === undefined) return []
    return [{
      name: RECORDER,
      manual: false,
      instruments: async () => [],
      run: async ({ signal }) => {
        let forgetting: Promise<void> | undefined
        const forget = (): void => {
          forgetting ??= this.forget(signal).finally(() => { forgetting = undefined })
        }
        const hourly = setInterval(forget, FORGET_EVERY_MS).unref()
        forget()
        await recorder.run(signal).finally(() => { clearInterval(hourly) })
      }
    }]
  }

  /**
   * Call it when nobody appends any more.
   * @param isStopped whether an operator has stopped the recorder, so that it records nothing more
   */
  async close (isStopped: boolean): Promise<void> {
    const { endsWithLog, ownsStore, store, logger } = this.options
    try {
      if (endsWithLog && !isStopped) await this.recorder?.finish(AbortSignal.timeout(FINISH_MS))
    } catch (error) {
      logger.error({ event: 'recorder', error: wordsOf(error) },
        'the server closed before it could record all messages')
    }
    if (ownsStore) await store?.close()
  }

  private async forget (signal: AbortSignal): Promise<void> {
    const { keepMs, store, logger } = this.options
    if (keepMs === undefined) return
    try {
      await store?.recording.forget(Date.now() - keepMs, signal)
    } catch (error) {
      if (signal.aborted) return
      logger.warn({ event: 'recorder', error: wordsOf(error) },
        'old messages could not be deleted from the recording; the server tries again in an hour')
    }
  }
}
