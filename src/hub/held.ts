import type { Entry, Log } from '../log/log.js'

/** Messages that are read at a time. */
const PAGE = 1000

export interface Held {
  /** Oldest first. */
  readonly entries: readonly Entry[]
  readonly epoch: number
  /** Every message of the topic up to this offset is among them, or gone from the log; none beyond. */
  readonly asOf: number
}

/** All that the log still holds of a topic: what a topic without a state is given in its place. */
export async function readHeld (log: Log, topic: string): Promise<Held> {
  const entries: Entry[] = []
  for (;;) {
    const page = await log.read(topic, { offset: entries.at(-1)?.offset ?? 0 }, PAGE)
    entries.push(...page.entries)
    if (page.entries.length < PAGE) return { entries, epoch: page.epoch, asOf: entries.at(-1)?.offset ?? page.last?.offset ?? 0 }
  }
}
