import { type Channels, parseTopicKey } from '@tickwire/protocol'
import type { Counters, FailurePlace } from '../metrics/counters.js'

/** How many pairs of topic and place are logged; further failures are only counted. */
const MAX_LOGGED = 1000

/**
 * Counts and logs the errors that a topic's channel or an encoder throws. An error stays with its topic: the
 * caller goes on with the other topics, and sends a `reset` to the clients that have this one (ADR 32).
 */
export class Failures {
  private readonly logged = new Set<string>()

  constructor (
    private readonly channels: Channels,
    private readonly counters: Counters,
    private readonly onError: (error: unknown, message: string) => void
  ) {}

  /** Counts an error, and logs the first one of a topic and place. */
  note (topic: string, place: FailurePlace, error: unknown): void {
    const { channel } = parseTopicKey(topic)
    this.counters.fail(this.channels.has(channel) ? channel : 'unknown', place)
    const key = `${place} ${topic}`
    if (this.logged.size >= MAX_LOGGED || this.logged.has(key)) return
    this.logged.add(key)
    const last = this.logged.size === MAX_LOGGED ? '; further topics are only counted' : ''
    this.onError(error, `the topic ${topic} failed at: ${place}; the server resets it for its subscribers, ` +
      `and logs this once${last}`)
  }
}
