import type { DriverEvent } from './driver.js'
import { brief, describe, type Expected, topicName } from './notation.js'
import { Failure } from './watch.js'

/**
 * What the client has given to the application, by topic: the protocol promises nothing about the order of
 * messages of different topics.
 */
export class Given {
  private readonly topics = new Map<string, DriverEvent[]>()
  /** Topics of which several resets in a row count as one. */
  private readonly repeating = new Set<string>()
  private read = 0

  /** @param events of the driver, to which it adds */
  constructor (private readonly events: readonly DriverEvent[]) {}

  /** Takes what is expected next of a topic. @returns whether it was there @throws Failure if else was */
  take (expected: Expected): boolean {
    const event = this.next(expected.topic)
    if (event === undefined) return false
    if (!expected.fits(event)) {
      throw new Failure(`it gives ${describe(event)}, and not ${brief(expected.text)}`)
    }
    this.topics.get(expected.topic)!.shift()
    if (expected.repeats) this.repeating.add(expected.topic)
    else this.repeating.delete(expected.topic)
    return true
  }

  /** @throws Failure if the client has given more than was expected */
  judgeRest (): void {
    this.sort()
    for (const topic of this.topics.keys()) {
      const event = this.next(topic)
      if (event !== undefined) throw new Failure(`it also gives ${describe(event)}`)
    }
  }

  private next (topic: string): DriverEvent | undefined {
    this.sort()
    const waiting = this.topics.get(topic) ?? []
    while (this.repeating.has(topic) && waiting[0]?.event === 'reset') waiting.shift()
    return waiting[0]
  }

  private sort (): void {
    for (; this.read < this.events.length; this.read++) {
      const event = this.events[this.read]!
      if (event.event !== 'message' && event.event !== 'reset') continue
      const topic = topicName(event)
      const waiting = this.topics.get(topic)
      if (waiting === undefined) this.topics.set(topic, [event])
      else waiting.push(event)
    }
  }
}
