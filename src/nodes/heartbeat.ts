import { performance } from 'node:perf_hooks'
import type { NodeRegistry } from '../coordination/node-registry.js'
import type { NodeRecord } from './schema.js'

const BEAT_MS = 1000
/** How long a node that is gone is still listed. */
const RECORD_MS = 5000
/** A node that could not say for so long that it is there is not ready. */
const REGISTERED_MS = 3500

export interface HeartbeatOptions {
  readonly registry: NodeRegistry
  readonly node: string
  /** What the node says of itself. @param measured whether a second has passed, over which its load is measured */
  record (measured: boolean): NodeRecord
  onError (error: unknown, message: string): void
}

/** Says each second that this node is there. */
export class Heartbeat {
  private timer: NodeJS.Timeout | undefined
  /** As `performance.now` has it. */
  private registeredAt = -Infinity
  private beating: Promise<void> | undefined
  private due = false
  private failing = false
  private closed = false

  constructor (private readonly options: HeartbeatOptions) {}

  /** Resolves when it has been said first, or could not be. */
  async start (): Promise<void> {
    this.timer = setInterval(() => { void this.beat(true) }, BEAT_MS).unref()
    await this.beat(true)
  }

  /** Whether the others know that this node is there. */
  get isRegistered (): boolean {
    return performance.now() - this.registeredAt < REGISTERED_MS
  }

  /** Something that others are to know has changed: it is said at once. */
  touch (): void {
    if (this.timer !== undefined) void this.beat(false)
  }

  /** It goes, and is not listed any more. */
  async close (): Promise<void> {
    this.closed = true
    clearInterval(this.timer)
    await this.beating
    this.registeredAt = -Infinity
    await this.options.registry.unregister(this.options.node).catch(() => {})
  }

  private async beat (measured: boolean): Promise<void> {
    if (this.closed) return
    if (this.beating !== undefined) {
      this.due = true
      return
    }
    this.beating = this.say(measured).finally(() => { this.beating = undefined })
    await this.beating
    if (!this.due) return
    this.due = false
    await this.beat(false)
  }

  private async say (measured: boolean): Promise<void> {
    const { registry, node, record, onError } = this.options
    // The answer may come late: it counts from when it was asked for.
    const at = performance.now()
    try {
      await registry.register(node, JSON.stringify(record(measured)), RECORD_MS)
      this.registeredAt = at
      this.failing = false
    } catch (error) {
      if (!this.failing) onError(error, 'this server cannot be registered with the others now; it is tried again, and is not ready meanwhile')
      this.failing = true
    }
  }
}
