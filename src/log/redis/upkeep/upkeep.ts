import type { ShardKeys } from '../keys.js'
import type { Masters } from '../masters/masters.js'
import type { ShardRetention } from './retention.js'
import type { States } from '../state/states.js'

/** How long the lease of a node that is gone keeps others from its work. */
const LEASE_MS = 3000
const STEP_MS = 1000
/** A state is kept at the latest after a quarter of the messages that its topic may have. */
const KEEP_SHARE = 4

export interface UpkeepOptions {
  readonly masters: Masters
  readonly keys: readonly ShardKeys[]
  readonly retentions: readonly ShardRetention[]
  readonly states: States
  /** Names this node among those that share the log. */
  readonly node: string
  maxMessages (topic: string): number
  readonly onError: (error: unknown, message: string) => void
}

/**
 * The work on shards beside appending. Each node keeps the folded states of the topics that it appends to,
 * long before the messages go that they were folded from; no other node need hear of these topics (ADR 27).
 * The node that holds a shard's lease drops what is too old.
 */
export class Upkeep {
  private readonly held: boolean[]
  /**
   * By topic whose state has changed since it was kept, the number of messages that this node has appended
   * since.
   */
  private readonly changed = new Map<string, number>()
  private timer: NodeJS.Timeout | undefined
  private step: Promise<void> = Promise.resolve()
  private closed = false

  constructor (private readonly options: UpkeepOptions) {
    this.held = options.keys.map(() => false)
  }

  async start (): Promise<void> {
    await this.renew()
    this.timer = setInterval(() => { this.step = this.step.then(() => this.takeStep()) }, STEP_MS).unref()
  }

  close (): void {
    this.closed = true
    clearInterval(this.timer)
  }

  /** Notes that this node has appended a message to a topic. */
  note (topic: string): void {
    if (!this.options.states.isFolded(topic)) return
    const count = (this.changed.get(topic) ?? 0) + 1
    this.changed.set(topic, count)
    const often = Math.max(1, Math.floor(this.options.maxMessages(topic) / KEEP_SHARE))
    if (count % often === 0) void this.keep(topic)
  }

  private async takeStep (): Promise<void> {
    if (this.closed) return
    await this.renew()
    await Promise.all([...this.changed.keys()].map(topic => this.keep(topic)))
    for (const [shard, retention] of this.options.retentions.entries()) {
      if (this.held[shard] !== true) retention.forget()
      else await this.attempt(() => retention.step(), 'old messages could not be dropped; it is tried again')
    }
  }

  private async renew (): Promise<void> {
    await Promise.all(this.options.keys.map(async ({ lease }, shard) => {
      this.held[shard] = await this.takeLease(lease)
    }))
  }

  private async takeLease (lease: string): Promise<boolean> {
    const { masters, node } = this.options
    try {
      if (await masters.send(lease, redis => redis.get(lease)) !== node) {
        return await masters.send(lease, redis => redis.set(lease, node, 'PX', LEASE_MS, 'NX')) === 'OK'
      }
      await masters.send(lease, redis => redis.pexpire(lease, LEASE_MS))
      return true
    } catch (error) {
      // A Redis whose memory is full refuses the lease, and yet somebody must drop what is too old.
      return /OOM/.test(String(error))
    }
  }

  private async keep (topic: string): Promise<void> {
    this.changed.delete(topic)
    await this.attempt(() => this.options.states.keep(topic), 'a state could not be kept; it is tried again')
  }

  private async attempt (work: () => Promise<void>, message: string): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!this.closed) this.options.onError(error, message)
    }
  }
}
