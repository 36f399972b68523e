import { type Entry, followsOn, type Log } from './log.js'

/** Messages of a topic in one read. */
const PAGE = 500

/**
 * Reads every retained message of a shard between two offsets from its topics, in order, and says which
 * topics lost some.
 */
export async function readBeyond (
  log: Pick<Log, 'topics' | 'read'>, shard: number, after: number, before: number
): Promise<{ entries: Entry[], lost: Set<string> }> {
  const entries: Entry[] = []
  const lost = new Set<string>()
  for (const [topic, last] of await log.topics(shard)) {
    if (last.offset <= after) continue
    let from = after
    for (let more = true; more;) {
      const page = await log.read(topic, { offset: from }, PAGE)
      if (!followsOn(page, from)) lost.add(topic)
      for (const entry of page.entries) if (entry.offset < before) entries.push(entry)
      from = page.entries.at(-1)?.offset ?? before
      more = page.entries.length === PAGE && from < before
    }
  }
  return { entries: entries.sort((a, b) => a.offset - b.offset), lost }
}
