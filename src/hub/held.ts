import type { Entry, Log, Page } from '../log/log.js'

/** Messages that are read at a time. */
const PAGE = 1000

/** About so much of payloads is read and written at a time for one client, and is what one who does not read it can make wait for it. */
export const SLICE_CHARACTERS = 1 << 20

export interface Held {
  /** Oldest first. */
  readonly entries: readonly Entry[]
  readonly epoch: number
  /** Every message of the topic up to this offset is among them, or gone from the log; none beyond. */
  readonly asOf: number
}

/** All that the log still holds of a topic: what a topic without a state is given in its place. */
export async function readHeld (log: Log, topic: string): Promise<Held> {
  const { entries, last } = await readAll(from => log.read(topic, { offset: from?.offset ?? 0 }, PAGE))
  return { entries, epoch: last.epoch, asOf: entries.at(-1)?.offset ?? last.last?.offset ?? 0 }
}

/** A topic's messages behind a sequence: the newest of them that fit a slice. */
export async function readBacklog (log: Log, topic: string, sequence: number): Promise<readonly Entry[]> {
  let newest: readonly Entry[] = []
  for (let behind = sequence; ;) {
    const { entries } = await log.read(topic, { sequence: behind }, PAGE)
    newest = newestThatFit([...newest, ...entries], SLICE_CHARACTERS)
    if (entries.length < PAGE) return newest
    behind = entries.at(-1)!.sequence
  }
}

/** Those at the end whose payloads have no more characters together than that; the last at least. */
export function newestThatFit (entries: readonly Entry[], characters: number): readonly Entry[] {
  let first = entries.length
  for (let sum = 0; first > 0 && (sum += entries[first - 1]!.payload.length) <= characters;) first--
  return entries.slice(Math.min(first, Math.max(0, entries.length - 1)))
}

/** Those at the beginning; the first at least. */
export function oldestThatFit (entries: readonly Entry[], characters: number): readonly Entry[] {
  let end = 0
  for (let sum = 0; end < entries.length && (sum += entries[end]!.payload.length) <= characters;) end++
  return entries.slice(0, Math.max(1, end))
}

/** From where what the log holds of a topic behind an offset goes on. */
export async function beforeFirstHeld (log: Log, topic: string, offset: number): Promise<number> {
  const page = await log.read(topic, { offset }, 1)
  return page.entries[0]?.previous ?? page.last?.offset ?? 0
}

async function readAll (read: (from: Entry | undefined) => Promise<Page>): Promise<{ readonly entries: readonly Entry[], readonly last: Page }> {
  const entries: Entry[] = []
  for (;;) {
    const last = await read(entries.at(-1))
    entries.push(...last.entries)
    if (last.entries.length < PAGE) return { entries, last }
  }
}
