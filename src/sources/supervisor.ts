import { setTimeout as delay } from 'node:timers/promises'
import type { Coordination } from '../coordination/coordination.js'
import { ConfigError } from '../config.js'
import { LEASE_MS, LeasedSource, type LeasedSourceOptions, type SourceState } from './leased-source.js'
import type { FeedCounts } from './live/counts.js'
import { FIRST_RETRY_MS } from './run.js'
import type { Source } from './source.js'

/** How often a node renews its leases, and asks for those of others. */
const STEP_MS = 1000
/**
 * How long to wait for other nodes to answer that a lease has changed; they notice it within a second anyway.
 */
const HEARD_MS = 500
/** How often {@link SourceSupervisor.stop} checks whether a source has ended. */
const LOOK_MS = 20

const KIND = 'lease'

export interface SupervisorOptions extends Omit<LeasedSourceOptions, 'leases' | 'firstRetryMs' | 'onChange'> {
  readonly coordination: Pick<Coordination, 'leases' | 'ask' | 'answer'>
  readonly firstRetryMs?: number
  /** Tells whether any node has a source of this name. @throws ProtocolError `log_unavailable` */
  isKnownElsewhere (source: string): Promise<boolean>
  /** Tells whether there is no other node. @throws ProtocolError `log_unavailable` */
  isAlone (): Promise<boolean>
  /** Called when this node runs other sources than before. */
  onHeld (): void
}

/**
 * The sources of this node: those that it runs, and those that it would take over. If one fails, the others
 * go on.
 */
export class SourceSupervisor {
  private readonly sources: ReadonlyMap<string, LeasedSource>
  private timer: NodeJS.Timeout | undefined
  private stopAnswering: (() => void) | undefined

  constructor (sources: readonly Source[], private readonly options: SupervisorOptions) {
    const { coordination: { leases }, firstRetryMs = FIRST_RETRY_MS, onHeld } = options
    const onChange = (name: string, free: boolean): void => {
      onHeld()
      if (free) this.tell(name)
    }
    this.sources = new Map(sources.map(source => [
      source.name, new LeasedSource(source, { ...options, leases, firstRetryMs, onChange })
    ]))
  }

  /**
   * Declares all instruments, and starts the sources that nobody runs yet, except those that wait for
   * `start`.
   * @throws ConfigError if two sources bring the same symbol; Error of a source that cannot even list its
   *   instruments: the server must not start without it
   */
  async begin (): Promise<void> {
    const sourceOf = new Map<string, string>()
    for (const [name, source] of this.sources) {
      for (const symbol of await source.list()) {
        const other = sourceOf.get(symbol)
        if (other !== undefined) throw new ConfigError(twice(symbol, other, name))
        sourceOf.set(symbol, name)
      }
    }
    for (const source of this.sources.values()) await source.introduce()
    this.stopAnswering = this.options.coordination.answer(question => {
      const { kind, name } = JSON.parse(question) as { readonly kind?: unknown, readonly name?: unknown }
      if (kind === KIND) this.wake(String(name))
      return ''
    })
    await Promise.all([...this.sources.values()].map(source => source.step()))
    const wakeAll = (): void => { for (const name of this.sources.keys()) this.wake(name) }
    this.timer = setInterval(wakeAll, STEP_MS).unref()
  }

  /**
   * Notes that somebody has begun to subscribe to what a lazy source serves, or that the last one on this
   * node has gone.
   */
  demanded (name: string): void {
    this.sources.get(name)?.wantedNow()
    this.wake(name)
  }

  /** Returns the lazy sources to which somebody on this node subscribes. */
  wanted (): string[] {
    return [...this.sources.values()].filter(({ isWanted }) => isWanted).map(({ source }) => source.name)
  }

  /**
   * Starts a source that was stopped, has ended, or waits for this; one that has ended starts from its
   * beginning. It runs here, unless another node has it.
   * @returns whether any node has such a source
   * @throws ProtocolError `log_unavailable`
   */
  async start (name: string): Promise<boolean> {
    if (!await this.isKnown(name)) return false
    await this.options.coordination.leases.turn(name, true)
    await this.sources.get(name)?.step()
    this.tell(name)
    return true
  }

  /**
   * Stops a source on the node where it runs. Resolves when its last message is in the log.
   * @returns whether any node has such a source
   * @throws ProtocolError `log_unavailable`
   */
  async stop (name: string): Promise<boolean> {
    if (!await this.isKnown(name)) return false
    const { leases } = this.options.coordination
    await leases.turn(name, false)
    await this.sources.get(name)?.step()
    this.tell(name)
    // By then, a holder that has not heard of this has lost its lease.
    for (const end = Date.now() + LEASE_MS + STEP_MS; Date.now() < end; await delay(LOOK_MS)) {
      if ((await leases.look(name)).holder === undefined) break
    }
    return true
  }

  /** Returns what the sources that read a venue count. */
  feeds (): Array<{ readonly name: string, readonly counts: FeedCounts }> {
    return [...this.sources].flatMap(([name, { source: { counts } }]) =>
      counts === undefined ? [] : { name, counts })
  }

  /** Returns what each source does on this node. */
  status (): Array<{ readonly name: string, readonly state: SourceState }> {
    return [...this.sources].map(([name, { state }]) => ({ name, state }))
  }

  /** Tells whether a symbol belongs to what a source serves. */
  covers (name: string, symbol: string): boolean {
    return this.sources.get(name)?.covers(symbol) === true
  }

  /** Ends all sources, and lets other nodes take them over at once. */
  async close (): Promise<void> {
    clearInterval(this.timer)
    this.stopAnswering?.()
    await Promise.all([...this.sources.values()].map(source => source.close()))
  }

  /**
   * Forgets which sources were started and stopped, if no other server is left: that is kept only while there
   * are servers.
   */
  async forget (): Promise<void> {
    if (this.sources.size === 0 || !await this.options.isAlone().catch(() => false)) return
    const { leases } = this.options.coordination
    await Promise.all([...this.sources.keys()].map(name => leases.turn(name, undefined).catch(() => {})))
  }

  private async isKnown (name: string): Promise<boolean> {
    return this.sources.has(name) || await this.options.isKnownElsewhere(name)
  }

  private wake (name: string): void {
    void this.sources.get(name)?.step()
  }

  /** Makes every node look at a lease at once. */
  private tell (name: string): void {
    this.options.coordination.ask(JSON.stringify({ kind: KIND, name }), HEARD_MS).catch(() => {})
  }
}

const twice = (symbol: string, one: string, other: string): string =>
  `SOURCES: ${one} and ${other} both bring ${symbol}, and a symbol has one source; leave it out of one of ` +
  `them, or, for a venue, tell its symbols apart: ${other}:${symbol}?suffix=.${other.toUpperCase()}`
