import type { Entry, Snapshot } from '../log/log.js'
import type { MessageEncoder } from './frame.js'
import { readHeld } from './held.js'
import type { HubParts } from './hub-parts.js'

/** What was read of a topic: its state, or all that the log holds of it where it has none. */
interface Standing {
  readonly topic: string
  readonly epoch: number
  /** Every message of the topic up to here is part of it, none beyond. */
  readonly asOf: number
  readonly snapshot?: Snapshot
  readonly entries?: readonly Entry[]
}

/** A topic as it stands where the hub stands: its state, or what the log holds of it. */
export interface LiveState {
  readonly topic: string
  readonly snapshot?: Snapshot
  readonly entries: readonly Entry[]
}

/**
 * The states of topics exactly where the hub stands: for topics that a subscriber is being sent, a snapshot must
 * neither be older than what it had nor hold what is still to come (PROTOCOL.md, The client's rule).
 */
export class LiveStates {
  private constructor (private readonly hub: HubParts, private readonly standings: readonly Standing[]) {}

  /**
   * Reads what the topics hold from the log and waits until the hub stands at or behind none of it.
   * @param histories whether a topic without a state is given by all that the log still holds of it, or not at all
   */
  static async read (hub: HubParts, topics: Iterable<string>, { histories = false } = {}): Promise<LiveStates> {
    await hub.epochChange
    const read = await Promise.all([...topics].map(async topic => {
      if (hub.channelOf(topic)?.reduce === undefined) return histories ? { topic, ...await readHeld(hub.log, topic) } : undefined
      const snapshot = await hub.log.snapshot(topic)
      return snapshot === undefined ? undefined : { topic, epoch: snapshot.epoch, asOf: snapshot.asOf, snapshot }
    }))
    const standings = read.filter(standing => standing !== undefined)
    const ahead = ({ topic, epoch, asOf }: Standing): boolean => {
      const { epochs, flushed } = hub.shards[hub.log.shardOf(topic)]!
      const known = epochs.findLastIndex(other => other.epoch === epoch)
      // What was read in an epoch that has ended is never caught up with: it is read again.
      return known < 0 || (known === epochs.length - 1 && flushed < asOf)
    }
    while (standings.some(ahead)) await hub.advanced()
    return new LiveStates(hub, standings)
  }

  /** As {@link read} and {@link now}, read again until it can be told. The answer holds in the tick in which it comes. */
  static async whenTold (hub: HubParts, topics: Iterable<string>, options?: { histories: boolean }): Promise<ReadonlyMap<string, LiveState>> {
    for (;;) {
      const states = (await LiveStates.read(hub, topics, options)).now()
      if (states !== undefined) return states
    }
  }

  /**
   * The topics now: what was passed on since they were read is part of it. Undefined where that cannot be told any
   * more (a new epoch, or too long a wait): read again.
   */
  now (): ReadonlyMap<string, LiveState> | undefined {
    const since = this.passedOnSince()
    if (since === undefined) return undefined
    return new Map(this.standings.map(standing => [standing.topic, this.advance(standing, since.get(standing.topic) ?? [])]))
  }

  private passedOnSince (): Map<string, Entry[]> | undefined {
    const since = new Map<string, Entry[]>()
    const standing = new Map(this.standings.map(({ topic, asOf }) => [topic, asOf]))
    const earliest = new Map<number, number>()
    for (const { topic, asOf, epoch } of this.standings) {
      const shard = this.hub.log.shardOf(topic)
      if (epoch !== this.hub.epoch(shard) || this.hub.epochChange !== undefined) return undefined
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

  private advance ({ topic, snapshot, entries = [] }: Standing, since: readonly Entry[]): LiveState {
    if (snapshot === undefined) return { topic, entries: [...entries, ...since] }
    const last = since.at(-1)
    if (last === undefined) return { topic, snapshot, entries: [] }
    const reduce = this.hub.channelOf(topic)?.reduce
    let payload = last.payload
    if (typeof reduce === 'function') {
      let state: unknown = JSON.parse(snapshot.payload)
      for (const entry of since) state = reduce(state as never, JSON.parse(entry.payload) as never, entry.replaces)
      payload = JSON.stringify(state)
    }
    return { topic, snapshot: { ...snapshot, sequence: last.sequence, timestamp: last.timestamp, payload, asOf: last.offset }, entries: [] }
  }
}

/** A topic's state as messages, cut to a depth where one is given. */
export function stateMessages (hub: HubParts, encoder: MessageEncoder, { topic, snapshot, entries }: LiveState, depth: number): string[] {
  if (snapshot === undefined) return entries.map(entry => encoder.entry(entry))
  return [encoder.snapshot(depth === 0 ? snapshot : cutSnapshot(hub, topic, snapshot, depth))]
}

export function cutSnapshot (hub: HubParts, topic: string, snapshot: Snapshot, depth: number): Snapshot {
  const levels = hub.channelOf(topic)?.levels
  return levels === undefined ? snapshot : { ...snapshot, payload: JSON.stringify(levels.cut(JSON.parse(snapshot.payload) as never, depth)) }
}
