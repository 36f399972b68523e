import { topicKey } from '@tickwire/protocol'
import type { HubParts } from './hub-parts.js'
import { deliverTo, flushAll, type Subscriber } from './subscriber.js'
import { TopicBytes } from './topic-bytes.js'

const topic = topicKey({ channel: 'system' })

const AVAILABLE = { level: 'info', message: 'the log can be reached again' }
const UNAVAILABLE = {
  level: 'warning',
  message: 'the log cannot be reached: until it can, the server sends and accepts nothing new; ' +
    'no message is lost'
}

export interface LogNoticesOptions {
  /** Passes on the entries that have been received. */
  readonly passOn: () => void
  /** Whether the hub has closed. */
  readonly isClosed: () => boolean
}

/**
 * Notifies subscribers of `system` that the log cannot be reached, or can be reached again. The notice is no
 * message of the log, which accepts none then: it comes as the topic's state, at the position where the
 * subscriber stands.
 */
export class LogNotices {
  /** Whether the log can be reached, as far as is known. */
  available = true
  /** How many notices all live subscribers have been sent. */
  announced = 0

  constructor (private readonly hub: HubParts, private readonly options: LogNoticesOptions) {}

  setAvailable (available: boolean): void {
    this.available = available
    void (this.hub.epochChange ?? Promise.resolve()).then(() => {
      if (this.available !== available || this.hub.epochChange !== undefined) return
      if (this.options.isClosed()) return
      this.options.passOn()
      this.announced++
      this.announce(this.hub.audience.of(topic).everybody())
    })
  }

  /**
   * Notifies a subscriber that is live again, if the others were sent a notice meanwhile.
   * @param since the value of {@link announced} when the subscriber left live delivery
   */
  announceMissed (subscriber: Subscriber, since: number): void {
    if (this.announced <= since || this.hub.audience.of(topic).view(subscriber) === undefined) return
    this.announce([subscriber])
  }

  private announce (subscribers: Iterable<Subscriber>): void {
    const message = {
      topic,
      sequence: this.hub.directory.last(topic)?.sequence ?? 0,
      timestamp: Date.now(),
      replaces: true,
      payload: JSON.stringify(this.available ? AVAILABLE : UNAVAILABLE)
    }
    const bytes = new TopicBytes(this.hub, topic, writer => [writer.data(message)])
    flushAll([...subscribers].filter(subscriber => deliverTo(subscriber, bytes)))
  }
}
