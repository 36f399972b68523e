import { setTimeout as delay } from 'node:timers/promises'
import { ProtocolError } from '@tickwire/protocol'
import { StaleFence } from '../log/log.js'
import type { Source, SourceContext } from './source.js'

/** What is needed of a logger. */
export interface SourceLogger {
  info (details: object, message: string): void
  warn (details: object, message: string): void
  error (details: object, message: string): void
}

/**
 * How a run ended: the source was done; it was stopped; or the log has refused its messages, because it runs on another server by now.
 */
export type RunEnd = 'done' | 'stopped' | 'fenced'

/** A source that the log did not take messages of is started again when it may: what it says next begins anew. */
const LOG_RETRY_MS = 500
export const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 30_000

export interface RunOptions {
  readonly context: Omit<SourceContext, 'signal' | 'guard'>
  readonly logger: SourceLogger
  readonly firstRetryMs: number
  onRetrying (retrying: boolean): void
  /** Called for each append that is refused. */
  onFenced (): void
}

/** One time that a source runs: from one raised fence on. One that fails is tried again. */
export class SourceRun {
  readonly ended: Promise<RunEnd>
  private readonly stopping = new AbortController()
  private fenced = false

  constructor (private readonly source: Source, private readonly options: RunOptions) {
    this.ended = this.supervise()
  }

  /** Whether it has been told to end. */
  get isEnding (): boolean {
    return this.stopping.signal.aborted
  }

  /** From here on nothing of it is taken; {@link ended} resolves when it has come to its end. */
  stop (): void {
    this.stopping.abort()
  }

  private async supervise (): Promise<RunEnd> {
    const { signal } = this.stopping
    const { logger, onRetrying } = this.options
    let retryMs = this.options.firstRetryMs
    while (!signal.aborted) {
      onRetrying(false)
      try {
        await this.attempt()
        break
      } catch (error) {
        if (signal.aborted) break
        onRetrying(true)
        const away = error instanceof ProtocolError && error.code === 'log_unavailable'
        const waitMs = away ? LOG_RETRY_MS : retryMs
        logger.error({ err: error, source: this.source.name, retry_ms: waitMs }, 'a source failed and will be started again')
        await delay(waitMs, undefined, { signal }).catch(() => {})
        if (!away) retryMs = Math.min(2 * retryMs, LAST_RETRY_MS)
      }
    }
    return this.fenced ? 'fenced' : signal.aborted ? 'stopped' : 'done'
  }

  /** Has the source run once. What it leaves behind when it has failed publishes nothing any more. @throws what it failed with */
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
    if (failure !== undefined) throw failure.error
  }

  /** A source may take no notice of its signal: then this holds it back. */
  private context (signal: AbortSignal, fail: (error: unknown) => void): SourceContext {
    const { context } = this.options
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
      instrument: symbol => context.instrument(symbol),
      publish: (messages, options) => append(() => context.publish(messages, options)),
      declare: instruments => append(() => context.declare(instruments)),
      guard: work => (...given) => {
        try {
          // It may be a promise.
          Promise.resolve(work(...given)).catch(fail)
        } catch (error) {
          fail(error)
        }
      }
    }
  }
}
