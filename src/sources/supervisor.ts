import { setTimeout as delay } from 'node:timers/promises'
import type { Coordination } from '../coordination/coordination.js'
import { LEASE_MS, LeasedSource, type LeasedSourceOptions, type SourceState } from './leased-source.js'
import { FIRST_RETRY_MS } from './run.js'
import type { Source } from './source.js'

/** How often leases are held again, and those of others asked for. */
const STEP_MS = 1000
/** How long others may take to hear that a lease has changed; they see it by themselves within a second. */
const HEARD_MS = 500
/** How often it is asked whether a source has come to its end. */
const LOOK_MS = 20

const KIND = 'lease'

export interface SupervisorOptions extends Omit<LeasedSourceOptions, 'leases' | 'firstRetryMs' | 'onChange'> {
  readonly coordination: Pick<Coordination, 'leases' | 'ask' | 'answer'>
  readonly firstRetryMs?: number
  /** Whether any node has a source of this name. @throws ProtocolError `log_unavailable` */
  isKnownElsewhere (source: string): Promise<boolean>
  /** Whether no other node is there. @throws ProtocolError `log_unavailable` */
  isAlone (): Promise<boolean>
  /** This node runs another source than before. */
  onHeld (): void
}

/** The sources of this node: those that it runs, and those that it would take over. One that fails takes nothing down with it. */
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
    this.sources = new Map(sources.map(source => [source.name, new LeasedSource(source, { ...options, leases, firstRetryMs, onChange })]))
  }

  /**
   * Makes all instruments known, and starts the sources that nobody runs yet and that do not wait to be started.
   * @throws Error of a source that cannot even say what it has: the server must not start as if it were there
   */
  async begin (): Promise<void> {
    for (const source of this.sources.values()) await source.introduce()
    this.stopAnswering = this.options.coordination.answer(question => {
      const { kind, name } = JSON.parse(question) as { readonly kind?: unknown, readonly name?: unknown }
      if (kind === KIND) this.wake(String(name))
      return ''
    })
    await Promise.all([...this.sources.values()].map(source => source.step()))
    this.timer = setInterval(() => { for (const name of this.sources.keys()) this.wake(name) }, STEP_MS).unref()
  }

  /** Somebody has begun to subscribe to what a lazy source serves, or the last one on this node has gone. */
  demanded (name: string): void {
    this.sources.get(name)?.wantedNow()
    this.wake(name)
  }

  /** The lazy sources that somebody on this node wants. */
  wanted (): string[] {
    return [...this.sources.values()].filter(({ isWanted }) => isWanted).map(({ source }) => source.name)
  }

  /**
   * Lets a source run that was stopped, has ended, or waits to be started; one that ended begins anew. It runs here, unless another
   * node has it.
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
   * Stops a source on whichever node it runs. Resolves when its last message is in the log.
   * @returns whether any node has such a source
   * @throws ProtocolError `log_unavailable`
   */
  async stop (name: string): Promise<boolean> {
    if (!await this.isKnown(name)) return false
    const { leases } = this.options.coordination
    await leases.turn(name, false)
    await this.sources.get(name)?.step()
    this.tell(name)
    // A holder that hears nothing of it has no lease any more when that time is over.
    for (const end = Date.now() + LEASE_MS + STEP_MS; Date.now() < end; await delay(LOOK_MS)) {
      if ((await leases.look(name)).holder === undefined) break
    }
    return true
  }

  /** What each source is doing on this node. */
  status (): Array<{ readonly name: string, readonly state: SourceState }> {
    return [...this.sources].map(([name, { state }]) => ({ name, state }))
  }

  /** Whether a symbol belongs to what a source serves. */
  covers (name: string, symbol: string): boolean {
    return this.sources.get(name)?.covers(symbol) === true
  }

  /** Ends all, and lets other nodes go on with them at once. */
  async close (): Promise<void> {
    clearInterval(this.timer)
    this.stopAnswering?.()
    await Promise.all([...this.sources.values()].map(source => source.close()))
  }

  /** What was switched is for as long as there are servers: the last one that goes has it forgotten. */
  async forget (): Promise<void> {
    if (this.sources.size === 0 || !await this.options.isAlone().catch(() => false)) return
    await Promise.all([...this.sources.keys()].map(name => this.options.coordination.leases.turn(name, undefined).catch(() => {})))
  }

  private async isKnown (name: string): Promise<boolean> {
    return this.sources.has(name) || await this.options.isKnownElsewhere(name)
  }

  private wake (name: string): void {
    void this.sources.get(name)?.step()
  }

  /** Has every node look at a lease at once. */
  private tell (name: string): void {
    this.options.coordination.ask(JSON.stringify({ kind: KIND, name }), HEARD_MS).catch(() => {})
  }
}
