import { parseTopicKey } from '@tickwire/protocol'
import type { Entry, Snapshot } from '../log/log.js'
import type { Hub } from './hub.js'

/**
 * The states of topics exactly where the hub stands: for topics that a subscriber is being sent, a snapshot must
 * neither be older than what it had nor hold what is still to come (PROTOCOL.md, The client's rule).
 */
export class LiveStates {
  private constructor (private readonly hub: Hub, private readonly snapshots: readonly Snapshot[]) {}

  /** Reads the topics' snapshots from the log and waits until the hub stands at or behind none of them. */
  static async read (hub: Hub, topics: Iterable<string>): Promise<LiveStates> {
    await hub.epochChange
    const read = await Promise.all([...topics].map(topic => hub.log.snapshot(topic)))
    const snapshots = read.filter(snapshot => snapshot !== undefined)
    const behind = (snapshot: Snapshot): boolean => hub.shards[hub.log.shardOf(snapshot.topic)]!.flushed < snapshot.asOf
    while (snapshots.some(behind)) await hub.advanced()
    return new LiveStates(hub, snapshots)
  }

  /**
   * The states now, as messages: what was passed on since they were read is folded in. Undefined where that
   * cannot be told any more (a new epoch, or too long a wait): read again.
   */
  messages (): string[] | undefined {
    const messages: string[] = []
    const since = this.passedOnSince()
    if (since === undefined) return undefined
    for (const snapshot of this.snapshots) {
      const entries = since.get(snapshot.topic)
      messages.push(this.hub.encoder.snapshot(entries === undefined ? snapshot : this.advance(snapshot, entries)))
    }
    return messages
  }

  private passedOnSince (): Map<string, Entry[]> | undefined {
    const since = new Map<string, Entry[]>()
    const standing = new Map(this.snapshots.map(snapshot => [snapshot.topic, snapshot.asOf]))
    const earliest = new Map<number, number>()
    for (const { topic, asOf, epoch } of this.snapshots) {
      const shard = this.hub.log.shardOf(topic)
      if (epoch !== this.hub.epoch(shard) || this.hub.epochChange !== undefined) return undefined
      earliest.set(shard, Math.min(asOf, earliest.get(shard) ?? asOf))
    }
    for (const [shard, offset] of earliest) {
      const { recent } = this.hub.shards[shard]!
      if (!recent.covers(offset)) return undefined
      recent.after(offset, entry => {
        const asOf = standing.get(entry.topic)
        if (asOf !== undefined && entry.offset > asOf) {
          const entries = since.get(entry.topic)
          if (entries === undefined) since.set(entry.topic, [entry])
          else entries.push(entry)
        }
        return true
      })
    }
    return since
  }

  private advance (snapshot: Snapshot, entries: readonly Entry[]): Snapshot {
    const last = entries.at(-1)!
    const reduce = this.hub.channels.get(parseTopicKey(snapshot.topic).channel)?.reduce
    let payload = last.payload
    if (typeof reduce === 'function') {
      let state: unknown = JSON.parse(snapshot.payload)
      for (const entry of entries) state = reduce(state as never, JSON.parse(entry.payload) as never, entry.replaces)
      payload = JSON.stringify(state)
    }
    return { ...snapshot, sequence: last.sequence, timestamp: last.timestamp, payload, asOf: last.offset }
  }
}
