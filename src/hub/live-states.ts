import type { Entry, Snapshot } from '../log/log.js'
import type { MessageEncoder } from './frame.js'
import type { HubParts } from './hub-parts.js'

/**
 * The states of topics exactly where the hub stands: for topics that a subscriber is being sent, a snapshot must
 * neither be older than what it had nor hold what is still to come (PROTOCOL.md, The client's rule).
 */
export class LiveStates {
  private constructor (private readonly hub: HubParts, private readonly snapshots: readonly Snapshot[]) {}

  /** Reads the states of the topics that have one from the log, and waits until the hub stands at or behind none of it. Somebody must hold their shards. */
  static async read (hub: HubParts, topics: Iterable<string>): Promise<LiveStates> {
    const named = [...topics]
    const shards = [...new Set(named.map(topic => hub.log.shardOf(topic)))]
    // Whoever needs the states may be gone before they are there.
    hub.interest.retain(shards)
    try {
      return new LiveStates(hub, await LiveStates.snapshotsOf(hub, named))
    } finally {
      hub.interest.release(shards)
    }
  }

  private static async snapshotsOf (hub: HubParts, topics: readonly string[]): Promise<readonly Snapshot[]> {
    await hub.epochChange
    const read = await Promise.all(topics.map(topic => hub.log.snapshot(topic)))
    const snapshots = read.filter(snapshot => snapshot !== undefined)
    const ahead = ({ topic, epoch, asOf }: Snapshot): boolean => {
      const { epochs, flushed } = hub.shards[hub.log.shardOf(topic)]!
      const known = epochs.findLastIndex(other => other.epoch === epoch)
      // What was read in an epoch that has ended is never caught up with: it is read again.
      return known < 0 || (known === epochs.length - 1 && flushed < asOf)
    }
    while (snapshots.some(ahead)) await hub.advanced()
    return snapshots
  }

  /** As {@link read} and {@link now}, read again until it can be told. The answer holds in the tick in which it comes. */
  static async whenTold (hub: HubParts, topics: Iterable<string>): Promise<ReadonlyMap<string, Snapshot>> {
    for (;;) {
      const states = (await LiveStates.read(hub, topics)).now()
      if (states !== undefined) return states
    }
  }

  /**
   * The topics now: what was passed on since they were read is part of it. Undefined where that cannot be told any
   * more (a new epoch, or too long a wait): read again.
   */
  now (): ReadonlyMap<string, Snapshot> | undefined {
    const since = this.passedOnSince()
    if (since === undefined) return undefined
    return new Map(this.snapshots.map(snapshot => [snapshot.topic, this.advance(snapshot, since.get(snapshot.topic) ?? [])]))
  }

  private passedOnSince (): Map<string, Entry[]> | undefined {
    if (this.hub.epochChange !== undefined) return undefined
    const since = new Map<string, Entry[]>()
    const standing = new Map(this.snapshots.map(({ topic, asOf }) => [topic, asOf]))
    const earliest = new Map<number, number>()
    for (const { topic, asOf, epoch } of this.snapshots) {
      const shard = this.hub.log.shardOf(topic)
      if (epoch !== this.hub.epoch(shard)) return undefined
      earliest.set(shard, Math.min(asOf, earliest.get(shard) ?? asOf))
    }
    for (const [shard, offset] of earliest) {
      const { recent } = this.hub.shards[shard]!
      if (!recent.covers(offset)) return undefined
      recent.after(offset, (topic, place) => place > (standing.get(topic) ?? Infinity), entry => {
        const entries = since.get(entry.topic)
        if (entries === undefined) since.set(entry.topic, [entry])
        else entries.push(entry)
        return true
      })
    }
    return since
  }

  private advance (snapshot: Snapshot, since: readonly Entry[]): Snapshot {
    const last = since.at(-1)
    if (last === undefined) return snapshot
    const reduce = this.hub.channelOf(snapshot.topic)?.reduce
    let payload = last.payload
    if (typeof reduce === 'function') {
      let state: unknown = JSON.parse(snapshot.payload)
      for (const entry of since) state = reduce(state as never, JSON.parse(entry.payload) as never, entry.replaces)
      payload = JSON.stringify(state)
    }
    return { ...snapshot, sequence: last.sequence, timestamp: last.timestamp, payload, asOf: last.offset }
  }
}

/** A topic's state as a message, cut to a depth where one is given. */
export function stateMessage (hub: HubParts, encoder: MessageEncoder, snapshot: Snapshot, depth: number): string {
  const levels = depth === 0 ? undefined : hub.channelOf(snapshot.topic)?.levels
  return encoder.snapshot(levels === undefined ? snapshot : { ...snapshot, payload: JSON.stringify(levels.cut(JSON.parse(snapshot.payload) as never, depth)) })
}
