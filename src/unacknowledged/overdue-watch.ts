import { setTimeout as delay } from 'node:timers/promises'
import { acknowledgements, acknowledgementTopic, channelOfKey, type Channels } from '@tickwire/protocol'
import { readAcknowledged } from '../log/acknowledged.js'
import type { Log, TopicPosition } from '../log/log.js'
import type { Overdue } from '../metrics/counters.js'
import type { Source, SourceLogger } from '../sources/source.js'

/** A message becomes overdue at most this part of the time later than it says. */
const LOOKS_PER_ALERT = 5
const SHORTEST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 60_000
/** Topics about which the log is asked at a time. */
const AT_ONCE = 20

export interface OverdueWatchOptions {
  readonly log: Pick<Log, 'shards' | 'shardOf' | 'topics' | 'snapshot' | 'head' | 'read'>
  readonly channels: Channels
  readonly logger: SourceLogger
  /** Told after each look, by channel; and of nothing when another server looks. */
  readonly report: (overdue: ReadonlyMap<string, Overdue>) => void
  /** In milliseconds since 1970. */
  readonly now?: () => number
}

/** What was found out about a topic, and up to which messages. */
interface Looked {
  readonly last: number
  readonly acknowledgement: number
  readonly openSince: number | undefined
}

/**
 * Looks now and then which messages nobody has acknowledged for too long (ACK_ALERT_SECONDS). It runs on one
 * of several servers. The log is asked only about users who got or acknowledged something since.
 */
class OverdueWatch {
  private readonly looked = new Map<string, Looked>()
  private readonly names: ReadonlySet<string>

  /** @param alertMs for how long a message may be open, in milliseconds */
  constructor (private readonly alertMs: number, private readonly options: OverdueWatchOptions) {
    const acknowledged = [...options.channels.values()].filter(channel => channel.acknowledged === true)
    this.names = new Set(acknowledged.map(({ name }) => name))
  }

  /** The watch as a source, which publishes nothing. */
  get source (): Source {
    return {
      name: 'overdue-acknowledgements',
      manual: false,
      instruments: async () => [],
      run: async ({ signal }) => { await this.run(signal) }
    }
  }

  private async run (signal: AbortSignal): Promise<void> {
    const { alertMs, options: { logger, report } } = this
    const pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, alertMs / LOOKS_PER_ALERT))
    let before = 0
    try {
      while (!signal.aborted) {
        const overdue = await this.look(signal)
        report(overdue)
        const users = [...overdue.values()].reduce((sum, { users }) => sum + users, 0)
        if (users > 0 && before === 0) {
          logger.warn({ event: 'overdue', users, seconds: alertMs / 1000 },
            'users have not acknowledged messages for longer than ACK_ALERT_SECONDS')
        }
        before = users
        await delay(pauseMs, undefined, { signal }).catch(() => {})
      }
    } finally {
      this.looked.clear()
      report(new Map())
    }
  }

  private async look (signal: AbortSignal): Promise<ReadonlyMap<string, Overdue>> {
    const { alertMs, options: { log, now = Date.now } } = this
    const positions = new Map<string, TopicPosition>()
    const topics: string[] = []
    for (let shard = 0; shard < log.shards; shard++) {
      for (const [topic, position] of await log.topics(shard)) {
        const channel = channelOfKey(topic)
        const isAcknowledged = this.names.has(channel)
        if (isAcknowledged) topics.push(topic)
        if (isAcknowledged || channel === acknowledgements.name) positions.set(topic, position)
      }
    }
    for (const topic of this.looked.keys()) if (!positions.has(topic)) this.looked.delete(topic)
    const changed = topics.filter(topic => this.hasChanged(topic, positions))
    for (let at = 0; at < changed.length && !signal.aborted; at += AT_ONCE) {
      await Promise.all(changed.slice(at, at + AT_ONCE).map(topic => this.lookAt(topic, positions)))
    }
    const latest = now() - alertMs
    const none: Overdue = { users: 0, since: undefined }
    const overdue = new Map([...this.names].map(name => [name, none]))
    for (const [topic, { openSince }] of this.looked) {
      if (openSince === undefined || openSince > latest) continue
      const { users, since = openSince } = overdue.get(channelOfKey(topic))!
      overdue.set(channelOfKey(topic), { users: users + 1, since: Math.min(since, openSince) })
    }
    return overdue
  }

  private hasChanged (topic: string, positions: ReadonlyMap<string, TopicPosition>): boolean {
    const known = this.looked.get(topic)
    if (known === undefined) return true
    if (known.acknowledgement !== offsetOf(acknowledgementTopic(topic), positions)) return true
    // What is open stays so, whatever comes behind it.
    return known.openSince === undefined && known.last !== offsetOf(topic, positions)
  }

  private async lookAt (topic: string, positions: ReadonlyMap<string, TopicPosition>): Promise<void> {
    const { log } = this.options
    const { offset } = await readAcknowledged(log, topic)
    const { entries: [first] } = await log.read(topic, { offset }, 1)
    this.looked.set(topic, {
      last: offsetOf(topic, positions),
      acknowledgement: offsetOf(acknowledgementTopic(topic), positions),
      openSince: first?.timestamp
    })
  }
}

/** @param alertSeconds for how long a message may be open; 0: nobody looks */
export const overdueSources = (alertSeconds: number, options: OverdueWatchOptions): Source[] =>
  alertSeconds === 0 ? [] : [new OverdueWatch(alertSeconds * 1000, options).source]

const offsetOf = (topic: string, positions: ReadonlyMap<string, TopicPosition>): number =>
  positions.get(topic)?.offset ?? 0
