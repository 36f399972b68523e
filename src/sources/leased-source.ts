import { performance } from 'node:perf_hooks'
import type { Instrument } from '@tickwire/protocol'
import type { Fence } from '../log/log.js'
import type { PublishResult } from '../publisher/publisher.js'
import type { Lease, Leases } from '../coordination/leases.js'
import { type SourceLogger, SourceRun } from './run.js'
import type { OriginOptions, Source, SourceMessage } from './source.js'

/**
 * - `waiting`: it does not run here: it runs on another server, nobody subscribes to it, or it is held until somebody starts it;
 * - `running`;
 * - `retrying`: it failed and is started again after a while;
 * - `ended`: it was done, or was stopped.
 */
export type SourceState = 'waiting' | 'running' | 'retrying' | 'ended'

/** How long a node that is gone keeps others from its sources, unless it said that it goes. */
export const LEASE_MS = 3000
/** So long before its lease may be another's a source ends here, by this node's own clock. The fence is what makes sure. */
const MARGIN_MS = 500

/** A subscription that ended is told to others for so long: a poll that came and went is seen by them, too. */
const WANT_KEPT_MS = 2000

/** What a lease says of its holder, as JSON. */
export interface LeaseNote {
  /** Of the node, for people. */
  readonly name: string
  /** Of the fence; absent until it has been raised. */
  readonly token?: number
  /** When the source began there, in milliseconds since 1970. */
  readonly since?: number
}

export interface LeasedSourceOptions {
  readonly node: { readonly id: string, readonly name: string }
  readonly leases: Leases
  readonly logger: SourceLogger
  readonly firstRetryMs: number
  raise (source: string): Promise<Fence>
  publish (messages: readonly SourceMessage[], fence: Fence, origins?: OriginOptions): Promise<readonly PublishResult[]>
  declare (instruments: readonly Instrument[], fence: Fence): Promise<readonly PublishResult[]>
  /** Makes those known that nobody knows, whoever runs the source. */
  introduce (instruments: readonly Instrument[]): Promise<void>
  instrument (symbol: string): Instrument | undefined
  /** Whether somebody on this node subscribes to what a lazy source serves. */
  isWantedHere (source: string): boolean
  /** Whether somebody on any other node does. @throws ProtocolError `log_unavailable` */
  isWantedElsewhere (source: string): Promise<boolean>
  /** What other nodes are to know has changed: the lease is free, or this node holds it. */
  onChange (source: string, free: boolean): void
  onFenced (source: string): void
}

/**
 * A source as one of the nodes that may run it sees it. Who has its lease runs it; who wants to and has not asks again each second,
 * which is how it is taken over. A lazy one is asked for only where somebody subscribes.
 */
export class LeasedSource {
  private current: SourceState = 'waiting'
  private instruments: readonly Instrument[] = []
  private readonly names = new Set<string>()
  private run: SourceRun | undefined
  private note: LeaseNote
  /** Until when nobody else has it, by this node's clock; 0: it is not known to have it. */
  private heldUntil = 0
  private lapse: NodeJS.Timeout | undefined
  /** When somebody on this node subscribed last, and on another as far as is known; as `performance.now` has it. */
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

  /** Whether it runs here. */
  get isHeld (): boolean {
    return this.heldUntil > 0
  }

  /** Whether a symbol is that of an instrument that it serves, or of their market. */
  covers (symbol: string): boolean {
    return this.names.has(symbol)
  }

  /** Whether somebody on this node subscribes to what it serves, or did a moment ago: a poll comes and goes. */
  get isWanted (): boolean {
    this.seeWanted()
    return performance.now() - this.wantedHereAt < WANT_KEPT_MS
  }

  /** Somebody has just begun to subscribe to it here, or the last one has just gone. */
  wantedNow (): void {
    this.wantedHereAt = performance.now()
  }

  /** Makes its instruments known. @throws Error of a source that cannot even say what it has */
  async introduce (): Promise<void> {
    this.instruments = await this.source.instruments()
    this.take(this.instruments)
    await this.options.introduce(this.instruments)
  }

  /** Looks at its lease, and does what follows. Resolves when that is done. */
  async step (): Promise<void> {
    if (this.running === undefined) {
      this.running = this.stepOnce().finally(() => { this.running = undefined })
      return await this.running
    }
    // What has changed since the one that is under way began is seen by the next.
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
    this.lose()
    if (held) await this.release(false).catch(() => {})
    this.enter('ended')
  }

  private async stepOnce (): Promise<void> {
    // One that has not come to its end cannot begin again; its lease ends meanwhile.
    if (this.closed || this.run?.isEnding === true) return
    const { leases } = this.options
    try {
      const candidate = await this.isCandidate()
      const lease = candidate ? await this.hold() : await leases.look(this.source.name)
      if (this.closed) return
      const isOn = lease.switched ?? !this.source.manual
      if (candidate && isOn && lease.holder === this.options.node.id) await this.begin()
      else await this.leave(lease, isOn)
      this.failing = false
    } catch (error) {
      // While it has the lease for sure it goes on.
      if (!this.failing) this.options.logger.error({ err: error, source: this.source.name }, 'who is to run a source could not be found out; it is tried again')
      this.failing = true
    }
  }

  private seeWanted (): void {
    if (this.source.lazy !== undefined && this.options.isWantedHere(this.source.name)) this.wantedHereAt = performance.now()
  }

  private async isCandidate (): Promise<boolean> {
    const { source: { name, lazy }, options } = this
    if (lazy === undefined) return true
    this.seeWanted()
    const isLately = (at: number): boolean => performance.now() - at < lazy.lingerMs
    if (isLately(this.wantedHereAt)) return true
    // Where it does not run, it is for those to ask for it who want it.
    if (!this.isHeld) return false
    if (await options.isWantedElsewhere(name)) this.wantedElsewhereAt = performance.now()
    return isLately(this.wantedElsewhereAt)
  }

  private async hold (): Promise<Lease> {
    const { source: { name, manual }, options: { leases, node } } = this
    const askedAt = performance.now()
    const lease = await leases.hold(name, { node: node.id, note: JSON.stringify(this.note), forMs: LEASE_MS, byDefault: !manual })
    if (lease.holder === node.id && (lease.switched ?? !manual)) this.keepUntil(askedAt + LEASE_MS - MARGIN_MS)
    return lease
  }

  private keepUntil (time: number): void {
    this.heldUntil = time
    clearTimeout(this.lapse)
    this.lapse = setTimeout(() => { void this.lapsed(time) }, time - performance.now()).unref()
  }

  private async lapsed (time: number): Promise<void> {
    // Where this process itself was held up, perhaps nobody has taken it, or nobody else could.
    if (performance.now() - time > MARGIN_MS) await this.step()
    if (this.heldUntil !== time) return
    this.options.logger.warn({ source: this.source.name }, 'the lease of a source could not be renewed: it ends here')
    this.lose()
  }

  /** Runs it, from a fence of its own on: what an earlier holder still sends is refused. */
  private async begin (): Promise<void> {
    if (this.run !== undefined) return
    const { source, options } = this
    const { name } = source
    const fence = await options.raise(name)
    this.note = { name: options.node.name, token: fence.token, since: Date.now() }
    await options.introduce(this.instruments)
    const { holder } = await this.hold()
    if (this.closed || !this.isHeld || holder !== options.node.id) return
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
      onRetrying: retrying => { this.enter(retrying ? 'retrying' : 'running') },
      onFenced: () => { options.onFenced(name) }
    })
    options.onChange(name, false)
    void this.run.ended.then(end => this.ended(end)).catch((error: unknown) => {
      options.logger.error({ err: error, source: name }, 'the lease of a source could not be given up; it ends by itself')
    })
  }

  private async ended (end: 'done' | 'stopped' | 'fenced'): Promise<void> {
    this.run = undefined
    if (this.closed) return
    if (end === 'fenced') {
      this.options.logger.warn({ source: this.source.name }, 'a source is stopped: another server has taken it over, and what it said since was refused')
      this.lose()
    }
    this.enter(end === 'done' ? 'ended' : 'waiting')
    if (end === 'done') {
      this.lose()
      await this.release(true)
    } else await this.step()
  }

  /** It is not to run here. */
  private async leave (lease: Lease, isOn: boolean): Promise<void> {
    // Given up only when its last message is in the log.
    if (this.run !== undefined) {
      this.run.stop()
      return
    }
    this.lose()
    if (lease.holder === this.options.node.id) await this.release(false)
    this.enter(isOn || lease.switched === undefined ? 'waiting' : 'ended')
  }

  private lose (): void {
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

  private enter (state: SourceState): void {
    if (this.current === state) return
    this.current = state
    this.options.logger.info({ source: this.source.name, state }, 'a source changed its state')
  }
}
