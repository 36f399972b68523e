import { ProtocolError } from '@tickwire/protocol'
import type { Entry, Snapshot } from '../../log/log.js'
import type { MessageWriter, Written } from '../format.js'
import type { HubParts } from '../hub-parts.js'

/**
 * The states of topics exactly where the hub stands. If a subscriber is being sent a topic, its snapshot must
 * neither be older than what the subscriber has, nor contain messages that are still to come (PROTOCOL.md,
 * The client's rule).
 */
export class LiveStates {
  /** @param unknown topics without a known state, and the offset where their shard stood before the read */
  private constructor (
    private readonly hub: HubParts,
    private readonly snapshots: readonly Snapshot[],
    private readonly unknown: ReadonlyMap<string, number>
  ) {}

  /**
   * Reads the states of the topics from the log, and waits until the hub has passed on all that they contain.
   * The caller must keep the shards of the topics awake ({@link HubParts.interest}).
   * @throws ProtocolError `log_unavailable`
   */
  static async read (hub: HubParts, topics: Iterable<string>): Promise<LiveStates> {
    const named = [...topics]
    const shards = [...new Set(named.map(topic => hub.log.shardOf(topic)))]
    // The caller may release the shards before the states are here.
    hub.interest.retain(shards)
    try {
      await hub.epochChange
      const standing = hub.shards.map(({ flushed }) => flushed)
      const snapshots = await LiveStates.readSnapshots(hub, named)
      const known = new Set(snapshots.map(({ topic }) => topic))
      const unknown = new Map<string, number>()
      for (const topic of named) if (!known.has(topic)) unknown.set(topic, standing[hub.log.shardOf(topic)]!)
      return new LiveStates(hub, snapshots, unknown)
    } finally {
      hub.interest.release(shards)
    }
  }

  private static async readSnapshots (hub: HubParts, topics: readonly string[]): Promise<Snapshot[]> {
    const states = await Promise.all(topics.map(topic => readState(hub, topic)))
    const snapshots = states.filter(state => state !== undefined)
    const ahead = ({ topic, epoch, asOf }: Snapshot): boolean => {
      const { epochs, flushed } = hub.shards[hub.log.shardOf(topic)]!
      const known = epochs.findLastIndex(other => other.epoch === epoch)
      // The hub never reaches a state of an epoch that has ended: `now` says that it is outdated.
      return known < 0 || (known === epochs.length - 1 && flushed < asOf)
    }
    while (snapshots.some(ahead)) await hub.advanced()
    return snapshots
  }

  /**
   * Repeats {@link read} and {@link now} until the states are known. They are those of now only in the tick
   * in which this resolves.
   */
  static async settled (hub: HubParts, topics: Iterable<string>): Promise<ReadonlyMap<string, Snapshot>> {
    for (;;) {
      const states = (await LiveStates.read(hub, topics)).now()
      if (states !== undefined) return states
    }
  }

  /**
   * Returns the states where the hub stands now, with everything that was passed on since they were read;
   * topics without a known state are left out. Returns undefined if that cannot be known any more, after a
   * new epoch or too long a wait: read again.
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
      const isNew = (topic: string, at: number): boolean => at > (standing.get(topic) ?? Infinity)
      recent.after(offset, isNew, entry => {
        const entries = since.get(entry.topic)
        if (entries === undefined) since.set(entry.topic, [entry])
        else entries.push(entry)
        return true
      })
    }
    return since
  }

  /** Whether a state that was not known may be known now, by a message that was passed on since. */
  private isOutdated (): boolean {
    const { unknown, hub } = this
    for (const shard of new Set(Array.from(unknown.keys(), topic => hub.log.shardOf(topic)))) {
      const { recent } = hub.shards[shard]!
      let began = false
      let from = Infinity
      for (const [topic, offset] of unknown) {
        if (hub.log.shardOf(topic) === shard) from = Math.min(from, offset)
      }
      if (!recent.covers(from)) return true
      recent.after(from, topic => unknown.has(topic), ({ replaces, previous }) => {
        began = replaces || previous === 0
        return !began
      })
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
      for (const entry of since) {
        state = reduce(state as never, JSON.parse(entry.payload) as never, entry.replaces)
      }
      payload = JSON.stringify(state)
    }
    return { ...snapshot, sequence: last.sequence, timestamp: last.timestamp, payload, asOf: last.offset }
  }
}

/**
 * Reads a topic's state. Returns undefined if there is none, or if its channel failed to fold it.
 * @throws ProtocolError `log_unavailable`
 */
export async function readState (hub: HubParts, topic: string): Promise<Snapshot | undefined> {
  try {
    return await hub.log.snapshot(topic)
  } catch (error) {
    if (error instanceof ProtocolError) throw error
    hub.failures.note(topic, 'state', error)
    return undefined
  }
}

/** Writes a state as {@link writeState} does. Returns undefined if that fails. */
export function tellState (
  hub: HubParts, writer: MessageWriter, snapshot: Snapshot, depth: number
): Written | undefined {
  try {
    return writeState(hub, writer, snapshot, depth)
  } catch (error) {
    hub.failures.note(snapshot.topic, 'encode', error)
    return undefined
  }
}

/**
 * Writes a topic's state as a message, cut to a depth; 0 for all of it.
 * @throws if it cannot be cut or encoded
 */
export function writeState (
  hub: HubParts, writer: MessageWriter, snapshot: Snapshot, depth: number
): Written {
  const { topic, sequence, timestamp, payload } = snapshot
  const levels = depth === 0 ? undefined : hub.channelOf(topic)?.levels
  const whole = { topic, sequence, timestamp, replaces: true, payload }
  if (levels === undefined) return writer.data(whole)
  const cut: unknown = levels.cut(JSON.parse(payload) as never, depth)
  return writer.data({ ...whole, payload: JSON.stringify(cut) })
}
