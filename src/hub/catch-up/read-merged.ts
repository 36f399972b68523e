import { type Entry, followsOn, type Log } from '../../log/log.js'

/** How many messages one read asks of one topic, at most. */
export const MAX_READ = 1000

/** A topic, and the offset after which to read it. */
export interface TopicStart {
  readonly topic: string
  readonly from: number
}

export interface MergedPage {
  /** The messages of all topics together, in the order of their offsets. */
  readonly entries: readonly Entry[]
  /** The offset up to which no message of these topics is missing. */
  readonly end: number
  /** Topics whose next messages the log has dropped. */
  readonly trimmed: readonly string[]
}

interface Reading extends TopicStart {
  readonly entries: Entry[]
  /** Whether the log may have more after them. */
  more: boolean
}

/**
 * Reads the next `limit` messages of some topics of one shard, up to an offset. Returns undefined if the log
 * is in another epoch.
 *
 * It reads a few messages of each topic first, and then more of only those topics whose next messages the
 * rest has to wait for. So the number of messages read stays in proportion to the topics and the limit,
 * whether all topics are alike or one is much busier.
 */
export async function readMerged (
  log: Log, starts: readonly TopicStart[], epoch: number, upTo: number, limit: number
): Promise<MergedPage | undefined> {
  const readings = starts.map((start): Reading => ({ ...start, entries: [], more: true }))
  const trimmed = new Set<string>()
  let count = Math.max(1, Math.ceil(limit / Math.max(1, starts.length)))
  let behind = readings
  while (behind.length > 0) {
    const asked = Math.min(MAX_READ, count)
    const epochs = await Promise.all(behind.map(async reading => {
      const after = reading.entries.at(-1)?.offset ?? reading.from
      const page = await log.read(reading.topic, { offset: after }, asked)
      if (!followsOn(page, after)) trimmed.add(reading.topic)
      reading.entries.push(...page.entries)
      reading.more = page.entries.length === asked
      return page.epoch
    }))
    if (epochs.some(other => other !== epoch)) return undefined
    const horizon = known(readings, upTo)[limit - 1]?.offset ?? upTo
    behind = readings.filter(({ more, entries }) => more && entries.at(-1)!.offset < horizon)
    count *= 2
  }
  const all = known(readings, upTo)
  const entries = all.slice(0, limit)
  return { entries, end: all.length < limit ? upTo : entries.at(-1)!.offset, trimmed: [...trimmed] }
}

const known = (readings: readonly Reading[], upTo: number): Entry[] => readings
  .flatMap(({ entries }) => entries)
  .filter(({ offset }) => offset <= upTo)
  .sort((a, b) => a.offset - b.offset)
