import { performance } from 'node:perf_hooks'
import type { NodeRegistry } from '../coordination/node-registry.js'
import type { NodeRecord } from './schema.js'

const BEAT_MS = 1000
/** How long a node that has died is still listed. */
const RECORD_MS = 5000
/** A node that could not register for this long is not ready. */
const REGISTERED_MS = 3500

const NOT_REGISTERED =
  'this server cannot register with the others; it tries again, and is not ready meanwhile'

export interface HeartbeatOptions {
  readonly registry: NodeRegistry
  readonly node: string
  /** Returns the node's record. @param measured whether to measure its load, because a second has passed */
  record (measured: boolean): NodeRecord
  onError (error: unknown, message: string): void
}

/** Registers this node each second. */
export class Heartbeat {
  private timer: NodeJS.Timeout | undefined
  /** A time of `performance.now`. */
  private registeredAt = -Infinity
  private beating: Promise<void> | undefined
  private due = false
  private failing = false
  private closed = false

  constructor (private readonly options: HeartbeatOptions) {}

  /** Registers for the first time. Resolves also if that fails. */
  async start (): Promise<void> {
    this.timer = setInterval(() => { void this.beat(true) }, BEAT_MS).unref()
    await this.beat(true)
  }

  /** Whether the other nodes see this one in the list. */
  get isRegistered (): boolean {
    return performance.now() - this.registeredAt < REGISTERED_MS
  }

  /** Registers at once, because the record has changed. */
  touch (): void {
    if (this.timer !== undefined) void this.beat(false)
  }

  /** Removes this node from the list, and registers no more. */
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
    this.beating = this.register(measured).finally(() => { this.beating = undefined })
    await this.beating
    if (!this.due) return
    this.due = false
    await this.beat(false)
  }

  private async register (measured: boolean): Promise<void> {
    const { registry, node, record, onError } = this.options
    // The answer may come late, so the registration counts from when it was sent.
    const at = performance.now()
    try {
      await registry.register(node, JSON.stringify(record(measured)), RECORD_MS)
      this.registeredAt = at
      this.failing = false
    } catch (error) {
      if (!this.failing) onError(error, NOT_REGISTERED)
      this.failing = true
    }
  }
}
