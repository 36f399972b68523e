import { setTimeout as delay } from 'node:timers/promises'
import { ProtocolError } from '@tickwire/protocol'
import { StaleFence } from '../log/log.js'
import type { Source, SourceContext, SourceLogger } from './source.js'

/**
 * How a run ended: the source was done, or it was stopped, or the log refused its messages because it runs on
 * another server by now.
 */
export type RunEnd = 'done' | 'stopped' | 'fenced'

/**
 * The wait before a source starts again after the log was unavailable; the source then states everything
 * anew.
 */
const LOG_RETRY_MS = 500
export const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 30_000

export interface RunOptions {
  readonly context: Omit<SourceContext, 'signal' | 'guard' | 'logger'>
  readonly logger: SourceLogger
  readonly firstRetryMs: number
  /**
   * Called before the source is tried again: from then on the log refuses what the failed attempt has sent
   * and what the log may still take, so that it cannot come after what the next attempt says.
   */
  refence (): Promise<void>
  onRetrying (retrying: boolean): void
  /** Called for each append that the log refuses because of its fence. */
  onFenced (): void
}

/** One run of a source. If the source fails, it is tried again, under a fence of its own. */
export class SourceRun {
  readonly ended: Promise<RunEnd>
  private readonly stopping = new AbortController()
  private fenced = false

  constructor (private readonly source: Source, private readonly options: RunOptions) {
    this.ended = this.supervise()
  }

  /** Whether {@link stop} was called, or the log has refused the fence. */
  get isEnding (): boolean {
    return this.stopping.signal.aborted
  }

  /** Has the log take nothing more of the source; {@link ended} resolves when the source itself has ended. */
  stop (): void {
    this.stopping.abort()
  }

  private async supervise (): Promise<RunEnd> {
    const { signal } = this.stopping
    const { logger, refence, onRetrying } = this.options
    let retryMs = this.options.firstRetryMs
    let hasFailed = false
    while (!signal.aborted) {
      try {
        if (hasFailed) await refence()
        if (signal.aborted) break
        onRetrying(false)
        await this.attempt()
        break
      } catch (error) {
        if (signal.aborted) break
        hasFailed = true
        onRetrying(true)
        const away = error instanceof ProtocolError && error.code === 'log_unavailable'
        const waitMs = away ? LOG_RETRY_MS : retryMs
        logger.error({ err: error, source: this.source.name, retry_ms: waitMs },
          'a source failed and will be started again')
        await delay(waitMs, undefined, { signal }).catch(() => {})
        if (!away) retryMs = Math.min(2 * retryMs, LAST_RETRY_MS)
      }
    }
    return this.fenced ? 'fenced' : signal.aborted ? 'stopped' : 'done'
  }

  /**
   * Runs the source once. After a failure, nothing that it left behind can publish any more.
   * @throws what it failed with
   */
  private async attempt (): Promise<void> {
    const over = new AbortController()
    let failure: { readonly error: unknown } | undefined
    const fail = (error: unknown): void => {
      failure ??= { error }
      over.abort(error)
    }
    const stop = (): void => { over.abort(this.stopping.signal.reason) }
    this.stopping.signal.addEventListener('abort', stop)
    try {
      await this.source.run(this.context(over.signal, fail))
    } catch (error) {
      failure ??= { error }
    } finally {
      this.stopping.signal.removeEventListener('abort', stop)
      over.abort()
    }
    await this.sayLastWords()
    if (failure !== undefined) throw failure.error
  }

  /** If the log takes no more of this run, whoever runs the source next says what holds. */
  private async sayLastWords (): Promise<void> {
    const { source, options: { context } } = this
    if (source.lastWords === undefined || this.fenced) return
    try {
      await context.publish(source.lastWords())
    } catch (error) {
      if (!(error instanceof StaleFence)) return
      this.fenced = true
      this.options.onFenced()
    }
  }

  /**
   * Makes the context of one attempt, which refuses to publish once the signal has aborted: a source may
   * ignore its signal.
   */
  private context (signal: AbortSignal, fail: (error: unknown) => void): SourceContext {
    const { context, logger } = this.options
    const append = async <Answer>(work: () => Promise<Answer>): Promise<Answer> => {
      signal.throwIfAborted()
      try {
        return await work()
      } catch (error) {
        if (error instanceof StaleFence) {
          this.fenced = true
          this.options.onFenced()
          this.stop()
        }
        throw error
      }
    }
    return {
      signal,
      logger,
      instrument: symbol => context.instrument(symbol),
      publish: (messages, options) => append(() => context.publish(messages, options)),
      declare: instruments => append(() => context.declare(instruments)),
      guard: work => (...given) => {
        try {
          // The work may return a promise.
          Promise.resolve(work(...given)).catch(fail)
        } catch (error) {
          fail(error)
        }
      }
    }
  }
}
