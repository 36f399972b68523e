import type { ShardKeys } from '../keys.js'
import type { Masters } from '../masters/masters.js'
import type { ShardRetention } from './retention.js'
import type { States } from '../state/states.js'

/** How long a node that is gone keeps others from its work. */
const LEASE_MS = 3000
const STEP_MS = 1000
/** A state is kept after so many messages at the latest, as a share of those that the topic holds. */
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
 * What has to be done for a shard beside appending. Folded states are kept, long before the messages go that they were folded
 * from: by each node those of the topics that it appends to, since no other need hear of them (ADR 27). What is too old is
 * dropped by the node that holds the shard's lease.
 */
export class Upkeep {
  private readonly held: boolean[]
  /** Topics whose state has changed since it was kept, with how many messages of this node's. */
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

  /** This node appended a message to a topic. */
  note (topic: string): void {
    if (!this.options.states.isFolded(topic)) return
    const count = (this.changed.get(topic) ?? 0) + 1
    this.changed.set(topic, count)
    if (count % Math.max(1, Math.floor(this.options.maxMessages(topic) / KEEP_SHARE)) === 0) void this.keep(topic)
  }

  private async takeStep (): Promise<void> {
    if (this.closed) return
    await this.renew()
    await Promise.all([...this.changed.keys()].map(topic => this.keep(topic)))
    for (const [shard, retention] of this.options.retentions.entries()) {
      if (this.held[shard] !== true) retention.forget()
      else await this.attempt(() => retention.step(), 'what is too old could not be dropped; it is tried again')
    }
  }

  private async renew (): Promise<void> {
    await Promise.all(this.options.keys.map(async ({ lease }, shard) => { this.held[shard] = await this.take(lease) }))
  }

  private async take (lease: string): Promise<boolean> {
    const { masters, node } = this.options
    try {
      if (await masters.send(lease, redis => redis.get(lease)) !== node) return await masters.send(lease, redis => redis.set(lease, node, 'PX', LEASE_MS, 'NX')) === 'OK'
      await masters.send(lease, redis => redis.pexpire(lease, LEASE_MS))
      return true
    } catch (error) {
      // A Redis that is full takes no lease, and needs somebody to drop what is too old.
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
