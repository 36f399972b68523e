import { setTimeout as delay } from 'node:timers/promises'
import { ProtocolError } from '@tickwire/protocol'
import type { Source, SourceContext } from './source.js'

/**
 * - `waiting`: not started yet, or held until somebody starts it;
 * - `running`;
 * - `retrying`: it failed and is started again after a while;
 * - `ended`: it was done, or was stopped.
 */
export type SourceState = 'waiting' | 'running' | 'retrying' | 'ended'

/** What the supervisor needs of a logger. */
export interface SourceLogger {
  info (details: object, message: string): void
  error (details: object, message: string): void
}

/** A source that the log did not take messages of is started again when it may: what it says next begins anew. */
const LOG_RETRY_MS = 500
const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 30_000

interface Supervised {
  readonly source: Source
  state: SourceState
  stopping: AbortController
  done: Promise<void>
}

/** Starts and stops the sources of a server; one that fails is tried again, and takes nothing down with it. */
export class SourceSupervisor {
  private readonly sources = new Map<string, Supervised>()

  constructor (
    sources: readonly Source[],
    private readonly context: Omit<SourceContext, 'signal'>,
    private readonly logger: SourceLogger,
    private readonly firstRetryMs: number = FIRST_RETRY_MS
  ) {
    for (const source of sources) {
      this.sources.set(source.name, { source, state: 'waiting', stopping: new AbortController(), done: Promise.resolve() })
    }
  }

  /**
   * Makes all instruments known, and starts the sources that do not wait to be.
   * @throws Error of a source that cannot even say what it has: the server must not start as if it were there
   */
  async begin (): Promise<void> {
    for (const { source } of this.sources.values()) await this.context.declare(await source.instruments())
    for (const { source } of this.sources.values()) if (!source.manual) await this.start(source.name)
  }

  /** Starts a source that is not running; one that ended begins anew. */
  async start (name: string): Promise<'started' | 'running' | 'unknown'> {
    const supervised = this.sources.get(name)
    if (supervised === undefined) return 'unknown'
    if (supervised.state === 'running' || supervised.state === 'retrying') return 'running'
    await supervised.done
    supervised.stopping = new AbortController()
    supervised.done = this.supervise(supervised)
    return 'started'
  }

  /** Resolves when the source has published its last message. */
  async stop (name: string): Promise<'stopped' | 'unknown'> {
    const supervised = this.sources.get(name)
    if (supervised === undefined) return 'unknown'
    supervised.stopping.abort()
    await supervised.done
    this.enter(supervised, 'ended')
    return 'stopped'
  }

  status (): Array<{ name: string, state: SourceState }> {
    return [...this.sources.values()].map(({ source, state }) => ({ name: source.name, state }))
  }

  async close (): Promise<void> {
    await Promise.all([...this.sources.keys()].map(name => this.stop(name)))
  }

  private async supervise (supervised: Supervised): Promise<void> {
    const { source, stopping: { signal } } = supervised
    let retryMs = this.firstRetryMs
    while (!signal.aborted) {
      this.enter(supervised, 'running')
      try {
        await source.run({ ...this.context, signal })
        break
      } catch (error) {
        if (signal.aborted) break
        this.enter(supervised, 'retrying')
        const away = error instanceof ProtocolError && error.code === 'log_unavailable'
        const waitMs = away ? LOG_RETRY_MS : retryMs
        this.logger.error({ err: error, source: source.name, retry_ms: waitMs }, 'a source failed and will be started again')
        await delay(waitMs, undefined, { signal }).catch(() => {})
        if (!away) retryMs = Math.min(2 * retryMs, LAST_RETRY_MS)
      }
    }
    this.enter(supervised, 'ended')
  }

  private enter (supervised: Supervised, state: SourceState): void {
    if (supervised.state === state) return
    supervised.state = state
    this.logger.info({ source: supervised.source.name, state }, 'a source changed its state')
  }
}
