import { type Channels, parseTopicKey } from '@tickwire/protocol'
import type { Counters, FailurePlace } from '../metrics/counters.js'

/** Topics and places of which the error is logged; what fails beyond them is counted alone. */
const MAX_LOGGED = 1000

/**
 * Counts and logs what a topic's channel or an encoder threw. The error stays with its topic: the caller goes on with the other topics,
 * and has the server send a `reset` to clients that hold this one (ADR 32).
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
    const last = this.logged.size === MAX_LOGGED ? '; no more topics are named, only counted' : ''
    this.onError(error, `the topic ${topic} failed at: ${place}; clients that hold it are sent a reset, and this is logged once${last}`)
  }
}
