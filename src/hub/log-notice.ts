import { topicKey } from '@tickwire/protocol'
import type { HubParts } from './hub-parts.js'
import { deliverTo, flushAll, type Subscriber } from './subscriber.js'
import { TopicBytes } from './topic-bytes.js'

const topic = topicKey({ channel: 'system' })

const notice = (available: boolean): { level: string, message: string } => available
  ? { level: 'info', message: 'the log can be reached again' }
  : { level: 'warning', message: 'the log cannot be reached: nothing new is sent or taken until it can; no message is lost' }

export interface LogNoticesOptions {
  /** Passes on what has come. */
  readonly passOn: () => void
  /** Whether there is nobody to be told any more. */
  readonly over: () => boolean
}

/**
 * Tells those who subscribe to `system` that the log has gone away or come back. It is no message of the log, which takes none
 * then: it comes as the topic's state, and stands where they stand.
 */
export class LogNotices {
  /** Whether the log can be reached, as far as is known. */
  available = true
  /** How often all who were live have been told. */
  announced = 0

  constructor (private readonly hub: HubParts, private readonly options: LogNoticesOptions) {}

  change (available: boolean): void {
    this.available = available
    void (this.hub.epochChange ?? Promise.resolve()).then(() => {
      if (this.available !== available || this.hub.epochChange !== undefined || this.options.over()) return
      this.options.passOn()
      this.announced++
      this.announce(this.hub.audience.of(topic).everybody())
    })
  }

  /** Tells one who is live again, where the others were told meanwhile. @param since what {@link announced} was when it left */
  announceMissed (subscriber: Subscriber, since: number): void {
    if (this.announced > since && this.hub.audience.of(topic).view(subscriber) !== undefined) this.announce([subscriber])
  }

  private announce (subscribers: Iterable<Subscriber>): void {
    const payload = JSON.stringify(notice(this.available))
    const sequence = this.hub.directory.last(topic)?.sequence ?? 0
    const bytes = new TopicBytes(this.hub, topic, writer => [writer.data({ topic, sequence, timestamp: Date.now(), replaces: true, payload })])
    flushAll([...subscribers].filter(subscriber => deliverTo(subscriber, bytes)))
  }
}
