import { performance } from 'node:perf_hooks'
import type { Instrument } from '@tickwire/protocol'
import type { Fence } from '../log/log.js'
import type { PublishResult } from '../publisher/publisher.js'
import type { Lease, Leases } from '../coordination/leases.js'
import { type RunEnd, SourceRun } from './run.js'
import type { OriginOptions, Source, SourceLogger, SourceMessage } from './source.js'

/**
 * - `waiting`: it does not run here, because it runs on another server, nobody subscribes to it, or it waits
 *   for somebody to start it;
 * - `running`;
 * - `retrying`: it failed, and starts again after a while;
 * - `ended`: it was done, or was stopped.
 */
export type SourceState = 'waiting' | 'running' | 'retrying' | 'ended'

/**
 * How long a node that is gone keeps others from its sources. A node that closes frees its leases at once.
 */
export const LEASE_MS = 3000
/**
 * A source ends here this long before another node may take its lease, by this node's own clock. It is the
 * fence that guarantees that only one node publishes.
 */
const MARGIN_MS = 500

/** For how long others hear of a subscription that has ended, so that they see even a short poll. */
const WANT_KEPT_MS = 2000

/** The note of its holder in a lease, as JSON. */
export interface LeaseNote {
  /** The name of the node, for people. */
  readonly name: string
  /** The token of the fence; absent until the fence is raised. */
  readonly token?: number
  /** When the source started there, in milliseconds since 1970. */
  readonly since?: number
}

export interface LeasedSourceOptions {
  readonly node: { readonly id: string, readonly name: string }
  readonly leases: Leases
  readonly logger: SourceLogger
  readonly firstRetryMs: number
  raise (source: string): Promise<Fence>
  publish (
    messages: readonly SourceMessage[], fence: Fence, origins?: OriginOptions
  ): Promise<readonly PublishResult[]>
  declare (instruments: readonly Instrument[], fence: Fence): Promise<readonly PublishResult[]>
  /** Declares instruments that nobody knows yet, whoever runs the source. */
  introduce (instruments: readonly Instrument[]): Promise<void>
  instrument (symbol: string): Instrument | undefined
  /** Tells whether somebody on this node subscribes to what a lazy source serves. */
  isWantedHere (source: string): boolean
  /** Tells whether somebody on any other node does. @throws ProtocolError `log_unavailable` */
  isWantedElsewhere (source: string): Promise<boolean>
  /**
   * Called when something has changed that other nodes should know: the lease is free, or this node holds it.
   */
  onChange (source: string, free: boolean): void
  onFenced (source: string): void
}

/**
 * A source, as one of the nodes that may run it sees it. The node that holds its lease runs it. The others
 * ask for the lease each second, which is how one of them takes the source over. Nodes ask for the lease of a
 * lazy source only while somebody subscribes to it.
 */
export class LeasedSource {
  private current: SourceState = 'waiting'
  private instruments: readonly Instrument[] = []
  private readonly names = new Set<string>()
  private run: SourceRun | undefined
  private note: LeaseNote
  /**
   * Until when no other node can hold the lease, by this node's clock; 0: this node does not know that it
   * holds it.
   */
  private heldUntil = 0
  private lapse: NodeJS.Timeout | undefined
  /** When somebody on this node last subscribed, and on another as far as is known, by `performance.now`. */
  private wantedHereAt = -Infinity
  private wantedElsewhereAt = -Infinity
  private running: Promise<void> | undefined
  private again: Promise<void> | undefined
  private failing = false
  private closed = false

  constructor (readonly source: Source, private readonly options: LeasedSourceOptions) {
    this.note = { name: options.node.name }
  }

  get state (): SourceState {
    return this.current
  }

  /** Whether this node holds the lease and runs it. */
  get isHeld (): boolean {
    return this.heldUntil > 0
  }

  /** Tells whether a symbol is that of an instrument that it serves, or of its market. */
  covers (symbol: string): boolean {
    return this.names.has(symbol)
  }

  /**
   * Whether somebody on this node subscribes to what it serves, or did a moment ago: a poll comes and goes.
   */
  get isWanted (): boolean {
    this.seeWanted()
    return performance.now() - this.wantedHereAt < WANT_KEPT_MS
  }

  /**
   * Notes that somebody has just begun to subscribe to it here, or that the last subscriber has just gone.
   */
  wantedNow (): void {
    this.wantedHereAt = performance.now()
  }

  /** Lists its instruments. @returns their symbols @throws Error of a source that cannot even do that */
  async list (): Promise<readonly string[]> {
    this.instruments = await this.source.instruments()
    this.take(this.instruments)
    return this.instruments.map(({ symbol }) => symbol)
  }

  /** Declares its instruments, once they are listed. */
  async introduce (): Promise<void> {
    await this.options.introduce(this.instruments)
  }

  /** Looks at the lease, and starts or stops the source accordingly. Resolves when that is done. */
  async step (): Promise<void> {
    if (this.running === undefined) {
      this.running = this.stepOnce().finally(() => { this.running = undefined })
      return await this.running
    }
    // The step under way may have missed what changed since it began; the next one sees it.
    this.again ??= this.running.then(() => {
      this.again = undefined
      return this.step()
    })
    await this.again
  }

  async close (): Promise<void> {
    this.closed = true
    this.run?.stop()
    await this.running
    await this.run?.ended
    const held = this.isHeld
    this.dropLease()
    if (held) await this.release(false).catch(() => {})
    this.setState('ended')
  }

  private async stepOnce (): Promise<void> {
    // A source that has not ended yet cannot start again; meanwhile its lease runs out.
    if (this.closed || this.run?.isEnding === true) return
    const { leases } = this.options
    try {
      const candidate = await this.isCandidate()
      const lease = candidate ? await this.hold() : await leases.look(this.source.name)
      if (this.closed) return
      const isOn = this.isOn(lease)
      if (candidate && isOn && lease.holder === this.options.node.id) await this.startRun()
      else await this.leave(lease, isOn)
      this.failing = false
    } catch (error) {
      // While this node surely holds the lease, the source goes on.
      if (!this.failing) {
        this.options.logger.error({ err: error, source: this.source.name },
          'could not find out which server runs a source; trying again')
      }
      this.failing = true
    }
  }

  private seeWanted (): void {
    if (this.source.lazy !== undefined && this.options.isWantedHere(this.source.name)) {
      this.wantedHereAt = performance.now()
    }
  }

  private async isCandidate (): Promise<boolean> {
    const { source: { name, lazy }, options } = this
    if (lazy === undefined) return true
    this.seeWanted()
    const isLately = (at: number): boolean => performance.now() - at < lazy.lingerMs
    if (isLately(this.wantedHereAt)) return true
    // Where it does not run, only nodes whose own clients want it ask for its lease.
    if (!this.isHeld) return false
    if (await options.isWantedElsewhere(name)) this.wantedElsewhereAt = performance.now()
    return isLately(this.wantedElsewhereAt)
  }

  private async hold (): Promise<Lease> {
    const { source: { name, manual }, options: { leases, node } } = this
    const askedAt = performance.now()
    const note = JSON.stringify(this.note)
    const lease = await leases.hold(name, { node: node.id, note, forMs: LEASE_MS, byDefault: !manual })
    if (lease.holder === node.id && this.isOn(lease)) this.keepUntil(askedAt + LEASE_MS - MARGIN_MS)
    return lease
  }

  /**
   * Whether the source may run: an operator has switched it on, or it starts by itself and nobody has
   * switched it off.
   */
  private isOn ({ switched }: Lease): boolean {
    return switched ?? !this.source.manual
  }

  private keepUntil (time: number): void {
    this.heldUntil = time
    clearTimeout(this.lapse)
    this.lapse = setTimeout(() => { void this.lapsed(time) }, time - performance.now()).unref()
  }

  private async lapsed (time: number): Promise<void> {
    // If this process itself was held up, perhaps nobody has taken the lease, or nobody else could.
    if (performance.now() - time > MARGIN_MS) await this.step()
    if (this.heldUntil !== time) return
    const { options: { logger }, source: { name } } = this
    logger.warn({ source: name }, 'could not renew the lease of a source: it ends here')
    this.dropLease()
  }

  /** Runs it under a fence of its own, so that the log refuses what an earlier holder still sends. */
  private async startRun (): Promise<void> {
    if (this.run !== undefined) return
    const { source, options } = this
    const { name } = source
    await options.introduce(this.instruments)
    const first = await this.takeFence()
    if (first === undefined) return
    let fence = first
    this.run = new SourceRun(source, {
      context: {
        publish: (messages, origins) => options.publish(messages, fence, origins),
        declare: instruments => {
          this.take(instruments)
          return options.declare(instruments, fence)
        },
        instrument: symbol => options.instrument(symbol)
      },
      logger: options.logger,
      firstRetryMs: options.firstRetryMs,
      refence: async () => { fence = await this.takeFence() ?? fence },
      onRetrying: retrying => { this.setState(retrying ? 'retrying' : 'running') },
      onFenced: () => { options.onFenced(name) }
    })
    options.onChange(name, false)
    void this.run.ended.then(end => this.ended(end)).catch((error: unknown) => {
      options.logger.error({ err: error, source: name },
        'could not give up the lease of a source; it runs out by itself')
    })
  }

  /** Raises the source's fence, and returns it if this node still holds the lease. */
  private async takeFence (): Promise<Fence | undefined> {
    const { source: { name }, options } = this
    const fence = await options.raise(name)
    this.note = { name: options.node.name, token: fence.token, since: Date.now() }
    const { holder } = await this.hold()
    return !this.closed && this.isHeld && holder === options.node.id ? fence : undefined
  }

  private async ended (end: RunEnd): Promise<void> {
    this.run = undefined
    if (this.closed) return
    if (end === 'fenced') {
      this.options.logger.warn({ source: this.source.name },
        'a source stopped: another server has taken it over, and the log refused its messages since')
      this.dropLease()
    }
    this.setState(end === 'done' ? 'ended' : 'waiting')
    if (end === 'done') {
      this.dropLease()
      await this.release(true)
    } else await this.step()
  }

  /** Leaves the source to other nodes, or switched off. */
  private async leave (lease: Lease, isOn: boolean): Promise<void> {
    // The lease is given up only when the last message is in the log.
    if (this.run !== undefined) {
      this.run.stop()
      return
    }
    this.dropLease()
    if (lease.holder === this.options.node.id) await this.release(false)
    this.setState(isOn || lease.switched === undefined ? 'waiting' : 'ended')
  }

  private dropLease (): void {
    clearTimeout(this.lapse)
    this.heldUntil = 0
    this.note = { name: this.options.node.name }
    this.run?.stop()
  }

  private async release (off: boolean): Promise<void> {
    const { source: { name }, options: { leases, node } } = this
    await leases.release(name, node.id, off)
    this.options.onChange(name, true)
  }

  private take (instruments: readonly Instrument[]): void {
    for (const { symbol, market } of instruments) {
      this.names.add(symbol)
      if (market !== undefined) this.names.add(market)
    }
  }

  private setState (state: SourceState): void {
    if (this.current === state) return
    this.current = state
    this.options.logger.info({ source: this.source.name, state }, 'a source changed its state')
  }
}
