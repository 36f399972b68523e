import { performance } from 'node:perf_hooks'
import { monitor, type MonitorFigures, ProtocolError } from '@tickwire/protocol'
import type { Coordination } from '../coordination/coordination.js'
import type { Demand, Watch } from '../hub/audience/demand.js'
import type { Publisher } from '../publisher/publisher.js'

const KIND = 'monitor'
const EVERY_MS = 1000
/** For how long a node publishes after it last heard that somebody subscribes: a poll comes and goes. */
const WANTED_MS = 3000
const ASK_MS = 500

export interface MonitorOptions {
  readonly node: string
  readonly coordination: Pick<Coordination, 'ask' | 'answer'>
  readonly demand: Pick<Demand, 'watch'>
  readonly publisher: Pick<Publisher, 'publishOne'>
  readonly figures: { restart (): void, take (): Promise<MonitorFigures> }
  readonly onError: (error: unknown, message: string) => void
}

/**
 * Publishes the figures of this node each second while somebody subscribes to them, on any node. A node with
 * subscribers tells the others each second; so nothing is asked and published while there are none.
 */
export class Monitor {
  private readonly watch: Watch
  private readonly stopAnswering: () => void
  private ticker: NodeJS.Timeout | undefined
  private wantedUntil = 0
  private isPublishing = false
  private failed = false
  private closed = false

  constructor (private readonly options: MonitorOptions) {
    const { coordination, demand, node } = options
    this.watch = demand.watch({ channels: [monitor.name], covers: () => true }, () => { this.demanded() })
    this.stopAnswering = coordination.answer(question => {
      const { kind, from } = JSON.parse(question) as { readonly kind?: unknown, readonly from?: unknown }
      if (kind === KIND && from !== node) this.want()
      return ''
    })
  }

  close (): void {
    this.closed = true
    clearInterval(this.ticker)
    this.watch.end()
    this.stopAnswering()
  }

  private demanded (): void {
    if (!this.watch.isWanted()) return
    this.want()
    this.tellOthers()
  }

  private want (): void {
    if (this.closed) return
    this.wantedUntil = performance.now() + WANTED_MS
    if (this.ticker !== undefined) return
    this.options.figures.restart()
    this.ticker = setInterval(() => { this.tick() }, EVERY_MS).unref()
  }

  private tick (): void {
    if (this.watch.isWanted()) {
      this.want()
      this.tellOthers()
    }
    if (performance.now() < this.wantedUntil) {
      void this.publish()
      return
    }
    clearInterval(this.ticker)
    this.ticker = undefined
  }

  private tellOthers (): void {
    const { coordination, node } = this.options
    // If the others cannot be asked, they cannot publish either.
    coordination.ask(JSON.stringify({ kind: KIND, from: node }), ASK_MS).catch(() => {})
  }

  private async publish (): Promise<void> {
    // A log that does not answer must not be given more and more.
    if (this.isPublishing) return
    this.isPublishing = true
    try {
      const data = await this.options.figures.take()
      if (!this.closed) await this.options.publisher.publishOne({ channel: monitor.name, data })
      this.failed = false
    } catch (error) {
      // That the log is away is said elsewhere.
      if (!(error instanceof ProtocolError && error.code === 'log_unavailable') && !this.failed) {
        this.failed = true
        this.options.onError(error, 'the figures of this server could not be published')
      }
    } finally {
      this.isPublishing = false
    }
  }
}
