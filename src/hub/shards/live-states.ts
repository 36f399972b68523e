import { ProtocolError } from '@tickwire/protocol'
import type { Entry, Snapshot } from '../../log/log.js'
import type { MessageWriter, Written } from '../format.js'
import type { HubParts } from '../hub-parts.js'

/**
 * The states of topics exactly where the hub stands: for topics that a subscriber is being sent, a snapshot must
 * neither be older than what it had nor hold what is still to come (PROTOCOL.md, The client's rule).
 */
export class LiveStates {
  /** @param unknown topics that have no state as far as is known, and where their shard stood before it was read */
  private constructor (private readonly hub: HubParts, private readonly snapshots: readonly Snapshot[], private readonly unknown: ReadonlyMap<string, number>) {}

  /** Reads the states of the topics that have one from the log, and waits until the hub stands at or behind none of it. Somebody must hold their shards. */
  static async read (hub: HubParts, topics: Iterable<string>): Promise<LiveStates> {
    const named = [...topics]
    const shards = [...new Set(named.map(topic => hub.log.shardOf(topic)))]
    // Whoever needs the states may be gone before they are there.
    hub.interest.retain(shards)
    try {
      await hub.epochChange
      const standing = hub.shards.map(({ flushed }) => flushed)
      const snapshots = await LiveStates.snapshotsOf(hub, named)
      const known = new Set(snapshots.map(({ topic }) => topic))
      return new LiveStates(hub, snapshots, new Map(named.filter(topic => !known.has(topic)).map(topic => [topic, standing[hub.log.shardOf(topic)]!])))
    } finally {
      hub.interest.release(shards)
    }
  }

  private static async snapshotsOf (hub: HubParts, topics: readonly string[]): Promise<readonly Snapshot[]> {
    const read = await Promise.all(topics.map(topic => readState(hub, topic)))
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
  static async settled (hub: HubParts, topics: Iterable<string>): Promise<ReadonlyMap<string, Snapshot>> {
    for (;;) {
      const states = (await LiveStates.read(hub, topics)).now()
      if (states !== undefined) return states
    }
  }

  /**
   * The topics now, but for those whose state is not known: what was passed on since they were read is part of it. Undefined where that cannot be told any
   * more (a new epoch, or too long a wait): read again.
   */
  now (): ReadonlyMap<string, Snapshot> | undefined {
    const since = this.passedOnSince()
    if (since === undefined || this.isOutdated()) return undefined
    const states = new Map<string, Snapshot>()
    for (const snapshot of this.snapshots) {
      const { topic } = snapshot
      try {
        states.set(topic, this.advance(snapshot, since.get(topic) ?? []))
      } catch (error) {
        this.hub.failures.note(topic, 'state', error)
      }
    }
    return states
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

  /** Whether a message may have come that made a state known. */
  private isOutdated (): boolean {
    const { unknown, hub } = this
    for (const shard of new Set(Array.from(unknown.keys(), topic => hub.log.shardOf(topic)))) {
      const { recent } = hub.shards[shard]!
      let began = false
      let from = Infinity
      for (const [topic, offset] of unknown) if (hub.log.shardOf(topic) === shard) from = Math.min(from, offset)
      if (!recent.covers(from)) return true
      recent.after(from, topic => unknown.has(topic), ({ replaces, previous }) => !(began = replaces || previous === 0))
      if (began) return true
    }
    return false
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

/** A topic's state, undefined also where its channel failed to fold it. @throws ProtocolError `log_unavailable` */
export async function readState (hub: HubParts, topic: string): Promise<Snapshot | undefined> {
  try {
    return await hub.log.snapshot(topic)
  } catch (error) {
    if (error instanceof ProtocolError) throw error
    hub.failures.note(topic, 'state', error)
    return undefined
  }
}

/** As {@link writeState}; undefined where it cannot be made. */
export function tellState (hub: HubParts, writer: MessageWriter, snapshot: Snapshot, depth: number): Written | undefined {
  try {
    return writeState(hub, writer, snapshot, depth)
  } catch (error) {
    hub.failures.note(snapshot.topic, 'encode', error)
    return undefined
  }
}

/** A topic's state as a message, cut to a depth where one is given. */
export function writeState (hub: HubParts, writer: MessageWriter, snapshot: Snapshot, depth: number): Written {
  const levels = depth === 0 ? undefined : hub.channelOf(snapshot.topic)?.levels
  const message = { ...snapshot, replaces: true }
  if (levels === undefined) return writer.data(message)
  return writer.data({ ...message, payload: JSON.stringify(levels.cut(JSON.parse(snapshot.payload) as never, depth)) })
}
