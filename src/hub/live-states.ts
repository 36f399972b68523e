import { parseTopicKey } from '@tickwire/protocol'
import type { Entry, Snapshot } from '../log/log.js'
import { readHeld } from './held.js'
import type { Hub } from './hub.js'

/** What was read of a topic: its state, or all that the log holds of it where it has none. */
interface Standing {
  readonly topic: string
  readonly epoch: number
  /** Every message of the topic up to here is part of it, none beyond. */
  readonly asOf: number
  readonly snapshot?: Snapshot
  readonly entries?: readonly Entry[]
}

/**
 * The states of topics exactly where the hub stands: for topics that a subscriber is being sent, a snapshot must
 * neither be older than what it had nor hold what is still to come (PROTOCOL.md, The client's rule).
 */
export class LiveStates {
  private constructor (private readonly hub: Hub, private readonly standings: readonly Standing[]) {}

  /**
   * Reads what the topics hold from the log and waits until the hub stands at or behind none of it.
   * @param histories whether a topic without a state is given by all that the log still holds of it, or not at all
   */
  static async read (hub: Hub, topics: Iterable<string>, { histories = false } = {}): Promise<LiveStates> {
    await hub.epochChange
    const read = await Promise.all([...topics].map(async topic => {
      if (hub.channels.get(parseTopicKey(topic).channel)?.reduce === undefined) return histories ? { topic, ...await readHeld(hub.log, topic) } : undefined
      const snapshot = await hub.log.snapshot(topic)
      return snapshot === undefined ? undefined : { topic, epoch: snapshot.epoch, asOf: snapshot.asOf, snapshot }
    }))
    const standings = read.filter(standing => standing !== undefined)
    const behind = ({ topic, asOf }: Standing): boolean => hub.shards[hub.log.shardOf(topic)]!.flushed < asOf
    while (standings.some(behind)) await hub.advanced()
    return new LiveStates(hub, standings)
  }

  /**
   * The topics now, as messages: what was passed on since they were read is part of it. Undefined where that
   * cannot be told any more (a new epoch, or too long a wait): read again.
   */
  messages (): string[] | undefined {
    const since = this.passedOnSince()
    return since === undefined ? undefined : this.standings.flatMap(standing => this.texts(standing, since.get(standing.topic) ?? []))
  }

  private texts ({ snapshot, entries = [] }: Standing, since: readonly Entry[]): string[] {
    const { encoder } = this.hub
    if (snapshot === undefined) return [...entries, ...since].map(entry => encoder.entry(entry))
    return [encoder.snapshot(since.length === 0 ? snapshot : this.advance(snapshot, since))]
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
